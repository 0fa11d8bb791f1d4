"""The first workflow: two tasks, the second takes what the first one gives.

pyflyte run --remote examples/hello.py hello --name you
"""

from flytekit import task, workflow


@task
def greeting(name: str) -> str:
    return f"Hello, {name}!"


@task
def shout(text: str, times: int) -> str:
    return " ".join([text.upper()] * times)


@workflow
def hello(name: str = "Flyte", times: int = 2) -> str:
    return shout(text=greeting(name=name), times=times)
