"""Cached tasks. Each leaves what only a run of its own can: a new random text, or the time."""

import time
import typing
import uuid

from typing_extensions import Annotated

from flytekit import Cache, HashMethod, map_task, task, workflow
from flytekit.types.file import FlyteFile


@task(cache=True, cache_version="1.0")
def stamp(key: str) -> str:
    return uuid.uuid4().hex


@workflow
def cached(key: str) -> str:
    return stamp(key=key)


@task
def greet(name: str) -> str:
    return f"hello {name}"


@workflow
def cached_in_between(key: str) -> str:
    return greet(name=stamp(key=key))


@task(cache=Cache(version="1.0", ignored_inputs=("note",)))
def stamp_ignoring(key: str, note: str) -> str:
    return uuid.uuid4().hex


@workflow
def ignoring(key: str, note: str) -> str:
    return stamp_ignoring(key=key, note=note)


@task(cache=True, cache_serialize=True, cache_version="1.0")
def slow_stamp(key: str) -> str:
    time.sleep(2)
    return uuid.uuid4().hex


@workflow
def serialized(key: str) -> str:
    return slow_stamp(key=key)


@task(cache=True, cache_serialize=True, cache_version="1.0")
def slow_failure(key: str) -> str:
    time.sleep(1)
    if key:
        raise ValueError("no stamp today")
    return key


@workflow
def serialized_failure(key: str) -> str:
    return slow_failure(key=key)


@workflow
def overridden(key: str) -> typing.Tuple[str, str]:
    return stamp(key=key).with_overrides(cache=True, cache_version="2.0"), stamp(key=key).with_overrides(cache=False)


def first_line(file: FlyteFile) -> str:
    with open(file, encoding="utf-8") as source:
        return source.readline()


@task
def write(text: str, noise: str) -> Annotated[FlyteFile, HashMethod(first_line)]:
    with open("written.txt", "w", encoding="utf-8") as out:
        out.write(f"{text}\n{noise}\n")
    return FlyteFile("written.txt")


@task(cache=True, cache_version="1.0")
def stamp_file(file: FlyteFile) -> str:
    return uuid.uuid4().hex


@workflow
def by_hash(key: str, noise: str) -> str:
    return stamp_file(file=write(text=key, noise=noise))


@workflow
def cached_map(keys: typing.List[str]) -> typing.List[str]:
    return map_task(stamp)(key=keys)
