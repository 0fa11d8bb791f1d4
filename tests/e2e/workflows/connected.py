"""Tasks without a container, which connectors run (tests/e2e/connector)."""

from flytekit import workflow
from flytekit.core.base_task import PythonTask, TaskMetadata
from flytekit.core.interface import Interface
from flytekit.extend.backend.base_connector import AsyncConnectorExecutorMixin, SyncConnectorExecutorMixin

INTERFACE = Interface(inputs={"plan": str, "name": str}, outputs={"o0": str})


class JobTask(AsyncConnectorExecutorMixin, PythonTask):
    def __init__(self, name, **options):
        super().__init__(task_type="e2e_job", name=name, task_config=None, interface=INTERFACE, **options)

    def get_custom(self, settings):
        return {"size": "small"}


class AnswerTask(SyncConnectorExecutorMixin, PythonTask):
    def __init__(self, name, **options):
        super().__init__(task_type="e2e_answer", name=name, task_config=None, interface=INTERFACE, **options)


class UnknownTask(AsyncConnectorExecutorMixin, PythonTask):
    def __init__(self, name):
        super().__init__(task_type="e2e_nobody_runs", name=name, task_config=None, interface=INTERFACE)


job = JobTask("connected.job")
stubborn_job = JobTask("connected.stubborn_job", metadata=TaskMetadata(retries=1))
answer = AnswerTask("connected.answer")
unknown = UnknownTask("connected.unknown")


@workflow
def job_then_answer(plan: str, name: str) -> str:
    return answer(plan="answers", name=job(plan=plan, name=name))


@workflow
def only_job(plan: str, name: str) -> str:
    return job(plan=plan, name=name)


@workflow
def two_attempts(plan: str, name: str) -> str:
    return stubborn_job(plan=plan, name=name)


@workflow
def only_answer(plan: str, name: str) -> str:
    return answer(plan=plan, name=name)


@workflow
def nobody(plan: str, name: str) -> str:
    return unknown(plan=plan, name=name)
