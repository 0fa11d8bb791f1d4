"""Workflows whose nodes contain or wait for something: sub-workflows, branches, gates, failure nodes, dynamic tasks, launch plans."""

import datetime
import typing

from flytekit import LaunchPlan, WorkflowFailurePolicy, approve, conditional, dynamic, sleep, task, wait_for_input, workflow
from flytekit.types.error import FlyteError


@task
def increment(x: int) -> int:
    return x + 1


@task
def double(x: int) -> int:
    return 2 * x


@task
def flip(x: int) -> bool:
    return x % 2 == 0


@task
def refuse(x: int) -> int:
    if x < 1000:
        raise ValueError(f"{x} is not wanted")
    return x


@task
def say(text: str) -> str:
    return f"<{text}>"


# ---- Sub-workflows ----


Pair = typing.NamedTuple("Pair", [("low", int), ("high", int)])


@workflow
def inner(x: int) -> Pair:
    low = increment(x=x)
    return Pair(low=low, high=double(x=low))


@workflow
def middle(x: int) -> Pair:
    first = inner(x=x)
    return Pair(low=first.high, high=inner(x=first.low).high)


@workflow
def nested(x: int = 3) -> int:
    pair = middle(x=x)
    return increment(x=pair.high)


@workflow
def inner_refuses(x: int) -> int:
    return refuse(x=increment(x=x))


@workflow
def nested_refuses(x: int = 1) -> int:
    return increment(x=inner_refuses(x=x))


@workflow(failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
def inner_goes_on(x: int) -> int:
    refuse(x=x)
    return double(x=increment(x=x))


@workflow
def sub_workflow_goes_on(x: int = 1) -> int:
    return inner_goes_on(x=x)


# ---- Branches ----


@workflow
def higher(x: int) -> int:
    return inner(x=x).high


@workflow
def choose(x: int, y: float) -> int:
    return (
        conditional("choose")
        .if_((x > 10) & (y <= 0.5))
        .then(double(x=x))
        .elif_((x == 3) | (y > 7.0))
        .then(increment(x=x))
        .else_()
        .then(higher(x=x))
    )


@workflow
def choose_then_use(x: int = 12, y: float = 0.1) -> int:
    return increment(x=choose(x=x, y=y))


@workflow
def choose_by_task(x: int = 4) -> int:
    even = flip(x=x)
    chosen = conditional("even").if_(even.is_true()).then(double(x=x)).else_().then(increment(x=x))
    return increment(x=chosen)


@workflow
def choose_in_choice(x: int = 4) -> int:
    even = flip(x=x)
    return (
        conditional("outer")
        .if_(even.is_true())
        .then(conditional("inner").if_(x > 100).then(double(x=x)).else_().then(increment(x=x)))
        .else_()
        .then(double(x=x))
    )


@workflow
def choose_or_fail(x: int = 4) -> int:
    return conditional("or fail").if_(x < 3).then(double(x=x)).else_().fail("x has to be small")


# ---- Failure nodes ----


@task
def clean_up(x: int, err: typing.Optional[FlyteError] = None) -> None:
    print(f"CLEANED UP {x}: {err.message if err else None} in {err.failed_node_id if err else None}")


@workflow(on_failure=clean_up)
def cleaned_up(x: int = 8) -> int:
    return refuse(x=increment(x=x))


@workflow
def cleaned_up_within(x: int = 8) -> int:
    return increment(x=cleaned_up(x=x))


# ---- Gates ----


@workflow
def gated(x: int = 2) -> str:
    approved = approve(increment(x=x), "go-on", timeout=datetime.timedelta(hours=1))
    title = wait_for_input("title", timeout=datetime.timedelta(hours=1), expected_type=str)
    approved >> title
    return say(text=title)


@workflow
def impatient() -> str:
    return say(text=wait_for_input("never", timeout=datetime.timedelta(seconds=2), expected_type=str))


@workflow
def sleeping(x: int = 2) -> int:
    pause = sleep(datetime.timedelta(seconds=3))
    result = increment(x=x)
    pause >> result
    return result


# ---- Dynamic tasks ----


@task
def add(values: typing.List[int]) -> int:
    return sum(values)


@dynamic
def fan_out(count: int) -> int:
    return add(values=[double(x=inner(x=i).low) for i in range(count)])


@workflow
def dynamic_fan_out(count: int = 3) -> int:
    return increment(x=fan_out(count=count))


@dynamic
def fibonacci(n: int) -> int:
    if n < 2:
        return n
    return add(values=[fibonacci(n=n - 1), fibonacci(n=n - 2)])


@workflow
def recursive(n: int = 3) -> int:
    return fibonacci(n=n)


@dynamic
def makes_refusal(x: int) -> int:
    return refuse(x=increment(x=x))


@workflow
def dynamic_refuses(x: int = 1) -> int:
    return makes_refusal(x=x)


# ---- Launch plans ----


inner_plan = LaunchPlan.get_or_create(inner, "workflows.nodes.inner_plan", default_inputs={"x": 20})
refusing_plan = LaunchPlan.get_or_create(inner_refuses, "workflows.nodes.refusing_plan")


@workflow
def launching(x: int = 3) -> int:
    return increment(x=inner_plan(x=x).high)


@workflow
def launching_refusal(x: int = 1) -> int:
    return refusing_plan(x=x)


# ---- Deadlines ----


@workflow
def nap(x: int) -> None:
    sleep(datetime.timedelta(hours=1))


nap_plan = LaunchPlan.get_or_create(nap, name="workflows.nodes.nap_plan")


@workflow(failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
def too_long(x: int = 1) -> None:
    nap(x=x).with_overrides(timeout=datetime.timedelta(seconds=1), retries=1)
    nap_plan(x=x).with_overrides(timeout=datetime.timedelta(seconds=1))
