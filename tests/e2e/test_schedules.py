"""Schedules and concurrency limits of launch plans, by the stock client."""

import datetime
import time

import pytest
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


@pytest.fixture
def active(remote, version):
    """Activates launch plans, and deactivates them in the end, whatever happens."""
    names = []

    def activate(name):
        names.append(name)
        return set_state(remote, name, version, LaunchPlanState.ACTIVE)

    yield activate
    for name in names:
        set_state(remote, name, version, LaunchPlanState.INACTIVE)


def test_each_minute_once(remote, version, active, finish):
    activated_at = datetime.datetime.now(datetime.timezone.utc)
    cron, rate = active("every_minute"), active("once_a_minute")
    deadline = time.monotonic() + DEADLINE
    while not (executions_of(remote, cron) and executions_of(remote, rate)):
        assert time.monotonic() < deadline, "no tick of both schedules came"
        time.sleep(1)
    for name in ("every_minute", "once_a_minute"):
        set_state(remote, name, version, LaunchPlanState.INACTIVE)

    told = executions_of(remote, cron)
    ticks = [scheduled_at(e) for e in told]
    assert ticks[0].second == 0 and activated_at < ticks[0] <= activated_at + datetime.timedelta(minutes=1)
    assert [b - a for a, b in zip(ticks, ticks[1:])] == [datetime.timedelta(minutes=1)] * (len(ticks) - 1)
    assert told[0].spec.metadata.mode == ExecutionMetadata.ExecutionMode.SCHEDULED
    assert told[0].id.name.startswith("f") and len(told[0].id.name) == 20
    finished = finish(remote.fetch_execution(name=told[0].id.name))
    assert finished.outputs["o0"] == ticks[0].isoformat()

    answered = executions_of(remote, rate)[0]
    late = scheduled_at(answered) - activated_at
    assert datetime.timedelta(seconds=58) < late < datetime.timedelta(seconds=62)
    assert finish(remote.fetch_execution(name=answered.id.name)).outputs["o0"] == 42

    # Deactivated: the next minute brings none.
    counts = len(executions_of(remote, cron)), len(executions_of(remote, rate))
    time.sleep(61)
    assert (len(executions_of(remote, cron)), len(executions_of(remote, rate))) == counts


def test_one_at_a_time(remote, version):
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
    second = remote.execute(plan, inputs={"seconds": 0}, wait=True)
    assert second.closure.phase == WorkflowExecution.SUCCEEDED
