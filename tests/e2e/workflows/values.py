"""Values of every kind on their way between nodes. One task makes them, and echoes, which need no pod, take them apart."""

import typing
from dataclasses import dataclass

from flytekit import Deck, LaunchPlan, Resources, task, workflow
from flytekit.core.array_node import array_node
from flytekit.core.task import Echo

SMALL = Resources(cpu="20m")


@dataclass
class Inner:
    number: int
    words: typing.List[str]


@dataclass
class Outer:
    inner: Inner
    table: typing.Dict[str, float]
    flags: typing.List[bool]


def echo(type):
    name = f"workflows.values.echo_{getattr(type, '__name__', str(type)).lower()}".replace("[", "_").replace("]", "").replace(", ", "_")
    return Echo(name=name.replace("typing.", ""), inputs={"x": type})


same_int = echo(int)
same_str = echo(str)
same_float = echo(float)
same_bool = echo(bool)
same_optional = Echo(name="workflows.values.echo_optional", inputs={"x": typing.Optional[int]})
same_inner = echo(Inner)


@task(requests=SMALL, enable_deck=True)
def make(x: int) -> (Outer, typing.List[str], typing.Dict[str, typing.List[int]], str):
    Deck("numbers", f"<b>made of {x}</b>")
    outer = Outer(inner=Inner(number=x, words=["a", "b"]), table={"half": x / 2}, flags=[True, False])
    return outer, ["first", "second"], {"odd": [1, 3, x]}, "large " * 500_000


@task(requests=SMALL, environment={"FLYTE_USE_OLD_DC_FORMAT": "true"})
def make_struct(x: int) -> Outer:
    return Outer(inner=Inner(number=x, words=["c", "d"]), table={"third": x / 3}, flags=[False])


@workflow
def parts(x: int) -> (int, str, float, bool, Inner, str, int, typing.Optional[int], str, str, float):
    outer, words, table, large = make(x=x)
    struct = make_struct(x=x)
    return (
        same_int(x=outer.inner.number),
        same_str(x=outer.inner.words[1]),
        same_float(x=outer.table["half"]),
        same_bool(x=outer.flags[0]),
        same_inner(x=outer.inner),
        same_str(x=words[0]),
        same_int(x=table["odd"][2]),
        same_optional(x=table["odd"][1]),
        same_str(x=large),
        same_str(x=struct.inner.words[1]),
        same_float(x=struct.table["third"]),
    )


# ---- Offloaded ----

same_text_plan_target = Echo(name="workflows.values.echo_text", inputs={"x": str})


@workflow
def echo_text(x: str) -> str:
    return same_text_plan_target(x=x)


echo_text_plan = LaunchPlan.get_or_create(echo_text, name="workflows.values.echo_text_plan")


@task(requests=SMALL)
def many(count: int) -> typing.List[str]:
    return [str(i) * 500_000 for i in range(count)]


@task(requests=SMALL)
def lengths(texts: typing.List[str]) -> typing.List[int]:
    return [len(text) for text in texts]


@workflow
def offloaded(count: int) -> (typing.List[str], str, typing.List[int]):
    texts = many(count=count)
    mapped = array_node(echo_text_plan)(x=texts)
    return mapped, same_str(x=texts[1]), lengths(texts=mapped)
