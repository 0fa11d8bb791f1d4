"""Stock flytekit against the sandbox: what the client gets must be what the same code gives locally."""

import time
import uuid

import pytest
from flyteidl.admin import common_pb2, execution_pb2, task_pb2
from flyteidl.core import identifier_pb2, literals_pb2
from flyteidl.core.execution_pb2 import NodeExecution, TaskExecution, WorkflowExecution
from flytekit.exceptions.user import FlyteAssertion, FlyteEntityAlreadyExistsException, FlyteInvalidInputException
from flytekit.models import literals

from ahead import runs, starts
from workflows import basics


@runs("basics.pass_value", x=4)
def test_two_tasks_pass_a_value(execution):
    assert execution.closure.phase == WorkflowExecution.SUCCEEDED
    assert execution.outputs["o0"] == basics.pass_value(x=4) == "the value is 8"
    nodes = execution.node_executions
    assert nodes["n0"].outputs["o0"] == 8
    assert nodes["n1"].inputs["x"] == 8
    assert nodes["start-node"].closure.phase == 3 and nodes["n1"].closure.phase == 3
    assert [t.closure.phase for t in nodes["n0"].task_executions] == [TaskExecution.SUCCEEDED]
    assert execution.closure.duration.total_seconds() > 0


@runs("basics.named_outputs", values=[3, 5])
def test_named_outputs(execution):
    assert execution.outputs["total"] == 8
    assert execution.outputs["mean"] == 4.0


@runs("basics.diamond", x=3)
def test_independent_nodes_run_beside_each_other(execution):
    assert execution.outputs["o0"] == execution.outputs["o1"] == 12
    n1, n2 = execution.node_executions["n1"].closure, execution.node_executions["n2"].closure
    assert n1.started_at < n2.started_at + n2.duration and n2.started_at < n1.started_at + n1.duration


@runs("basics.through_file", text="sandbox")
def test_a_file_through_the_object_store(remote, execution):
    assert execution.outputs["o0"] == "xobdnas"
    file = execution.outputs["o1"]
    assert file.remote_source.startswith("s3://my-s3-bucket/data/")
    with remote.remote_context(), open(file, encoding="utf-8") as source:
        assert source.read() == "sandbox"


def test_a_local_file_as_input(execute, tmp_path):
    path = tmp_path / "input.txt"
    path.write_text("stressed", encoding="utf-8")
    execution = execute("read_given_file", file=str(path))
    assert execution.outputs["o0"] == "desserts"


@runs("basics.failing", x=7)
def test_the_message_of_a_task_that_raises_reaches_the_client(execution):
    assert execution.closure.phase == WorkflowExecution.FAILED
    assert "no such number: 7" in execution.error.message
    assert "ValueError" in execution.error.message
    with pytest.raises(FlyteAssertion):
        execution.outputs
    assert execution.node_executions["n0"].closure.phase == 5
    assert len(execution.node_executions["n0"].task_executions) == 1


@runs("basics.retrying")
def test_recoverable_failures_are_retried(execution):
    assert execution.outputs["o0"] == 2
    attempts = execution.node_executions["n0"].task_executions
    assert sorted(t.id.retry_attempt for t in attempts) == [0, 1, 2]


@runs("basics.retries_exhausted")
def test_retries_end(execution):
    assert execution.closure.phase == WorkflowExecution.FAILED
    assert "again and again" in execution.error.message
    assert len(execution.node_executions["n0"].task_executions) == 2


def test_a_single_task(remote, version, finish):
    task = remote.fetch_task(name="workflows.basics.double", version=version)
    execution = finish(remote.execute(task, inputs={"x": 5}, wait=False))
    assert execution.outputs["o0"] == 10


def test_registering_twice(remote):
    version = uuid.uuid4().hex
    first = remote.register_workflow(basics.pass_value, version=version)
    again = remote.register_workflow(basics.pass_value, version=version)
    assert first.id.version == again.id.version == version
    task = get_task(remote, version)
    with pytest.raises(FlyteEntityAlreadyExistsException) as raised:
        create_task(remote, task)
    assert "identical structure already exists" in str(raised.value)


def test_registering_something_else_under_the_same_version(remote):
    version = uuid.uuid4().hex
    remote.register_workflow(basics.pass_value, version=version)
    task = get_task(remote, version)
    task.closure.compiled_task.template.container.image = "example.org/other:1"
    with pytest.raises(FlyteInvalidInputException) as raised:
        create_task(remote, task)
    assert "with different structure already exists" in str(raised.value)
    assert "example.org/other:1" in str(raised.value)


def get_task(remote, version):
    id = identifier_pb2.Identifier(resource_type=identifier_pb2.TASK, project="flytesnacks", domain="development",
                                   name="workflows.basics.double", version=version)
    return remote.client._stub.GetTask(common_pb2.ObjectGetRequest(id=id), timeout=10)


def create_task(remote, task):
    spec = task_pb2.TaskSpec(template=task.closure.compiled_task.template)
    remote.client._stub.CreateTask(task_pb2.TaskCreateRequest(id=task.id, spec=spec), timeout=10)


@runs("basics.pass_value", x=4)
def test_register_with_the_command_line_then_launch(remote, version, execution):
    plan = remote.fetch_launch_plan(name="workflows.basics.pass_value", version=version)
    assert plan.id.version == version
    assert execution.spec.launch_plan == plan.id
    assert execution.outputs["o0"] == "the value is 8"


def test_run_with_the_command_line(run_remotely):
    assert run_remotely(basics.__file__, "pass_value", "--x", "10").outputs["o0"] == "the value is 20"


@starts("basics.waiting", seconds=600)
def test_abort(remote, started, finish):
    execution = started
    wait_for(remote, execution, lambda e: "n0" in e.node_executions and e.node_executions["n0"].closure.phase == NodeExecution.RUNNING)
    remote.terminate(execution, cause="enough of it")
    execution = finish(execution)
    assert execution.closure.phase == WorkflowExecution.ABORTED
    assert execution.closure.abort_metadata.cause == "enough of it"
    assert execution.node_executions["n0"].closure.phase == NodeExecution.ABORTED


def wait_for(remote, execution, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        execution = remote.sync_execution(execution, sync_nodes=True)
        if condition(execution):
            return execution
        time.sleep(0.2)
    raise AssertionError(f"not reached within {seconds} s; phase {execution.closure.phase}, nodes "
                         f"{ {k: v.closure.phase for k, v in execution.node_executions.items()} }")


def test_bad_inputs_are_refused(remote, version):
    lp = remote.fetch_launch_plan(name="workflows.basics.pass_value", version=version)
    request = execution_pb2.ExecutionCreateRequest(project="flytesnacks", domain="development")
    request.spec.launch_plan.CopyFrom(lp.id.to_flyte_idl())
    request.inputs.CopyFrom(literals_pb2.LiteralMap(literals={"x": literals.Literal(
        scalar=literals.Scalar(primitive=literals.Primitive(string_value="three"))).to_flyte_idl()}))
    with pytest.raises(FlyteInvalidInputException) as raised:
        remote.client._stub.CreateExecution(request, timeout=10)
    assert "invalid x input wrong type" in str(raised.value)


@runs("basics.in_cluster")
def test_pods_reach_the_platform_by_service_names(execution):
    found = execution.outputs["o0"]
    assert (found["health"], found["minio"]) == ("200", "200")
    assert "flytesnacks" in found["projects"].split(",")  # other tests make some


@runs("basics.raw_container")
def test_a_raw_container(execution):
    assert execution.closure.phase == WorkflowExecution.SUCCEEDED
