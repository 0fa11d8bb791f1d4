"""Maps over launch plans, by stock flytekit: results as locally (flytekit itself does not run such a map of a workflow's input locally, but
the mapped workflows), what clients see of the executions, failures, and the abort of all."""

import datetime

import pytest
from flyteidl.admin import execution_pb2, task_execution_pb2
from flyteidl.core.execution_pb2 import NodeExecution, TaskExecution, WorkflowExecution

from workflows import launch_plan_maps


@pytest.fixture(scope="module")
def start(remote, version):
    def start(workflow, **inputs):
        plan = remote.fetch_launch_plan(name=f"workflows.launch_plan_maps.{workflow}", version=version)
        return remote.execute(plan, inputs=inputs, wait=False)

    return start


@pytest.fixture(scope="module")
def run(start, finish):
    return lambda workflow, **inputs: finish(start(workflow, **inputs))


@pytest.fixture(scope="module")
def elements(remote):
    """The elements of the array at a node as the API gives them: flytekit's models leave out what they run."""

    def elements(execution, node="n0"):
        request = task_execution_pb2.TaskExecutionListRequest(
            node_execution_id=execution.node_executions[node].id.to_flyte_idl(), limit=10)
        (task,) = remote.client._stub.ListTaskExecutions(request, timeout=10).task_executions
        return task.closure.metadata.external_resources

    return elements


@pytest.fixture(scope="module")
def children(remote, elements):
    """The executions that the elements run, in their order."""

    def children(execution, node="n0"):
        return [remote.fetch_execution(name=e.workflow_node_metadata.execution_id.name) for e in elements(execution, node)]

    return children


def test_results_come_in_order(run, elements, children):
    values = [3, 1, 2]
    execution = run("echoes", values=values)
    assert (execution.outputs["o0"], execution.outputs["o1"]) == (values, [launch_plan_maps.echo(x=x) for x in values])
    node = execution.node_executions["n0"]
    assert node.metadata.is_array and not node.metadata.is_parent_node
    assert [(e.index, e.retry_attempt, e.phase) for e in elements(execution)] == [(i, 0, TaskExecution.SUCCEEDED) for i in range(3)]
    name = execution.id.name
    assert [e.external_id for e in elements(execution)] == [f"{name}-n0-0-n{i}-0" for i in range(3)]
    launched = children(execution)
    assert [c.outputs["o0"] for c in launched] == values
    for child in launched:
        assert child.spec.metadata.mode == execution_pb2.ExecutionMetadata.CHILD_WORKFLOW
        assert child.spec.metadata.nesting == 1
    (task,) = node.task_executions
    assert task.outputs["o0"] == values
    # With room for one, each is launched when the one before has ended.
    one_by_one = children(execution, "n1")
    for before, after in zip(one_by_one, one_by_one[1:]):
        assert after.closure.created_at >= before.closure.updated_at - datetime.timedelta(milliseconds=5)


def test_an_empty_list(run):
    execution = run("echoes", values=[])
    assert (execution.outputs["o0"], execution.outputs["o1"]) == ([], [])


def test_enough_successes(run, elements):
    execution = run("some_positive", values=[1, -1, 2])
    assert execution.outputs["o0"] == [launch_plan_maps.positive(x=1), None, launch_plan_maps.positive(x=2)]
    assert [e.phase for e in elements(execution)] == [TaskExecution.SUCCEEDED, TaskExecution.FAILED, TaskExecution.SUCCEEDED]


def test_a_failing_execution_fails_the_map(run):
    execution = run("all_positive", values=[1, -1])
    assert execution.closure.phase == WorkflowExecution.FAILED
    assert execution.error.message == "[1]: not positive\n"
    assert execution.error.code == "UserProvidedError"
    assert execution.node_executions["n0"].closure.phase == NodeExecution.FAILED


def test_abort_reaches_every_execution(remote, start, finish, elements, children, eventually):
    execution = start("sleepers", values=[1, 2, 3])

    def all_sleep():
        synced = remote.sync_execution(execution, sync_nodes=True)
        nodes = synced.node_executions
        # An element begins before its execution has a name.
        if "n0" not in nodes or not nodes["n0"].task_executions or not all(e.workflow_node_metadata.execution_id.name for e in elements(synced)):
            return False
        return [c.closure.phase for c in children(synced)] == [WorkflowExecution.RUNNING] * 3

    eventually(all_sleep)
    remote.terminate(execution, cause="enough of it")
    execution = finish(execution)
    assert execution.closure.phase == WorkflowExecution.ABORTED
    eventually(lambda: [c.closure.phase for c in children(execution)] == [WorkflowExecution.ABORTED] * 3)
    for child in children(execution):
        assert child.closure.abort_metadata.cause.startswith("cascading abort as parent execution id [")


def test_elements_are_recovered_by_themselves(remote, run, finish, elements):
    failed = run("one_by_one_positive", values=[1, 2, -1])
    assert failed.closure.phase == WorkflowExecution.FAILED
    before = [e.workflow_node_metadata.execution_id.name for e in elements(failed)]
    again = finish(remote.fetch_execution(name=remote.client._stub.RecoverExecution(
        execution_pb2.ExecutionRecoverRequest(id=failed.id.to_flyte_idl()), timeout=10).id.name))
    assert again.closure.phase == WorkflowExecution.FAILED
    assert again.error.message == "[2]: not positive\n"
    # The first two are there without having been launched.
    shown = elements(again)
    assert [e.phase for e in shown] == [TaskExecution.SUCCEEDED, TaskExecution.SUCCEEDED, TaskExecution.FAILED]
    assert [bool(e.workflow_node_metadata.execution_id.name) for e in shown] == [False, False, True]
    assert shown[2].workflow_node_metadata.execution_id.name not in before
