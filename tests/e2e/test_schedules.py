"""Schedules and concurrency limits of launch plans, by the stock client. Schedules are activated before all other tests, and what they have started
is looked at in between: minutes pass anyway."""

import datetime
import time
import types

import pytest
from flyteidl.admin import common_pb2
from flyteidl.core.execution_pb2 import WorkflowExecution
from flytekit.exceptions.user import FlyteEntityAlreadyExistsException
from flytekit.models.execution import ExecutionMetadata, ExecutionSpec
from flytekit.models.filters import Equal
from flytekit.models.launch_plan import LaunchPlanState
from flytekit.models.literals import LiteralMap

DEADLINE = 150


def set_state(remote, name, version, state):
    plan = remote.fetch_launch_plan(name=name, version=version)
    remote.client.update_launch_plan(plan.id, state)
    return plan


def executions_of(remote, plan):
    """Those that its schedule has started, oldest first."""
    found, _ = remote.client.list_executions_paginated(
        plan.id.project, plan.id.domain, limit=100, filters=[Equal("launch_plan.name", plan.id.name), Equal("launch_plan.version", plan.id.version)]
    )
    return sorted(found, key=scheduled_at)


def scheduled_at(execution):
    """The client leaves out that it is UTC."""
    return execution.spec.metadata.scheduled_at.replace(tzinfo=datetime.timezone.utc)


@pytest.fixture(scope="session")
def active(remote, version):
    """Two launch plans with a schedule, since when they are active; they are not in the end, whatever happens."""
    at = datetime.datetime.now(datetime.timezone.utc)
    cron, rate = [set_state(remote, name, version, LaunchPlanState.ACTIVE) for name in ("every_minute", "once_a_minute")]
    yield types.SimpleNamespace(at=at, cron=cron, rate=rate)
    for plan in (cron, rate):
        remote.client.update_launch_plan(plan.id, LaunchPlanState.INACTIVE)


@pytest.fixture(scope="session")
def deactivated(remote, active):
    """They have started something, and start nothing any more: since when, and how many executions there are."""
    deadline = time.monotonic() + DEADLINE
    while not (executions_of(remote, active.cron) and executions_of(remote, active.rate)):
        assert time.monotonic() < deadline, "no tick of both schedules came"
        time.sleep(1)
    for plan in (active.cron, active.rate):
        remote.client.update_launch_plan(plan.id, LaunchPlanState.INACTIVE)
    return types.SimpleNamespace(at=time.monotonic(), counts=[len(executions_of(remote, plan)) for plan in (active.cron, active.rate)])


@pytest.mark.first
def test_schedules_are_activated(remote, active):
    for plan in (active.cron, active.rate):
        # flytekit's own get_launch_plan remembers what it has seen before.
        found = remote.client._stub.GetLaunchPlan(common_pb2.ObjectGetRequest(id=plan.id.to_flyte_idl()), timeout=20)
        assert found.closure.state == LaunchPlanState.ACTIVE


def test_each_minute_once(remote, active, deactivated, finish):
    told = executions_of(remote, active.cron)
    ticks = [scheduled_at(e) for e in told]
    assert ticks[0].second == 0 and active.at < ticks[0] <= active.at + datetime.timedelta(minutes=1)
    assert [b - a for a, b in zip(ticks, ticks[1:])] == [datetime.timedelta(minutes=1)] * (len(ticks) - 1)
    assert told[0].spec.metadata.mode == ExecutionMetadata.ExecutionMode.SCHEDULED
    assert told[0].id.name.startswith("f") and len(told[0].id.name) == 20
    finished = finish(remote.fetch_execution(name=told[0].id.name))
    assert finished.outputs["o0"] == ticks[0]

    answered = executions_of(remote, active.rate)[0]
    late = scheduled_at(answered) - active.at
    assert datetime.timedelta(seconds=58) < late < datetime.timedelta(seconds=62)
    assert finish(remote.fetch_execution(name=answered.id.name)).outputs["o0"] == 42


@pytest.mark.last
def test_deactivated_schedules_rest(remote, active, deactivated):
    """Not within the next minute, which has passed with other tests where there were any."""
    time.sleep(max(0, deactivated.at + 61 - time.monotonic()))
    assert [len(executions_of(remote, plan)) for plan in (active.cron, active.rate)] == deactivated.counts


def test_one_at_a_time(remote, version, finish):
    plan = remote.fetch_launch_plan(name="one_at_a_time", version=version)
    first = remote.execute(plan, inputs={"seconds": 600}, wait=False)
    try:
        with pytest.raises(FlyteEntityAlreadyExistsException, match=r"concurrency limit \(1\) reached for launch plan one_at_a_time; skipping execution"):
            # remote.execute takes this error for its own repetition.
            spec = ExecutionSpec(plan.id, ExecutionMetadata(ExecutionMetadata.ExecutionMode.MANUAL, "", 0))
            remote.client.create_execution("flytesnacks", "development", "", spec, LiteralMap({}))
    finally:
        remote.terminate(first, "enough")
    deadline = time.monotonic() + 60
    while remote.fetch_execution(name=first.id.name).closure.phase != WorkflowExecution.ABORTED:
        assert time.monotonic() < deadline, "the execution was not aborted"
        time.sleep(0.5)
    second = finish(remote.execute(plan, inputs={"seconds": 0}, wait=False))
    assert second.closure.phase == WorkflowExecution.SUCCEEDED
