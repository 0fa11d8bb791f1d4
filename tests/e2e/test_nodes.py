"""Nodes that contain or wait for something: what comes out is what the same code gives locally."""

import datetime
import time

import grpc
import pytest
from flyteidl.admin import execution_pb2, node_execution_pb2, signal_pb2
from flyteidl.core import identifier_pb2
from flyteidl.core.execution_pb2 import NodeExecution, WorkflowExecution
from flyteidl.service import admin_pb2_grpc, signal_pb2_grpc
from flytekit.models.core.identifier import NodeExecutionIdentifier

from ahead import runs, runs_each, starts
from workflows import nodes


@pytest.fixture(scope="module")
def start(launch_workflow):
    return lambda workflow, **inputs: launch_workflow(f"nodes.{workflow}", **inputs)


@pytest.fixture(scope="module")
def rows(remote):
    """Every node of an execution by its id, whatever is around it."""

    def read(execution, parent=""):
        found = {}
        listed, token = remote.client.list_node_executions(execution.id, limit=100, unique_parent_id=parent or None)
        for node in listed:
            found[node.id.node_id] = node
            found.update(read(execution, node.id.node_id) if node.metadata.is_parent_node else {})
        return found

    return read


@pytest.fixture(scope="module")
def admin(sandbox):
    with grpc.insecure_channel(sandbox.endpoint("grpc")) as channel:
        yield admin_pb2_grpc.AdminServiceStub(channel)


@pytest.fixture(scope="module")
def spans(admin):
    """An execution's time as GetExecutionMetrics tells it: the operations and the spans below each node, task and the execution itself, by name."""

    def read(execution, depth=10):
        request = execution_pb2.WorkflowExecutionGetMetricsRequest(id=execution.id.to_flyte_idl(), depth=depth)
        found = {}

        def name_of(span):
            if span.WhichOneof("id") == "workflow_id":
                return "execution"
            if span.WhichOneof("id") == "node_id":
                return span.node_id.node_id
            return f"{span.task_id.node_execution_id.node_id}/{span.task_id.retry_attempt}"

        def visit(span):
            assert span.start_time.ToNanoseconds() <= span.end_time.ToNanoseconds()
            found[name_of(span)] = [part.operation_id or name_of(part) for part in span.spans]
            for part in span.spans:
                if not part.operation_id:
                    visit(part)

        visit(admin.GetExecutionMetrics(request, timeout=20).span)
        return found

    return read


@pytest.fixture(scope="module")
def dynamic_workflow(admin):
    """What a dynamic node has made, by its own RPC."""

    def read(execution, node):
        id = identifier_pb2.NodeExecutionIdentifier(node_id=node, execution_id=execution.id.to_flyte_idl())
        return admin.GetDynamicNodeWorkflow(node_execution_pb2.GetDynamicNodeWorkflowRequest(id=id), timeout=20).compiled_workflow

    return read


def phases(rows):
    return {name: NodeExecution.Phase.Name(node.closure.phase) for name, node in rows.items() if "-node" not in name}


# ---- Sub-workflows ----


@runs("nodes.nested", x=3)
def test_sub_workflows_in_sub_workflows(execution, rows, remote, spans):
    assert execution.outputs["o0"] == nodes.nested(x=3) == 11
    found = rows(execution)
    assert found["n0"].metadata.is_parent_node and found["n0-0-n0"].metadata.is_parent_node
    child = found["n0-0-n0-0-n1"]
    assert child.metadata.spec_node_id == "n1" and child.metadata.retry_group == "0"
    root = f"s3://my-s3-bucket/metadata/propeller/flytesnacks-development-{execution.id.name}"
    assert child.input_uri == f"{root}/n0/data/0/n0/0/n1/inputs.pb"
    assert child.closure.output_uri == f"{root}/n0/data/0/n0/0/n1/0/outputs.pb"
    data = remote.client.get_node_execution_data(NodeExecutionIdentifier("n0", execution.id))
    assert data.full_outputs.literals["high"].scalar.primitive.integer == nodes.middle(x=3).high
    # flytekit's own view of it
    outer = execution.node_executions["n0"]
    assert outer.outputs["low"] == nodes.middle(x=3).low
    # where the time went: down to the tasks of the innermost workflow, each with what the platform spent around it
    times = spans(execution)
    assert times["execution"] == ["WORKFLOW_SETUP", "n0", "n1", "WORKFLOW_TEARDOWN"]
    assert times["n0"] == ["NODE_TRANSITION", "NODE_SETUP", "n0-0-n0", "n0-0-n1", "NODE_TEARDOWN"]
    assert times["n0-0-n1"] == ["NODE_TRANSITION", "NODE_SETUP", "n0-0-n1-0-n0", "n0-0-n1-0-n1", "NODE_TEARDOWN"]
    assert times["n0-0-n0-0-n1"] == ["NODE_TRANSITION", "NODE_SETUP", "n0-0-n0-0-n1/0", "NODE_TEARDOWN"]
    assert times["n0-0-n0-0-n1/0"][:2] == ["TASK_SETUP", "TASK_RUNTIME"]  # tearing down may take no time at all
    assert set(spans(execution, depth=1)) == {"execution", "n0", "n1"} and set(spans(execution, depth=0)) == {"execution"}
    assert outer.subworkflow_node_executions["n0-0-n0"].outputs["high"] == nodes.inner(x=3).high


