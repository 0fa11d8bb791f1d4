"""Maps over launch plans. Nothing here needs a pod: the mapped workflows echo, decide or sleep."""

import datetime
import typing

from flytekit import LaunchPlan, conditional, map_task, sleep, workflow
from flytekit.core.array_node import array_node
from flytekit.core.task import Echo

same = Echo(name="workflows.launch_plan_maps.same", inputs={"x": int})
same_list = Echo(name="workflows.launch_plan_maps.same_list", inputs={"x": typing.List[int]})


@workflow
def echo(x: int) -> int:
    return same(x=x)


@workflow
def positive(x: int) -> int:
    return conditional("sign").if_(x > 0).then(same(x=x)).else_().fail("not positive")


@workflow
def long(x: int) -> None:
    sleep(datetime.timedelta(hours=1))


echo_plan = LaunchPlan.get_or_create(echo, name="workflows.launch_plan_maps.echo_plan")
positive_plan = LaunchPlan.get_or_create(positive, name="workflows.launch_plan_maps.positive_plan")
long_plan = LaunchPlan.get_or_create(long, name="workflows.launch_plan_maps.long_plan")


@workflow
def echoes(values: typing.List[int]) -> (typing.List[int], typing.List[int]):
    return map_task(echo_plan)(x=values), same_list(x=array_node(echo_plan, concurrency=1)(x=values))


@workflow
def all_positive(values: typing.List[int]) -> typing.List[int]:
    return array_node(positive_plan)(x=values)


@workflow
def one_by_one_positive(values: typing.List[int]) -> typing.List[int]:
    return array_node(positive_plan, concurrency=1)(x=values)


@workflow
def some_positive(values: typing.List[int]) -> typing.List[typing.Optional[int]]:
    return array_node(positive_plan, min_success_ratio=0.5)(x=values)


@workflow
def sleepers(values: typing.List[int]) -> None:
    array_node(long_plan)(x=values)
