"""Map tasks that the end-to-end tests run remotely and locally."""

import functools
import os
import typing

from flytekit import Resources, current_context, map_task, task, workflow
from flytekit.core.legacy_map_task import MapPythonTask
from flytekit.exceptions.user import FlyteRecoverableException

SMALL = Resources(cpu="20m")


@task(requests=SMALL)
def square(x: int) -> int:
    return x * x


@task(requests=SMALL)
def describe(x: int, unit: str) -> str:
    return f"{x} {unit}"


@task(requests=SMALL)
def scale(factors: typing.List[int], x: int) -> int:
    return x * sum(factors)


@task(requests=SMALL)
def total(values: typing.List[int]) -> int:
    return sum(values)


@task(requests=SMALL)
def join(values: typing.List[str]) -> str:
    return ", ".join(values)


@task(requests=SMALL)
def count_numbers(values: typing.List[typing.Optional[int]]) -> int:
    return sum(1 for value in values if value is not None)


@task(requests=SMALL)
def odd_only(x: int) -> int:
    if x % 2 == 0:
        raise ValueError(f"{x} is even")
    return x


@task(requests=SMALL, retries=2)
def second_time(x: int) -> int:
    """Succeeds with the first attempt that finds the mark of an earlier one."""
    checkpoint = current_context().checkpoint
    seen = checkpoint.read()
    if x % 2 and not seen:
        checkpoint.write(b"seen")
        raise FlyteRecoverableException(f"not the first time, {x}")
    return x + int(os.environ["FLYTE_ATTEMPT_NUMBER"]) * 100


@task(requests=SMALL)
def show(x: int) -> None:
    print(f"element {x}")


@task(requests=SMALL)
def pair(left: int, right: str) -> str:
    return f"{left}{right}"


@workflow
def squares(values: typing.List[int]) -> typing.List[int]:
    return map_task(square)(x=values)


@workflow
def reduced(values: typing.List[int]) -> int:
    return total(values=map_task(square)(x=values))


@workflow
def bound(values: typing.List[int], unit: str = "apples") -> str:
    return join(values=map_task(functools.partial(describe, unit=unit))(x=values))


@workflow
def bound_list(values: typing.List[int], factors: typing.List[int]) -> typing.List[int]:
    return map_task(functools.partial(scale, factors=factors))(x=values)


@workflow
def one_at_a_time(values: typing.List[int]) -> typing.List[int]:
    return map_task(square, concurrency=1)(x=values)


@workflow
def zipped(left: typing.List[int], right: typing.List[str]) -> typing.List[str]:
    return map_task(pair)(left=left, right=right)


@workflow
def some(values: typing.List[int]) -> typing.List[typing.Optional[int]]:
    return map_task(odd_only, min_success_ratio=0.5)(x=values)


@workflow
def some_counted(values: typing.List[int]) -> int:
    return count_numbers(values=map_task(odd_only, min_success_ratio=0.5)(x=values))


@workflow
def failing(values: typing.List[int]) -> typing.List[int]:
    return map_task(odd_only)(x=values)


@workflow
def retried(values: typing.List[int]) -> typing.List[int]:
    return map_task(second_time)(x=values)


@workflow
def nothing(values: typing.List[int]) -> None:
    map_task(show)(x=values)


@workflow
def chained(values: typing.List[int]) -> typing.List[int]:
    return map_task(square)(x=map_task(square)(x=values))


@workflow
def below(values: typing.List[int]) -> int:
    return reduced(values=values)


@workflow
def overridden(values: typing.List[int]) -> typing.List[int]:
    return map_task(square)(x=values).with_overrides(requests=Resources(cpu="30m", mem="300Mi"), name="my-map")


legacy_square = MapPythonTask(square, concurrency=2, min_success_ratio=1.0)


@workflow
def legacy(values: typing.List[int]) -> typing.List[int]:
    return legacy_square(x=values)
