"""DataCatalog over gRPC, on the tables of the engine's cache: what a task has put out is found there, and a client's reservation is respected."""

import time
import uuid

import grpc
import pytest
from flyteidl.admin import node_execution_pb2
from flyteidl.core.catalog_pb2 import CatalogCacheStatus
from flyteidl.core.execution_pb2 import WorkflowExecution
from flyteidl.datacatalog import datacatalog_pb2, datacatalog_pb2_grpc
from flyteidl.service import admin_pb2_grpc

from ahead import runs

KEY = uuid.uuid4().hex


@pytest.fixture
def channel(sandbox):
    with grpc.insecure_channel(sandbox.endpoint("grpc")) as channel:
        yield channel


@pytest.fixture
def catalog(channel):
    return datacatalog_pb2_grpc.DataCatalogStub(channel)


def catalog_key_of(channel, execution):
    node = admin_pb2_grpc.AdminServiceStub(channel).GetNodeExecution(
        node_execution_pb2.NodeExecutionGetRequest(id=execution.node_executions["n0"].id.to_flyte_idl())
    )
    return node.closure.task_node_metadata


@runs("caching.cached", key=KEY)
def test_what_a_task_has_put_out_is_an_artifact(channel, catalog, execution):
    key = catalog_key_of(channel, execution).catalog_key
    dataset = datacatalog_pb2.DatasetID(
        project=key.dataset_id.project, domain=key.dataset_id.domain, name=key.dataset_id.name, version=key.dataset_id.version
    )
    artifact = catalog.GetArtifact(datacatalog_pb2.GetArtifactRequest(dataset=dataset, tag_name=key.artifact_tag.name)).artifact
    assert artifact.id == key.artifact_tag.artifact_id
    assert [(d.name, d.value.scalar.primitive.string_value) for d in artifact.data] == [("o0", execution.outputs["o0"])]
    assert artifact.metadata.key_map["execution-name"] == execution.id.name
    assert [t.name for t in artifact.tags] == [key.artifact_tag.name]


@runs("caching.serialized", key=KEY)
def test_a_task_waits_for_a_clients_reservation(remote, channel, catalog, version, execution, finish):
    first = execution
    key = catalog_key_of(channel, first).catalog_key
    reservation = datacatalog_pb2.ReservationID(
        dataset_id=datacatalog_pb2.DatasetID(
            project=key.dataset_id.project, domain=key.dataset_id.domain, name=key.dataset_id.name, version=key.dataset_id.version
        ),
        tag_name=key.artifact_tag.name,
    )

    def hold():
        request = datacatalog_pb2.GetOrExtendReservationRequest(reservation_id=reservation, owner_id="a client")
        return catalog.GetOrExtendReservation(request).reservation.owner_id

    assert hold() == "a client"
    # Overwriting does not look, but takes its turn like everybody else.
    plan = remote.fetch_launch_plan(name="workflows.caching.serialized", version=version)
    second = remote.execute(plan, inputs={"key": KEY}, wait=False, overwrite_cache=True)
    deadline = time.monotonic() + 60
    while not any(n.id.node_id == "n0" for n in remote.client.list_node_executions(second.id, limit=10)[0]):
        assert time.monotonic() < deadline, "n0 was not queued"
        assert hold() == "a client"
        time.sleep(0.5)
    assert hold() == "a client"
    assert remote.sync_execution(remote.fetch_execution(name=second.id.name), sync_nodes=True).node_executions["n0"].task_executions == []
    catalog.ReleaseReservation(datacatalog_pb2.ReleaseReservationRequest(reservation_id=reservation, owner_id="a client"))
    second = finish(second)
    assert second.closure.phase == WorkflowExecution.SUCCEEDED
    assert catalog_key_of(channel, second).cache_status == CatalogCacheStatus.CACHE_POPULATED
    assert second.outputs["o0"] != first.outputs["o0"]