@runs("nodes.nested_refuses", x=1)
def test_a_failure_within_is_the_executions(execution, rows):
    assert execution.closure.phase == WorkflowExecution.FAILED
    assert "2 is not wanted" in execution.error.message
    assert phases(rows(execution)) == {"n0": "FAILED", "n0-0-n0": "SUCCEEDED", "n0-0-n1": "FAILED"}


@runs("nodes.sub_workflow_goes_on", x=1)
def test_the_failure_policy_is_the_sub_workflows(execution, rows):
    assert execution.closure.phase == WorkflowExecution.FAILED
    found = phases(rows(execution))
    assert found["n0-0-n0"] == "FAILED" and found["n0-0-n1"] == found["n0-0-n2"] == "SUCCEEDED"


# ---- Branches ----


@runs_each("nodes.choose_then_use", {"x": 12, "y": 0.1}, {"x": 3, "y": 0.1}, {"x": 12, "y": 8.0}, {"x": 5, "y": 1.0})
def test_the_case_that_holds_runs(execution, inputs):
    assert execution.outputs["o0"] == nodes.choose_then_use(**inputs)


@runs("nodes.choose", x=3, y=0.1)
def test_the_other_cases_are_skipped(execution, rows):
    assert execution.outputs["o0"] == nodes.choose(x=3, y=0.1) == 4
    found = rows(execution)
    children = [name for name in found if name.startswith("n0-0-")]
    assert sorted(phases({name: found[name] for name in children}).values()) == ["SKIPPED", "SKIPPED", "SUCCEEDED"]


@runs_each("nodes.choose_by_task", {"x": 4}, {"x": 5})
def test_a_branch_on_what_a_task_gave(execution, inputs):
    assert execution.outputs["o0"] == nodes.choose_by_task(**inputs)


@runs_each("nodes.choose_in_choice", {"x": 4}, {"x": 5}, {"x": 104})
def test_a_branch_within_a_branch(execution, inputs):
    assert execution.outputs["o0"] == nodes.choose_in_choice(**inputs)


@runs("nodes.choose_or_fail", x=2)
@runs("nodes.choose_or_fail", x=4)
def test_no_case_holds(executions):
    good, execution = executions
    assert good.outputs["o0"] == nodes.choose_or_fail(x=2) == 4
    assert execution.closure.phase == WorkflowExecution.FAILED
    assert execution.error.code == "UserProvidedError" and "x has to be small" in execution.error.message
    with pytest.raises(ValueError, match="x has to be small"):
        nodes.choose_or_fail(x=4)


# ---- Failure nodes ----


