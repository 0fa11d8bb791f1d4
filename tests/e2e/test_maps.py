"""Map tasks of stock flytekit: results, limits, failures, and what clients are shown of the elements."""

import pytest
from flyteidl.admin import task_execution_pb2
from flyteidl.core.execution_pb2 import NodeExecution, TaskExecution, WorkflowExecution

from ahead import runs
from workflows import maps


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


@runs("maps.squares", values=[3, 1, 2])
def test_results_come_in_order(execution, elements):
    assert execution.outputs["o0"] == maps.squares(values=[3, 1, 2]) == [9, 1, 4]
    node = execution.node_executions["n0"]
    assert node.metadata.is_array and not node.metadata.is_parent_node
    assert node.inputs["x"] == [3, 1, 2] and node.outputs["o0"] == [9, 1, 4]
    name = execution.id.name
    assert elements(execution) == [(i, 0, TaskExecution.SUCCEEDED, f"{name}-n0-0-n{i}-0") for i in range(3)]
    (task,) = node.task_executions
    assert len(task.closure.metadata.external_resources) == 3
    assert task.outputs["o0"] == [9, 1, 4]


@runs("maps.reduced", values=[1, 2, 3, 4])
def test_a_reducer_after_it(execution):
    assert execution.outputs["o0"] == maps.reduced(values=[1, 2, 3, 4]) == 30


@runs("maps.bound", values=[1, 2], unit="pears")
def test_bound_inputs(execution):
    assert execution.outputs["o0"] == maps.bound(values=[1, 2], unit="pears") == "1 pears, 2 pears"


@runs("maps.bound_list", values=[1, 2, 3], factors=[4, 5])
def test_a_bound_list_is_given_whole(execution):
    expected = maps.bound_list(values=[1, 2, 3], factors=[4, 5])
    assert execution.outputs["o0"] == expected == [9, 18, 27]


@runs("maps.zipped", left=[1, 2], right=["a", "b"])
def test_two_lists(execution):
    assert execution.outputs["o0"] == maps.zipped(left=[1, 2], right=["a", "b"]) == ["1a", "2b"]


@runs("maps.zipped", left=[1, 2], right=["a"])
def test_lists_of_different_lengths(execution):
    assert execution.closure.phase == WorkflowExecution.FAILED
    assert execution.error.code == "InvalidArrayLength"
    assert "input arrays have different lengths: expecting '" in execution.error.message


@runs("maps.squares", values=[])
def test_an_empty_list(execution, elements):
    assert execution.outputs["o0"] == maps.squares(values=[]) == []
    assert elements(execution) == []


@runs("maps.one_at_a_time", values=[1, 2, 3])
def test_concurrency(kubectl, execution):
    assert execution.outputs["o0"] == [1, 4, 9]
    pods = pods_of(kubectl, execution)
    assert len(pods) == 3
    spans = sorted((p["metadata"]["creationTimestamp"], terminated(p)["finishedAt"]) for p in pods)
    for (_, ended), (created, _) in zip(spans, spans[1:]):
        assert created >= ended


def terminated(pod):
    return pod["status"]["containerStatuses"][0]["state"]["terminated"]


@runs("maps.some", values=[1, 2, 3])
@runs("maps.some_counted", values=[1, 2, 3])
def test_enough_successes(executions, elements):
    execution, counted = executions
    assert execution.outputs["o0"] == [1, None, 3]
    assert [e[2] for e in elements(execution)] == [TaskExecution.SUCCEEDED, TaskExecution.FAILED, TaskExecution.SUCCEEDED]
    assert counted.outputs["o0"] == 2


@runs("maps.failing", values=[1, 3, 4])
def test_a_failing_element_fails_the_map(execution):
    assert execution.closure.phase == WorkflowExecution.FAILED
    assert execution.error.message.startswith("[2]: ")
    assert "4 is even" in execution.error.message
    node = execution.node_executions["n0"]
    assert node.closure.phase == NodeExecution.FAILED
    assert node.task_executions[0].closure.phase == TaskExecution.FAILED
    assert "4 is even" in node.task_executions[0].closure.error.message


@runs("maps.retried", values=[2, 3, 5])
def test_elements_are_retried_by_themselves(execution, elements):
    assert execution.outputs["o0"] == [2, 103, 105]
    name = execution.id.name
    assert elements(execution) == [
        (0, 0, TaskExecution.SUCCEEDED, f"{name}-n0-0-n0-0"),
        (1, 0, TaskExecution.FAILED, f"{name}-n0-0-n1-0"),
        (1, 1, TaskExecution.SUCCEEDED, f"{name}-n0-0-n1-1"),
        (2, 0, TaskExecution.FAILED, f"{name}-n0-0-n2-0"),
        (2, 1, TaskExecution.SUCCEEDED, f"{name}-n0-0-n2-1"),
    ]


@runs("maps.nothing", values=[1, 2])
def test_a_map_without_outputs(execution):
    assert execution.closure.phase == WorkflowExecution.SUCCEEDED


@runs("maps.chained", values=[1, 2])
def test_a_map_over_a_map(execution):
    assert execution.outputs["o0"] == maps.chained(values=[1, 2]) == [1, 16]


@runs("maps.below", values=[1, 2, 3])
def test_a_map_in_a_sub_workflow(execution):
    assert execution.outputs["o0"] == maps.below(values=[1, 2, 3]) == 14
    (array,) = [n for n in execution.node_executions["n0"].subworkflow_node_executions.values() if n.metadata.is_array]
    resources = array.task_executions[0].closure.metadata.external_resources
    assert [r.external_id for r in resources] == [f"{execution.id.name}-n0-0-n0-0-n{i}-0" for i in range(3)]


@runs("maps.overridden", values=[1])
def test_overrides(kubectl, execution):
    assert execution.outputs["o0"] == [1]
    (pod,) = pods_of(kubectl, execution)
    assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "30m", "memory": "300Mi"}


@runs("maps.legacy", values=[2, 3, 4])
def test_the_map_tasks_of_older_clients(execution, elements):
    assert execution.outputs["o0"] == maps.legacy(values=[2, 3, 4]) == [4, 9, 16]
    assert [e[0] for e in elements(execution)] == [0, 1, 2]


def test_abort_ends_all_elements(kubectl, remote, launch_workflow, finish):
    execution = launch_workflow("maps.one_at_a_time", values=list(range(50)))
    remote.terminate(execution, cause="enough of it")
    execution = finish(execution)
    assert execution.closure.phase == WorkflowExecution.ABORTED
    running = [p for p in pods_of(kubectl, execution)
               if p["status"]["phase"] in ("Pending", "Running") and "deletionTimestamp" not in p["metadata"]]
    assert running == []
