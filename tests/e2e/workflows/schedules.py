"""Launch plans that start by themselves, which need no pod, and one that may only run once at a time."""

import datetime
import time

from flytekit import ConcurrencyLimitBehavior, ConcurrencyPolicy, CronSchedule, FixedRate, LaunchPlan, task, workflow
from flytekit.core.task import Echo

same_time = Echo(name="workflows.schedules.same_time", inputs={"at": datetime.datetime})
same_number = Echo(name="workflows.schedules.same_number", inputs={"number": int})


@workflow
def told(at: datetime.datetime) -> datetime.datetime:
    return same_time(at=at)


@workflow
def answered() -> int:
    return same_number(number=42)


@task
def sleep(seconds: int):
    time.sleep(seconds)


@workflow
def sleepy(seconds: int = 20):
    sleep(seconds=seconds)


every_minute = LaunchPlan.get_or_create(told, "every_minute", schedule=CronSchedule(schedule="* * * * *", kickoff_time_input_arg="at"))
once_a_minute = LaunchPlan.get_or_create(answered, "once_a_minute", schedule=FixedRate(duration=datetime.timedelta(minutes=1)))
one_at_a_time = LaunchPlan.get_or_create(
    sleepy, "one_at_a_time", concurrency=ConcurrencyPolicy(max_concurrency=1, behavior=ConcurrencyLimitBehavior.SKIP)
)
