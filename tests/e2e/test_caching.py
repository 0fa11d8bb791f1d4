"""The cache of task outputs, by the stock client: what a task has put out once is there for whoever asks for the same."""

import uuid

import pytest
from flyteidl.core.catalog_pb2 import CatalogCacheStatus
from flyteidl.core.execution_pb2 import TaskExecution, WorkflowExecution


@pytest.fixture
def key():
    return uuid.uuid4().hex


@pytest.fixture
def launch_cached(remote, version):
    def start(workflow, inputs, **options):
        plan = remote.fetch_launch_plan(name=f"workflows.caching.{workflow}", version=version)
        return remote.execute(plan, inputs=inputs, wait=False, **options)

    return start


@pytest.fixture
def run(launch_cached, finish):
    def run(workflow, inputs, **options):
        execution = finish(launch_cached(workflow, inputs, **options))
        assert execution.closure.phase == WorkflowExecution.SUCCEEDED, execution.error
        return execution

    return run



def raw_node(sandbox, remote, execution, node="n0"):
    import grpc
    from flyteidl.admin import node_execution_pb2
    from flyteidl.service import admin_pb2_grpc

    with grpc.insecure_channel(sandbox.endpoint("grpc")) as channel:
        return admin_pb2_grpc.AdminServiceStub(channel).GetNodeExecution(
            node_execution_pb2.NodeExecutionGetRequest(id=execution.node_executions[node].id.to_flyte_idl())
        )


def cache_of(sandbox, remote, execution, node="n0"):
    return raw_node(sandbox, remote, execution, node).closure.task_node_metadata


def test_the_second_execution_finds_the_first_ones_result(sandbox, remote, run, key):
    first = run("cached", {"key": key})
    second = run("cached", {"key": key})
    assert second.outputs["o0"] == first.outputs["o0"]
    assert len(first.node_executions["n0"].task_executions) == 1
    assert second.node_executions["n0"].task_executions == []  # no task ran
    populated, hit = cache_of(sandbox, remote, first), cache_of(sandbox, remote, second)
    assert populated.cache_status == CatalogCacheStatus.CACHE_POPULATED
    assert hit.cache_status == CatalogCacheStatus.CACHE_HIT
    assert hit.catalog_key.dataset_id == populated.catalog_key.dataset_id
    assert hit.catalog_key.dataset_id.name == "flyte_task-workflows.caching.stamp"
    assert hit.catalog_key.dataset_id.version.startswith("1.0-")
    assert hit.catalog_key.artifact_tag == populated.catalog_key.artifact_tag
    assert hit.catalog_key.artifact_tag.name.startswith("flyte_cached-")
    source = hit.catalog_key.source_task_execution
    assert source.node_execution_id == first.node_executions["n0"].id.to_flyte_idl()
    assert source.task_id == first.node_executions["n0"].task_executions[0].id.task_id.to_flyte_idl()
    # Its own copy: the execution's directory is complete.
    assert second.id.name in raw_node(sandbox, remote, second).closure.output_uri

    assert run("cached", {"key": key + "x"}).outputs["o0"] != first.outputs["o0"]
    # The next node gets it as if the task had run.
    assert run("cached_in_between", {"key": key}).outputs["o0"] == f"hello {first.outputs['o0']}"


def test_ignored_inputs(run, key):
    first = run("ignoring", {"key": key, "note": "a"})
    assert run("ignoring", {"key": key, "note": "b"}).outputs["o0"] == first.outputs["o0"]
    assert run("ignoring", {"key": key + "x", "note": "a"}).outputs["o0"] != first.outputs["o0"]


def test_overwriting(sandbox, remote, run, key):
    first = run("cached", {"key": key})
    second = run("cached", {"key": key}, overwrite_cache=True)
    assert second.outputs["o0"] != first.outputs["o0"]
    assert cache_of(sandbox, remote, second).cache_status == CatalogCacheStatus.CACHE_POPULATED
    third = run("cached", {"key": key})
    assert third.outputs["o0"] == second.outputs["o0"]
    source = cache_of(sandbox, remote, third).catalog_key.source_task_execution
    assert source.node_execution_id.execution_id.name == second.id.name


def test_node_overrides(sandbox, remote, run, key):
    stamped = run("cached", {"key": key}).outputs["o0"]
    first = run("overridden", {"key": key})
    second = run("overridden", {"key": key})
    assert first.outputs["o0"] != stamped  # another cache version
    assert first.outputs["o0"] == second.outputs["o0"]
    assert len({stamped, first.outputs["o1"], second.outputs["o1"]}) == 3  # not cached
    assert cache_of(sandbox, remote, second, "n1").cache_status == CatalogCacheStatus.CACHE_DISABLED


def test_hashes_of_literals(remote, run, key):
    first = run("by_hash", {"key": key, "noise": "a"})
    second = run("by_hash", {"key": key, "noise": "b"})
    assert second.outputs["o0"] == first.outputs["o0"]  # another file with the same first line
    assert run("by_hash", {"key": key + "x", "noise": "a"}).outputs["o0"] != first.outputs["o0"]


def test_elements_of_a_map(run, key):
    first = run("cached_map", {"keys": [f"{key}a", f"{key}b"]})
    second = run("cached_map", {"keys": [f"{key}b", f"{key}c"]})
    assert second.outputs["o0"][0] == first.outputs["o0"][1]
    assert second.outputs["o0"][1] not in first.outputs["o0"]
    resources = second.node_executions["n0"].task_executions[0].closure.metadata.external_resources
    assert sorted((r.index, r.cache_status) for r in resources) == [(0, CatalogCacheStatus.CACHE_HIT), (1, CatalogCacheStatus.CACHE_POPULATED)]


def test_two_at_once_run_one(sandbox, remote, launch_cached, finish, key):
    executions = [launch_cached("serialized", {"key": key}) for _ in range(3)]
    executions = [finish(e) for e in executions]
    assert [e.closure.phase for e in executions] == [WorkflowExecution.SUCCEEDED] * 3
    assert len({e.outputs["o0"] for e in executions}) == 1
    assert sorted(len(e.node_executions["n0"].task_executions) for e in executions) == [0, 0, 1]
    statuses = sorted(cache_of(sandbox, remote, e).cache_status for e in executions)
    assert statuses == [CatalogCacheStatus.CACHE_HIT, CatalogCacheStatus.CACHE_HIT, CatalogCacheStatus.CACHE_POPULATED]


def test_who_waits_runs_when_the_first_fails_or_is_aborted(remote, launch_cached, finish, key):
    executions = [launch_cached("serialized_failure", {"key": key}) for _ in range(2)]
    executions = [finish(e) for e in executions]
    assert [e.closure.phase for e in executions] == [WorkflowExecution.FAILED] * 2
    ran = [e.node_executions["n0"].task_executions[0].closure for e in executions]
    assert [c.phase for c in ran] == [TaskExecution.FAILED] * 2
    first, second = sorted(ran, key=lambda c: c.created_at)
    assert second.created_at >= first.created_at + first.duration  # one after the other

    aborted = launch_cached("serialized", {"key": key})
    waiting = launch_cached("serialized", {"key": key})
    remote.terminate(aborted, "changed my mind")
    assert finish(waiting).closure.phase == WorkflowExecution.SUCCEEDED
