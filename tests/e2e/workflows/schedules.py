"""Launch plans that start by themselves, and one that may only run once at a time."""

import datetime
import time

from flytekit import ConcurrencyLimitBehavior, ConcurrencyPolicy, CronSchedule, FixedRate, LaunchPlan, task, workflow


@task
def tell(at: datetime.datetime) -> str:
    return at.isoformat()


@workflow
def told(at: datetime.datetime) -> str:
    return tell(at=at)


@task
def answer() -> int:
    return 42


@workflow
def answered() -> int:
    return answer()


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
