"""Launch plans whose owners want to be told. Nothing here needs a pod."""

from flytekit import Email, LaunchPlan, PagerDuty, Slack, workflow
from flytekit.core.base_task import PythonTask
from flytekit.core.interface import Interface
from flytekit.core.task import Echo
from flytekit.extend.backend.base_connector import AsyncConnectorExecutorMixin
from flytekit.models.core.execution import WorkflowExecutionPhase


class UnknownTask(AsyncConnectorExecutorMixin, PythonTask):
    """Nobody runs it."""

    def __init__(self, name):
        super().__init__(task_type="e2e_nobody_tells", name=name, task_config=None, interface=Interface(inputs={"a": str}, outputs={"o0": str}))


unknown = UnknownTask("notified.unknown")
same = Echo(name="notified.same", inputs={"a": str})


@workflow
def fine(a: str) -> str:
    return same(a=a)


@workflow
def doomed(a: str) -> str:
    return unknown(a=a)


told = LaunchPlan.get_or_create(
    fine, "workflows.notified.told",
    notifications=[Email(phases=[WorkflowExecutionPhase.SUCCEEDED], recipients_email=["glad@example.com", "also@example.com"]),
                   Slack(phases=[WorkflowExecutionPhase.FAILED], recipients_email=["sad@example.com"])])
doomed_told = LaunchPlan.get_or_create(
    doomed, "workflows.notified.doomed_told",
    notifications=[Slack(phases=[WorkflowExecutionPhase.FAILED, WorkflowExecutionPhase.ABORTED], recipients_email=["channel@example.com"]),
                   PagerDuty(phases=[WorkflowExecutionPhase.SUCCEEDED], recipients_email=["pager@example.com"])])
