"""A workflow whose second half fails until an object exists, and which leaves traces of each run."""

import typing
import uuid

from flytekit import FlyteContextManager, current_context, task, workflow


@task
def first(key: str) -> str:
    return uuid.uuid4().hex


@task
def inner(text: str) -> str:
    return f"{text}:{uuid.uuid4().hex}"


@task
def fails_until(text: str, flag: str) -> str:
    checkpoint = current_context().checkpoint
    earlier = checkpoint.read()
    checkpoint.write(b"left by the one before")
    if not FlyteContextManager.current_context().file_access.exists(flag):
        raise ValueError("not yet")
    return f"{text} {earlier.decode() if earlier else 'nothing'}"


@workflow
def inside(text: str, flag: str) -> typing.Tuple[str, str]:
    made = inner(text=text)
    return made, fails_until(text=made, flag=flag)


@workflow
def recoverable(key: str, flag: str) -> typing.Tuple[str, str, str]:
    made = first(key=key)
    stamped, told = inside(text=made, flag=flag)
    return made, stamped, told
