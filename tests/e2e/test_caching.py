"""The cache of task outputs, by the stock client: what a task has put out once is there for whoever asks for the same."""

import uuid

import pytest
from flyteidl.core.catalog_pb2 import CatalogCacheStatus
from flyteidl.core.execution_pb2 import TaskExecution, WorkflowExecution

from ahead import runs, starts

KEY = uuid.uuid4().hex


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


@runs("caching.cached", key=KEY)
@runs("caching.cached", key=f"{KEY} other")
def test_the_second_execution_finds_the_first_ones_result(sandbox, remote, run, executions):
    first, other = executions
    second = run("cached", {"key": KEY})
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

    assert other.closure.phase == WorkflowExecution.SUCCEEDED
    assert other.outputs["o0"] != first.outputs["o0"]
    # The next node gets it as if the task had run.
    assert run("cached_in_between", {"key": KEY}).outputs["o0"] == f"hello {first.outputs['o0']}"


@runs("caching.ignoring", key=KEY, note="a")
@runs("caching.ignoring", key=f"{KEY} other", note="a")
def test_ignored_inputs(run, executions):
    first, other = executions
    assert run("ignoring", {"key": KEY, "note": "b"}).outputs["o0"] == first.outputs["o0"]
    assert other.closure.phase == WorkflowExecution.SUCCEEDED
    assert other.outputs["o0"] != first.outputs["o0"]


@runs("caching.cached", key=f"{KEY} overwritten")
def test_overwriting(sandbox, remote, run, execution):
    key, first = f"{KEY} overwritten", execution
    second = run("cached", {"key": key}, overwrite_cache=True)
    assert second.outputs["o0"] != first.outputs["o0"]
    assert cache_of(sandbox, remote, second).cache_status == CatalogCacheStatus.CACHE_POPULATED
    third = run("cached", {"key": key})
    assert third.outputs["o0"] == second.outputs["o0"]
    source = cache_of(sandbox, remote, third).catalog_key.source_task_execution
    assert source.node_execution_id.execution_id.name == second.id.name


@runs("caching.cached", key=KEY)
@runs("caching.overridden", key=KEY)
def test_node_overrides(sandbox, remote, run, executions):
    stamped, first = executions[0].outputs["o0"], executions[1]
    assert first.closure.phase == WorkflowExecution.SUCCEEDED
    second = run("overridden", {"key": KEY})
    assert first.outputs["o0"] != stamped  # another cache version
    assert first.outputs["o0"] == second.outputs["o0"]
    assert len({stamped, first.outputs["o1"], second.outputs["o1"]}) == 3  # not cached
    assert cache_of(sandbox, remote, second, "n1").cache_status == CatalogCacheStatus.CACHE_DISABLED


@runs("caching.by_hash", key=KEY, noise="a")
@runs("caching.by_hash", key=f"{KEY} other", noise="a")
def test_hashes_of_literals(run, executions):
    first, other = executions
    second = run("by_hash", {"key": KEY, "noise": "b"})
    assert second.outputs["o0"] == first.outputs["o0"]  # another file with the same first line
    assert other.closure.phase == WorkflowExecution.SUCCEEDED
    assert other.outputs["o0"] != first.outputs["o0"]


@runs("caching.cached_map", keys=[f"{KEY} a", f"{KEY} b"])
def test_elements_of_a_map(run, execution):
    first = execution
    second = run("cached_map", {"keys": [f"{KEY} b", f"{KEY} c"]})
    assert second.outputs["o0"][0] == first.outputs["o0"][1]
    assert second.outputs["o0"][1] not in first.outputs["o0"]
    resources = second.node_executions["n0"].task_executions[0].closure.metadata.external_resources
    assert sorted((r.index, r.cache_status) for r in resources) == [(0, CatalogCacheStatus.CACHE_HIT), (1, CatalogCacheStatus.CACHE_POPULATED)]


@starts("caching.serialized", key=KEY)
@starts("caching.serialized", key=KEY)
@starts("caching.serialized", key=KEY)
def test_two_at_once_run_one(sandbox, remote, all_started, finish):
    executions = [finish(e) for e in all_started]
    assert [e.closure.phase for e in executions] == [WorkflowExecution.SUCCEEDED] * 3
    assert len({e.outputs["o0"] for e in executions}) == 1
    assert sorted(len(e.node_executions["n0"].task_executions) for e in executions) == [0, 0, 1]
    statuses = sorted(cache_of(sandbox, remote, e).cache_status for e in executions)
    assert statuses == [CatalogCacheStatus.CACHE_HIT, CatalogCacheStatus.CACHE_HIT, CatalogCacheStatus.CACHE_POPULATED]


@starts("caching.serialized_failure", key=KEY)
@starts("caching.serialized_failure", key=KEY)
def test_who_waits_runs_when_the_first_fails_or_is_aborted(remote, all_started, launch_cached, finish):
    aborted = launch_cached("serialized", {"key": f"{KEY} aborted"})
    waiting = launch_cached("serialized", {"key": f"{KEY} aborted"})
    remote.terminate(aborted, "changed my mind")
    executions = [finish(e) for e in all_started]
    assert [e.closure.phase for e in executions] == [WorkflowExecution.FAILED] * 2
    ran = [e.node_executions["n0"].task_executions[0].closure for e in executions]
    assert [c.phase for c in ran] == [TaskExecution.FAILED] * 2
    first, second = sorted(ran, key=lambda c: c.created_at)
    assert second.created_at >= first.created_at + first.duration  # one after the other
    assert finish(waiting).closure.phase == WorkflowExecution.SUCCEEDED
