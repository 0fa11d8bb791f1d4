"""RecoverExecution with stock flytekit: what succeeded is taken over, what failed runs again and goes on from its checkpoint."""

import uuid

import grpc
import pytest
from flyteidl.admin import execution_pb2
from flyteidl.core.execution_pb2 import NodeExecution, WorkflowExecution
from flyteidl.service import admin_pb2_grpc

from ahead import runs

FLAG = f"s3://my-s3-bucket/data/{uuid.uuid4().hex}"


@pytest.fixture
def admin(sandbox):
    with grpc.insecure_channel(sandbox.endpoint("grpc")) as channel:
        yield admin_pb2_grpc.AdminServiceStub(channel)


def children_of(remote, execution, node):
    nodes, _ = remote.client.list_node_executions(execution.id, limit=100, unique_parent_id=node)
    return {n.metadata.spec_node_id or n.id.node_id: n for n in nodes}


@runs("recovering.recoverable", key="k", flag=FLAG)
def test_recovery(remote, admin, execution, finish, tmp_path):
    failed = execution
    assert failed.closure.phase == WorkflowExecution.FAILED
    assert "not yet" in failed.error.message
    made = failed.node_executions["n0"].outputs["o0"]

    path = tmp_path / "flag"
    path.write_text("now", encoding="utf-8")
    remote.file_access.put_data(str(path), FLAG)
    response = admin.RecoverExecution(execution_pb2.ExecutionRecoverRequest(id=failed.id.to_flyte_idl()))
    recovered = finish(remote.fetch_execution(name=response.id.name))
    assert recovered.closure.phase == WorkflowExecution.SUCCEEDED, recovered.error
    assert recovered.spec.metadata.mode == execution_pb2.ExecutionMetadata.RECOVERED
    assert recovered.spec.metadata.reference_execution.name == failed.id.name

    # Neither first nor inner ran again, though inner is in a sub-workflow that failed.
    assert recovered.outputs["o0"] == made
    assert recovered.outputs["o1"].startswith(made + ":")
    assert recovered.outputs["o2"] == f"{recovered.outputs['o1']} left by the one before"
    assert recovered.node_executions["n0"].closure.phase == NodeExecution.RECOVERED
    assert recovered.node_executions["n0"].task_executions == []
    # flytekit takes RECOVERED for unfinished and hides the outputs of such a node; they are there.
    data = remote.client.get_node_execution_data(recovered.node_executions["n0"].id)
    assert data.full_outputs.literals["o0"].scalar.primitive.string_value == made
    assert recovered.node_executions["n1"].closure.phase == NodeExecution.SUCCEEDED
    before, after = children_of(remote, failed, "n1"), children_of(remote, recovered, "n1")
    assert before["n0"].closure.phase == NodeExecution.SUCCEEDED
    assert after["n0"].closure.phase == NodeExecution.RECOVERED
    assert after["n1"].closure.phase == NodeExecution.SUCCEEDED

    # Once more: nothing is left to do.
    response = admin.RecoverExecution(execution_pb2.ExecutionRecoverRequest(id=recovered.id.to_flyte_idl()))
    again = finish(remote.fetch_execution(name=response.id.name))
    assert again.outputs["o2"] == recovered.outputs["o2"]
    assert again.node_executions["n1"].closure.phase == NodeExecution.RECOVERED
