"""Map tasks of stock flytekit: results, limits, failures, and what clients are shown of the elements."""

import pytest
from flyteidl.admin import task_execution_pb2
from flyteidl.core.execution_pb2 import NodeExecution, TaskExecution, WorkflowExecution

from workflows import maps


@pytest.fixture(scope="module")
def start(remote, version):
    def start(workflow, **inputs):
        plan = remote.fetch_launch_plan(name=f"workflows.maps.{workflow}", version=version)
        return remote.execute(plan, inputs=inputs, wait=False)

    return start


@pytest.fixture(scope="module")
def run(start, finish):
    return lambda workflow, **inputs: finish(start(workflow, **inputs))


def pods_of(kubectl, execution):
    return kubectl("-n", "flytesnacks-development", "get", "pods", "-l", f"execution-id={execution.id.name}", as_json=True)["items"]


@pytest.fixture(scope="module")
def task_of(remote):
    """The one task execution of the node, as the API gives it: flytekit's models leave much of it out."""

    def task_of(execution, node="n0"):
        request = task_execution_pb2.TaskExecutionListRequest(
            node_execution_id=execution.node_executions[node].id.to_flyte_idl(), limit=10)
        (task,) = remote.client._stub.ListTaskExecutions(request, timeout=10).task_executions
        return task

    return task_of


@pytest.fixture(scope="module")
def elements(task_of):
    """(index, attempt, phase, pod) of every attempt of every element."""

    def elements(execution):
        task = task_of(execution)
        assert task.closure.task_type == "container_array"
        assert task.closure.metadata.plugin_identifier == "k8s-array"
        return [(r.index, r.retry_attempt, r.phase, r.external_id) for r in task.closure.metadata.external_resources]

    return elements


def test_results_come_in_order(run, elements):
    execution = run("squares", values=[3, 1, 2])
    assert execution.outputs["o0"] == maps.squares(values=[3, 1, 2]) == [9, 1, 4]
    node = execution.node_executions["n0"]
    assert node.metadata.is_array and not node.metadata.is_parent_node
    assert node.inputs["x"] == [3, 1, 2] and node.outputs["o0"] == [9, 1, 4]
    name = execution.id.name
    assert elements(execution) == [(i, 0, TaskExecution.SUCCEEDED, f"{name}-n0-0-n{i}-0") for i in range(3)]
    (task,) = node.task_executions
    assert len(task.closure.metadata.external_resources) == 3
    assert task.outputs["o0"] == [9, 1, 4]


def test_a_reducer_after_it(run):
    assert run("reduced", values=[1, 2, 3, 4]).outputs["o0"] == maps.reduced(values=[1, 2, 3, 4]) == 30


def test_bound_inputs(run):
    assert run("bound", values=[1, 2], unit="pears").outputs["o0"] == maps.bound(values=[1, 2], unit="pears") == "1 pears, 2 pears"


def test_a_bound_list_is_given_whole(run):
    expected = maps.bound_list(values=[1, 2, 3], factors=[4, 5])
    assert run("bound_list", values=[1, 2, 3], factors=[4, 5]).outputs["o0"] == expected == [9, 18, 27]


def test_two_lists(run):
    inputs = {"left": [1, 2], "right": ["a", "b"]}
    assert run("zipped", **inputs).outputs["o0"] == maps.zipped(**inputs) == ["1a", "2b"]


def test_lists_of_different_lengths(run):
    execution = run("zipped", left=[1, 2], right=["a"])
    assert execution.closure.phase == WorkflowExecution.FAILED
    assert execution.error.code == "InvalidArrayLength"
    assert "input arrays have different lengths: expecting '" in execution.error.message


def test_an_empty_list(run, elements):
    execution = run("squares", values=[])
    assert execution.outputs["o0"] == maps.squares(values=[]) == []
    assert elements(execution) == []


