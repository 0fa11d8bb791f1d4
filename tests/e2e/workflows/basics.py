"""Workflows that the end-to-end tests run remotely and locally."""

import os
import time
import typing

from flytekit import ContainerTask, Resources, task, workflow
from flytekit.configuration import DefaultImages
from flytekit.exceptions.user import FlyteRecoverableException
from flytekit.types.file import FlyteFile


@task
def double(x: int) -> int:
    return 2 * x


@task
def describe(x: int) -> str:
    return f"the value is {x}"


@workflow
def doubling(x: int) -> int:
    return double(x=x)


@workflow
def pass_value(x: int = 21) -> str:
    return describe(x=double(x=x))


Statistics = typing.NamedTuple("Statistics", [("total", int), ("mean", float)])


@task
def measure(values: typing.List[int]) -> Statistics:
    return Statistics(total=sum(values), mean=sum(values) / len(values))


@workflow
def named_outputs(values: typing.List[int] = [1, 2, 6]) -> Statistics:
    total, mean = measure(values=values)
    return Statistics(total=total, mean=mean)


@task
def write_file(text: str) -> FlyteFile:
    path = "written.txt"
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return FlyteFile(path)


@task
def read_file(file: FlyteFile) -> str:
    with open(file, encoding="utf-8") as source:
        return source.read()[::-1]


@workflow
def through_file(text: str = "abc") -> typing.Tuple[str, FlyteFile]:
    file = write_file(text=text)
    return read_file(file=file), file


@workflow
def read_given_file(file: FlyteFile) -> str:
    return read_file(file=file)


@task
def raise_error(x: int) -> int:
    if x > 0:
        raise ValueError(f"no such number: {x}")
    return x


@workflow
def failing(x: int = 7) -> str:
    return describe(x=raise_error(x=x))


@task(retries=2)
def succeed_on_last_attempt() -> int:
    attempt = int(os.environ["FLYTE_ATTEMPT_NUMBER"])
    if attempt < 2:
        raise FlyteRecoverableException(f"attempt {attempt}")
    return attempt


@workflow
def retrying() -> int:
    return succeed_on_last_attempt()


@task(retries=1)
def always_recoverable() -> int:
    if os.environ:
        raise FlyteRecoverableException("again and again")
    return 0


@workflow
def retries_exhausted() -> int:
    return always_recoverable()


@task(requests=Resources(mem="100Mi"), limits=Resources(mem="200Mi"))
def eat_memory() -> int:
    hoard = []
    for _ in range(100):
        hoard.append(bytearray(20 * 1024 * 1024))
    return len(hoard)


@workflow
def out_of_memory() -> int:
    return eat_memory()


@task
def wait(seconds: int) -> int:
    time.sleep(seconds)
    return seconds


@workflow
def waiting(seconds: int = 600) -> str:
    return describe(x=wait(seconds=seconds))


@workflow
def diamond(x: int = 1) -> typing.Tuple[int, int]:
    a = double(x=x)
    b = double(x=a)
    c = double(x=a)
    return b, c


@task
def cluster_services() -> typing.Dict[str, str]:
    """What a pod sees by name: the API and the object store behind ClusterIP Services, found through cluster DNS."""
    import urllib.request

    from flytekit.configuration import Config
    from flytekit.remote import FlyteRemote

    health = urllib.request.urlopen("http://flyte-sandbox-http.flyte:8088/healthcheck", timeout=10).status
    executions = FlyteRemote(Config.for_endpoint("flyte-sandbox-grpc.flyte:8089", insecure=True), "flytesnacks", "development").client
    found, _ = executions.list_projects_paginated(limit=10)
    minio = urllib.request.urlopen("http://flyte-sandbox-minio.flyte:9000/minio/health/live", timeout=10).status
    return {"health": str(health), "projects": ",".join(p.id for p in found), "minio": str(minio)}


@workflow
def in_cluster() -> typing.Dict[str, str]:
    return cluster_services()


true_task = ContainerTask(name="true", image=DefaultImages.default_image(), command=["true"])


@workflow
def raw_container():
    true_task()
