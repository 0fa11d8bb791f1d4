"""Two connectors of stock flytekit, run by `pyflyte serve connector --modules e2e_connector` beside the tests. Every call is a line of JSON in the
file that E2E_CONNECTOR_CALLS names; jobs of the plan "hang" run until a file beside it says so."""

import json
import os
import pathlib
import typing
from dataclasses import dataclass

from flyteidl.core.execution_pb2 import TaskExecution, TaskLog

from flytekit.extend.backend.base_connector import AsyncConnectorBase, ConnectorRegistry, Resource, ResourceMeta, SyncConnectorBase
from flytekit.models.literals import LiteralMap

CALLS = pathlib.Path(os.environ["E2E_CONNECTOR_CALLS"])
INPUTS = ("plan", "name")


def note(call, **more):
    with open(CALLS, "a", encoding="utf-8") as out:
        out.write(json.dumps({"call": call, "process": os.getpid(), **more}) + "\n")


def values(inputs: LiteralMap) -> typing.Dict[str, str]:
    return {key: inputs.literals[key].scalar.primitive.string_value for key in INPUTS}


@dataclass
class Job(ResourceMeta):
    plan: str
    name: str
    execution: str


class JobConnector(AsyncConnectorBase):
    name = "E2E jobs"

    def __init__(self):
        super().__init__(task_type_name="e2e_job", metadata_type=Job)

    async def create(self, task_template, output_prefix, inputs=None, task_execution_metadata=None, **kwargs) -> Job:
        id = task_execution_metadata.task_execution_id
        job = Job(execution=f"{id.node_execution_id.execution_id.name}/{id.retry_attempt}", **values(inputs))
        note("create", **vars(job), output_prefix=output_prefix, custom=dict(task_template.custom or {}), namespace=task_execution_metadata.namespace,
             labels=dict(task_execution_metadata.labels))
        if job.plan == "refused":
            raise ValueError("there is no such warehouse")
        return job

    async def get(self, resource_meta: Job, **kwargs) -> Resource:
        job = resource_meta
        note("get", **vars(job))
        links = [TaskLog(uri=f"https://jobs.example/{job.name}", name="Job")]
        info = {"warehouse": "small", "job": job.name}
        if job.plan == "fails":
            return Resource(phase=TaskExecution.FAILED, message="the query is wrong", log_links=links)
        if job.plan == "hang" and not CALLS.with_name(f"{job.name}.release").exists():
            return Resource(phase=TaskExecution.RUNNING, message="half done", log_links=links, custom_info=info)
        return Resource(phase=TaskExecution.SUCCEEDED, outputs={"o0": f"done {job.name}"}, log_links=links, custom_info=info)

    async def delete(self, resource_meta: Job, **kwargs):
        note("delete", **vars(resource_meta))


class EchoConnector(SyncConnectorBase):
    name = "E2E answers"

    def __init__(self):
        super().__init__(task_type_name="e2e_answer")

    async def do(self, task_template, output_prefix, inputs=None, **kwargs) -> Resource:
        asked = values(inputs)
        note("do", **asked)
        if asked["plan"] == "fails":
            return Resource(phase=TaskExecution.FAILED, message="I do not know")
        return Resource(phase=TaskExecution.SUCCEEDED, outputs={"o0": f"answer to {asked['name']}"})


ConnectorRegistry.register(JobConnector())
ConnectorRegistry.register(EchoConnector())