def test_concurrency(kubectl, run):
    execution = run("one_at_a_time", values=[1, 2, 3])
    assert execution.outputs["o0"] == [1, 4, 9]
    pods = pods_of(kubectl, execution)
    assert len(pods) == 3
    spans = sorted((p["metadata"]["creationTimestamp"], terminated(p)["finishedAt"]) for p in pods)
    for (_, ended), (created, _) in zip(spans, spans[1:]):
        assert created >= ended


def terminated(pod):
    return pod["status"]["containerStatuses"][0]["state"]["terminated"]


def test_enough_successes(run, elements):
    execution = run("some", values=[1, 2, 3])
    assert execution.outputs["o0"] == [1, None, 3]
    assert [e[2] for e in elements(execution)] == [TaskExecution.SUCCEEDED, TaskExecution.FAILED, TaskExecution.SUCCEEDED]
    assert run("some_counted", values=[1, 2, 3]).outputs["o0"] == 2


def test_a_failing_element_fails_the_map(run):
    execution = run("failing", values=[1, 3, 4])
    assert execution.closure.phase == WorkflowExecution.FAILED
    assert execution.error.message.startswith("[2]: ")
    assert "4 is even" in execution.error.message
    node = execution.node_executions["n0"]
    assert node.closure.phase == NodeExecution.FAILED
    assert node.task_executions[0].closure.phase == TaskExecution.FAILED
    assert "4 is even" in node.task_executions[0].closure.error.message


def test_elements_are_retried_by_themselves(run, elements):
    execution = run("retried", values=[2, 3, 5])
    assert execution.outputs["o0"] == [2, 103, 105]
    name = execution.id.name
    assert elements(execution) == [
        (0, 0, TaskExecution.SUCCEEDED, f"{name}-n0-0-n0-0"),
        (1, 0, TaskExecution.FAILED, f"{name}-n0-0-n1-0"),
        (1, 1, TaskExecution.SUCCEEDED, f"{name}-n0-0-n1-1"),
        (2, 0, TaskExecution.FAILED, f"{name}-n0-0-n2-0"),
        (2, 1, TaskExecution.SUCCEEDED, f"{name}-n0-0-n2-1"),
    ]


def test_a_map_without_outputs(run):
    assert run("nothing", values=[1, 2]).closure.phase == WorkflowExecution.SUCCEEDED


def test_a_map_over_a_map(run):
    assert run("chained", values=[1, 2]).outputs["o0"] == maps.chained(values=[1, 2]) == [1, 16]


def test_a_map_in_a_sub_workflow(run):
    execution = run("below", values=[1, 2, 3])
    assert execution.outputs["o0"] == maps.below(values=[1, 2, 3]) == 14
    (array,) = [n for n in execution.node_executions["n0"].subworkflow_node_executions.values() if n.metadata.is_array]
    resources = array.task_executions[0].closure.metadata.external_resources
    assert [r.external_id for r in resources] == [f"{execution.id.name}-n0-0-n0-0-n{i}-0" for i in range(3)]


def test_overrides(kubectl, run):
    execution = run("overridden", values=[1])
    assert execution.outputs["o0"] == [1]
    (pod,) = pods_of(kubectl, execution)
    assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "30m", "memory": "300Mi"}


def test_the_map_tasks_of_older_clients(run, elements):
    execution = run("legacy", values=[2, 3, 4])
    assert execution.outputs["o0"] == maps.legacy(values=[2, 3, 4]) == [4, 9, 16]
    assert [e[0] for e in elements(execution)] == [0, 1, 2]


def test_abort_ends_all_elements(kubectl, remote, start, finish):
    execution = start("one_at_a_time", values=list(range(50)))
    remote.terminate(execution, cause="enough of it")
    execution = finish(execution)
    assert execution.closure.phase == WorkflowExecution.ABORTED
    running = [p for p in pods_of(kubectl, execution)
               if p["status"]["phase"] in ("Pending", "Running") and "deletionTimestamp" not in p["metadata"]]
    assert running == []