def wait_for_end(remote, execution):
    """Without flytekit's view of the nodes, which has no place for a failure node."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        state = remote.client.get_execution(execution.id)
        if state.closure.phase in (WorkflowExecution.SUCCEEDED, WorkflowExecution.FAILED, WorkflowExecution.ABORTED):
            return state
        time.sleep(0.2)
    pytest.fail(f"execution {execution.id.name} is still in phase {state.closure.phase}")


@pytest.mark.parametrize("node, failed", [
    pytest.param("fn0", "n1", marks=starts("nodes.cleaned_up", x=8)),
    pytest.param("n0-0-fn0", "n0-0-n1", marks=starts("nodes.cleaned_up_within", x=8)),
])
def test_a_failure_node_runs_and_knows_why(started, remote, rows, kubectl, node, failed):
    execution = started
    state = wait_for_end(remote, execution)
    assert state.closure.phase == WorkflowExecution.FAILED
    assert "9 is not wanted" in state.closure.error.message
    assert phases(rows(execution))[node] == "SUCCEEDED"
    log = kubectl("logs", "-n", "flytesnacks-development", f"{execution.id.name}-{node}-0")
    assert "CLEANED UP 8: " in log and "9 is not wanted" in log and f"in {failed}" in log


# ---- Gates ----


@pytest.fixture(scope="module")
def signals(sandbox):
    with grpc.insecure_channel(sandbox.endpoint("grpc")) as channel:
        yield signal_pb2_grpc.SignalServiceStub(channel)


def signal_id(execution, name):
    return identifier_pb2.SignalIdentifier(signal_id=name, execution_id=execution.id.to_flyte_idl())


def await_signal(remote, execution, name):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = {signal.id.signal_id: signal for signal in remote.list_signals(execution.id.name)}
        if name in found:
            return found
        time.sleep(0.2)
    pytest.fail(f"signal {name} was not asked for; there are {sorted(found)}")


def test_approval_and_input(start, finish, remote, signals):
    execution = start("gated", x=2)  # not ahead of its time: at first no signal is asked for
    with pytest.raises(grpc.RpcError) as early:
        signals.SetSignal(signal_pb2.SignalSetRequest(id=signal_id(execution, "title"), value=nodes_literal("x")))
    assert early.value.code() == grpc.StatusCode.INVALID_ARGUMENT and "exists" in early.value.details()
    assert set(await_signal(remote, execution, "go-on")) == {"go-on"}
    with pytest.raises(grpc.RpcError) as wrong:
        signals.SetSignal(signal_pb2.SignalSetRequest(id=signal_id(execution, "go-on"), value=nodes_literal("yes")))
    assert wrong.value.code() == grpc.StatusCode.INVALID_ARGUMENT and "castable" in wrong.value.details()
    remote.approve("go-on", execution.id.name)
    await_signal(remote, execution, "title")
    remote.set_input("title", execution.id.name, value="chapter 1", python_type=str)
    assert finish(execution).outputs["o0"] == nodes.say(text="chapter 1")
    listed = signals.ListSignals(signal_pb2.SignalListRequest(
        workflow_execution_id=execution.id.to_flyte_idl(), limit=10, filters="eq(signal_id,title)"))
    assert [signal.value.scalar.primitive.string_value for signal in listed.signals] == ["chapter 1"]


def nodes_literal(text):
    from flyteidl.core import literals_pb2

    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(string_value=text)))


@starts("nodes.gated", x=2)
def test_rejection(started, finish, remote):
    execution = started
    await_signal(remote, execution, "go-on")
    remote.reject("go-on", execution.id.name)
    execution = finish(execution)
    assert execution.closure.phase == WorkflowExecution.FAILED
    assert execution.error.code == "ReceivedRejectSignal"
    assert "received a reject signal" in execution.error.message


@runs("nodes.impatient")
def test_nobody_answers(execution):
    assert execution.closure.phase == WorkflowExecution.FAILED
    assert "TimeoutExpired" in execution.error.code


@runs("nodes.sleeping", x=2)
def test_sleep(execution):
    assert execution.outputs["o0"] == 3
    assert execution.node_executions["n0"].closure.duration >= datetime.timedelta(seconds=3)


# ---- Dynamic tasks ----


@runs("nodes.dynamic_fan_out", count=2)
def test_a_dynamic_task_runs_what_it_makes(execution, rows, remote, admin, spans, dynamic_workflow):
    assert execution.outputs["o0"] == nodes.dynamic_fan_out(count=2)
    parent = rows(execution)["n0"]
    assert parent.metadata.is_parent_node and parent.metadata.is_dynamic
    data = remote.client.get_node_execution_data(NodeExecutionIdentifier("n0", execution.id))
    workflow = data.dynamic_workflow.compiled_workflow.primary.template
    assert workflow.id.name == "dynamic_n0"
    assert [node.id for node in workflow.nodes if node.id.startswith("dn")] == ["dn0", "dn1", "dn2", "dn3", "dn4"]
    whole = admin.GetNodeExecutionData(node_execution_pb2.NodeExecutionGetDataRequest(id=parent.id.to_flyte_idl()), timeout=20)
    assert dynamic_workflow(execution, "n0") == whole.dynamic_workflow.compiled_workflow
    with pytest.raises(grpc.RpcError) as raised:
        dynamic_workflow(execution, "n0-0-dn0")
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND and "node does not contain dynamic workflow" in raised.value.details()
    # its time: first the task that makes the nodes, then those
    below = spans(execution)["n0"]
    assert below[:3] == ["NODE_TRANSITION", "NODE_SETUP", "n0/0"] and below[-1] == "NODE_TEARDOWN"
    assert sorted(below[3:-1]) == [f"n0-0-dn{i}" for i in range(5)]
    # flytekit's own view: it finds every node in the compiled workflow
    children = execution.node_executions["n0"].subworkflow_node_executions
    assert children["n0-0-dn4"].outputs["o0"] == nodes.dynamic_fan_out(count=2) - 1


@runs("nodes.recursive", n=3)
def test_a_dynamic_task_that_calls_itself(execution, rows, spans, dynamic_workflow):
    assert execution.outputs["o0"] == nodes.recursive(n=3) == 2
    # one dynamic node below the other, each with a workflow of its own, and the time of all of them
    inner = [name for name, node in rows(execution).items() if node.metadata.is_dynamic]
    assert len(inner) > 1
    for name in inner:
        assert dynamic_workflow(execution, name).primary.template.id.name.startswith("dynamic_")
        assert f"{name}/0" in spans(execution)[name]


@runs("nodes.dynamic_refuses", x=1)
def test_a_failure_of_what_a_dynamic_task_made(execution, rows):
    assert execution.closure.phase == WorkflowExecution.FAILED
    assert "2 is not wanted" in execution.error.message
    found = phases(rows(execution))
    assert found["n0"] == "FAILED" and found["n0-0-dn0"] == "SUCCEEDED" and found["n0-0-dn1"] == "FAILED"


# ---- Launch plans ----


@runs("nodes.launching", x=3)
def test_a_launch_plan_node_runs_an_execution_of_its_own(execution, rows, remote):
    assert execution.outputs["o0"] == nodes.launching(x=3) == 9
    node = rows(execution)["n0"]
    child = remote.fetch_execution(name=node.closure.workflow_node_metadata.execution_id.name)
    assert child.id.name == f"{execution.id.name}-n0-0" or child.id.name.startswith("f")
    assert child.spec.metadata.mode == 4 and child.spec.metadata.nesting == 1
    assert child.closure.phase == WorkflowExecution.SUCCEEDED
    assert execution.node_executions["n0"].workflow_executions[0].outputs["high"] == nodes.inner(x=3).high


@runs("nodes.launching_refusal", x=1)
def test_a_child_that_fails(execution):
    assert execution.closure.phase == WorkflowExecution.FAILED
    assert "2 is not wanted" in execution.error.message


def test_aborting_a_parent_aborts_its_child(start, remote, rows):
    execution = start("launching", x=3)
    deadline = time.monotonic() + 120
    metadata = None
    while metadata is None and time.monotonic() < deadline:
        found = rows(execution).get("n0")
        metadata = found and found.closure.workflow_node_metadata
        time.sleep(0.2)
    remote.terminate(execution, "no longer wanted")
    assert wait_for_end(remote, execution).closure.phase == WorkflowExecution.ABORTED
    child = wait_for_end(remote, remote.fetch_execution(name=metadata.execution_id.name))
    assert child.closure.phase == WorkflowExecution.ABORTED
    assert child.closure.abort_metadata.cause.startswith("cascading abort as parent execution id [")
    assert "no longer wanted" in child.closure.abort_metadata.cause


# ---- Deadlines ----


@runs("nodes.too_long")
def test_nodes_that_contain_others_have_deadlines(execution, rows, remote):
    assert execution.closure.phase == WorkflowExecution.FAILED
    found = rows(execution)
    assert phases(found) == {"n0": "FAILED", "n0-0-n0": "ABORTED", "n0-1-n0": "ABORTED", "n1": "FAILED"}
    for node, attempts in ("n0", "2/2"), ("n1", "1/1"):
        error = found[node].closure.error
        assert error.code == "RetriesExhausted|TimeoutExpired"
        assert error.message == f"[{attempts}] currentAttempt done. Last Error: USER::task execution timeout [1s] expired"
    child = wait_for_end(remote, remote.fetch_execution(name=found["n1"].closure.workflow_node_metadata.execution_id.name))
    assert child.closure.phase == WorkflowExecution.ABORTED
