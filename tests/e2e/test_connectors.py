"""Tasks that connectors run, with connectors of stock flytekit served by its own `pyflyte serve connector` on this machine."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import uuid

import grpc
import pytest
from flyteidl.admin import task_execution_pb2
from flyteidl.core.execution_pb2 import TaskExecution, WorkflowExecution
from flyteidl.service import admin_pb2_grpc

from ahead import alone

pytestmark = alone
SECONDS = 90


def until(check, seconds=SECONDS, what=""):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.2)
    pytest.fail(f"{what or check.__name__}: nothing after {seconds} s")


def free_port():
    with socket.socket() as s:
        s.bind(("", 0))
        return s.getsockname()[1]


class Connector:
    """The served connectors, which can be stopped and started again at the same address."""

    def __init__(self, directory):
        self.port, self.metrics_port = free_port(), free_port()
        self.calls_file = directory / "calls"
        self.log_file = directory / "log"
        self.log = open(self.log_file, "ab")
        self.process = None

    def start(self):
        environment = {**os.environ, "E2E_CONNECTOR_CALLS": str(self.calls_file)}
        self.process = subprocess.Popen(
            [str(pathlib.Path(sys.executable).parent / "pyflyte"), "serve", "connector", "--port", str(self.port), "--prometheus_port", str(self.metrics_port),
             "--modules", "e2e_connector"],
            cwd=pathlib.Path(__file__).parent / "connector", env=environment, stdout=self.log, stderr=subprocess.STDOUT)
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            ready = grpc.channel_ready_future(channel)

            def is_served():
                assert self.process.poll() is None, self.log_file.read_text(encoding="utf-8")
                return ready.done()

            until(is_served, seconds=120)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(timeout=30)
        self.process = None

    def calls(self, name, call=None):
        lines = self.calls_file.read_text(encoding="utf-8").splitlines() if self.calls_file.exists() else []
        found = [entry for entry in map(json.loads, lines) if entry["name"] == name]
        return [entry for entry in found if call is None or entry["call"] == call]

    def release(self, name):
        self.calls_file.with_name(f"{name}.release").touch()


@pytest.fixture(scope="module")
def connector(sandbox, tmp_path_factory):
    directory = tmp_path_factory.mktemp("connector")
    served = Connector(directory)
    served.start()
    settings = directory / "config.yaml"
    settings.write_text("plugins:\n"
                        "  connector-service:\n"
                        f"    defaultConnector: {{endpoint: 'host.docker.internal:{served.port}', insecure: true, timeouts: {{ExecuteTaskSync: 30s}}}}\n"
                        "    pollInterval: 1s\n"
                        "    webApi: {caching: {resyncInterval: 500ms}}\n", encoding="utf-8")
    sandbox.run("reload", "--config", str(settings))

    def is_heard():
        lines = sandbox.run("logs", "controlplane", "--tail", "all").stdout.splitlines()
        return any("a connector has answered" in line and f":{served.port}" in line for line in lines)

    until(is_heard, what="the control plane to hear of the connector")
    yield served
    sandbox.run("reload", "--config", "--reset")
    served.stop()
    served.log.close()


@pytest.fixture
def name():
    return f"j{uuid.uuid4().hex[:12]}"


@pytest.fixture
def launch_connected(remote, version, connector):
    def start(workflow, plan, name):
        found = remote.fetch_launch_plan(name=f"workflows.connected.{workflow}", version=version)
        return remote.execute(found, inputs={"plan": plan, "name": name}, wait=False)

    return start


def attempts_of(sandbox, execution, node="n0"):
    with grpc.insecure_channel(sandbox.endpoint("grpc")) as channel:
        admin = admin_pb2_grpc.AdminServiceStub(channel)
        request = task_execution_pb2.TaskExecutionListRequest(limit=10)
        request.node_execution_id.execution_id.CopyFrom(execution.id.to_flyte_idl())
        request.node_execution_id.node_id = node
        return list(admin.ListTaskExecutions(request, timeout=60).task_executions)


def running_attempt(sandbox, execution):
    def found():
        attempts = attempts_of(sandbox, execution)
        return attempts[0] if attempts and attempts[0].closure.phase == TaskExecution.RUNNING else None

    return until(found, what="an attempt that runs")


def test_a_job_and_an_answer(sandbox, connector, launch_connected, finish, kubectl, name):
    execution = finish(launch_connected("job_then_answer", "succeeds", name))
    assert execution.closure.phase == WorkflowExecution.SUCCEEDED, execution.error
    assert execution.outputs["o0"] == f"answer to done {name}"
    (attempt,) = attempts_of(sandbox, execution)
    assert attempt.closure.phase == TaskExecution.SUCCEEDED
    assert attempt.closure.task_type == "e2e_job"
    assert attempt.closure.metadata.plugin_identifier == "connector-service"
    assert [(link.name, link.uri) for link in attempt.closure.logs] == [("Job", f"https://jobs.example/{name}")]
    assert dict(attempt.closure.custom_info) == {"warehouse": "small", "job": name}
    # what the connector was told, once
    (created,) = connector.calls(name, "create")
    assert created["execution"] == f"{execution.id.name}/0"
    assert created["output_prefix"].endswith("/n0/data/0") and execution.id.name in created["output_prefix"]
    assert created["custom"] == {"size": "small"}
    assert created["namespace"] == "flytesnacks-development"
    assert created["labels"]["execution-id"] == execution.id.name
    assert [call["plan"] for call in connector.calls(f"done {name}", "do")] == ["answers"]
    assert connector.calls(name, "delete") == []
    assert execution.node_executions["n0"].inputs["name"] == name
    assert kubectl("get", "pods", "-n", "flytesnacks-development", "-l", f"execution-id={execution.id.name}", as_json=True)["items"] == []


def test_failures(sandbox, connector, launch_connected, finish, name):
    wrong = launch_connected("two_attempts", "fails", name)
    refused = launch_connected("two_attempts", "refused", name + "r")
    unanswered = launch_connected("only_answer", "fails", name + "a")
    unknown = launch_connected("nobody", "succeeds", name + "u")
    error = finish(wrong).error
    # for good, so it is not tried again
    assert (error.code, error.message) == ("TaskFailedWithError", "failed to run the job: the query is wrong")
    assert len(connector.calls(name, "create")) == 1
    error = finish(refused).error
    assert error.code == "RetriesExhausted|TaskFailedWithError"
    assert "there is no such warehouse" in error.message
    assert [call["execution"][-2:] for call in connector.calls(name + "r", "create")] == ["/0", "/1"]
    assert finish(unanswered).error.message == "failed to run the job: I do not know"
    error = finish(unknown).error
    assert error.code == "BadTaskSpecification"
    assert 'no connector runs tasks of type "e2e_nobody_runs"' in error.message
    assert "plugins.connector-service.defaultConnector.endpoint" in error.message


def test_an_aborted_job_is_deleted(sandbox, remote, connector, launch_connected, name):
    execution = launch_connected("only_job", "hang", name)
    attempt = running_attempt(sandbox, execution)
    assert attempt.closure.reason == "half done"
    remote.terminate(execution, "enough")

    def deleted():
        return connector.calls(name, "delete")

    assert len(until(deleted)) == 1
    (attempt,) = attempts_of(sandbox, execution)
    assert attempt.closure.phase == TaskExecution.ABORTED
    time.sleep(1.5)  # three intervals in which it would be asked about again
    asked = len(connector.calls(name, "get"))
    time.sleep(1.5)
    assert len(connector.calls(name, "get")) == asked
    assert len(deleted()) == 1


def test_neither_a_restart_nor_an_absent_connector_loses_a_job(sandbox, connector, launch_connected, finish, name):
    execution = launch_connected("only_job", "hang", name)
    running_attempt(sandbox, execution)
    connector.stop()
    sandbox.run("exec", "--", "pkill", "-KILL", "-x", "flyte-controlpl")
    late = None
    try:
        def shows_why():
            try:
                attempts = attempts_of(sandbox, execution)
            except grpc.RpcError:
                return None  # the control plane is on its way up
            return attempts and "cannot be reached" in attempts[0].closure.reason

        until(shows_why, what="the reason why it does not go on")
        # Begun while nobody is there, and nobody knows what is supported: it waits.
        late = launch_connected("only_job", "succeeds", name + "late")
    finally:
        connector.start()
    connector.release(name)
    for one in [execution, late]:
        assert finish(one).closure.phase == WorkflowExecution.SUCCEEDED
    assert len(connector.calls(name, "create")) == 1
    assert len(connector.calls(name + "late", "create")) == 1
    assert connector.calls(name, "delete") == []
