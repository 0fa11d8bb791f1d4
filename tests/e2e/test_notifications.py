"""Notifications of launch plans made with stock flytekit, sent to a real mail server (aiosmtpd) and to a webhook on this machine."""

import email
import email.policy
import http.server
import json
import socket
import threading
import time
import uuid

import grpc
import pytest
from aiosmtpd.controller import Controller
from flyteidl.admin import execution_pb2, project_attributes_pb2
from flyteidl.admin.common_pb2 import EmailNotification, Notification
from flyteidl.core.execution_pb2 import WorkflowExecution
from flyteidl.service import admin_pb2_grpc


class Mails:
    def __init__(self):
        self.taken = []
        self.refuse = 0

    async def handle_DATA(self, server, session, envelope):
        if self.refuse:
            self.refuse -= 1
            return "451 come back later"
        self.taken.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 taken"

    def about(self, name):
        return [(to, message) for to, message in self.taken if name in message["Subject"]]


def free_port():
    with socket.socket() as s:
        s.bind(("", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def receivers(sandbox, tmp_path_factory):
    mails, calls = Mails(), []

    class Webhook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            calls.append((self.path, dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    hook = http.server.ThreadingHTTPServer(("", 0), Webhook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    port = free_port()
    smtp = Controller(mails, hostname="0.0.0.0", port=port)
    smtp.start()
    file = tmp_path_factory.mktemp("notifications") / "config.yaml"
    file.write_text("flyteadmin: {maxParallelism: 13}\n"
                    "notifications:\n"
                    "  emailer:\n"
                    f"    emailServerConfig: {{smtpServer: host.docker.internal, smtpPort: {port}}}\n"
                    "    sender: flyte@example.com\n"
                    "    subject: '{{ name }} has {{ phase }} in {{ project }}'\n"
                    "    body: '<p>{{ launch_plan.name }}: {{ error }}</p>'\n"
                    "  webhook:\n"
                    f"    url: http://host.docker.internal:{hook.server_port}/flyte\n", encoding="utf-8")
    sandbox.run("reload", "--config", str(file))
    with grpc.insecure_channel(sandbox.endpoint("grpc")) as channel:
        admin = admin_pb2_grpc.AdminServiceStub(channel)
        until(lambda: admin.GetProjectAttributes(project_attributes_pb2.ProjectAttributesGetRequest(
            project="flytesnacks", resource_type="WORKFLOW_EXECUTION_CONFIG"), timeout=60)
              .attributes.matching_attributes.workflow_execution_config.max_parallelism == 13)
    yield mails, calls
    sandbox.run("reload", "--config", "--reset")
    smtp.stop()
    hook.shutdown()


def until(check, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.1)
    pytest.fail(f"nothing after {seconds} s")


@pytest.fixture
def launch_told(sandbox, version):
    """Over the API, which can name an execution's own notifications."""

    def start(plan, **spec):
        with grpc.insecure_channel(sandbox.endpoint("grpc")) as channel:
            admin = admin_pb2_grpc.AdminServiceStub(channel)
            request = execution_pb2.ExecutionCreateRequest(project="flytesnacks", domain="development", name=f"n{uuid.uuid4().hex[:12]}",
                                                           spec=execution_pb2.ExecutionSpec(**spec))
            request.spec.launch_plan.resource_type = 3
            request.spec.launch_plan.project, request.spec.launch_plan.domain = "flytesnacks", "development"
            request.spec.launch_plan.name, request.spec.launch_plan.version = f"workflows.notified.{plan}", version
            request.inputs.literals["a"].scalar.primitive.string_value = "x"
            return admin.CreateExecution(request, timeout=60).id.name

    return start


@pytest.fixture
def ended(remote, finish):
    return lambda name: finish(remote.fetch_execution(name=name)).closure.phase


def test_a_success_is_told(receivers, launch_told, ended):
    mails, calls = receivers
    mails.refuse = 1  # it is tried again
    name = launch_told("told")
    assert ended(name) == WorkflowExecution.SUCCEEDED
    ((recipients, message),) = until(lambda: mails.about(name))
    assert recipients == ["glad@example.com", "also@example.com"]
    assert message["Subject"] == f"{name} has succeeded in flytesnacks"
    assert message["From"] == "flyte@example.com"
    assert message.get_content().strip() == "<p>workflows.notified.told: </p>"
    assert message.get_content_type() == "text/html"
    (path, headers, body), = until(lambda: [call for call in calls if call[2]["execution"]["name"] == name])
    assert path == "/flyte"
    assert headers["Idempotency-Key"] == body["id"] == f"flytesnacks.development.{name}.SUCCEEDED.0"
    assert (body["phase"], body["type"], body["error"]) == ("SUCCEEDED", "email", None)
    assert body["workflow"]["name"] == "workflows.notified.fine"


def test_a_failure_is_told_to_whom_it_concerns(receivers, launch_told, ended):
    mails, calls = receivers
    name = launch_told("doomed_told")
    assert ended(name) == WorkflowExecution.FAILED
    ((recipients, message),) = until(lambda: mails.about(name))
    assert recipients == ["channel@example.com"]
    assert "workflows.notified.doomed_told:  The execution failed with error: [" in message.get_content()
    assert "plugins.connector-service" in message.get_content()
    (call,) = until(lambda: [call for call in calls if call[2]["execution"]["name"] == name])
    assert call[2]["type"] == "slack" and "plugins.connector-service" in call[2]["error"]


def test_what_the_request_says_counts(receivers, launch_told, ended):
    mails, calls = receivers
    silent = launch_told("told", disable_all=True)
    own = Notification(phases=[WorkflowExecution.SUCCEEDED], email=EmailNotification(recipients_email=["own@example.com"], template="own: {{ phase }}"))
    other = launch_told("told", notifications=execution_pb2.NotificationList(notifications=[own]))
    assert ended(silent) == ended(other) == WorkflowExecution.SUCCEEDED
    ((recipients, message),) = until(lambda: mails.about(other))
    assert recipients == ["own@example.com"]
    assert message.get_content().strip() == "own: succeeded"
    until(lambda: [call for call in calls if call[2]["execution"]["name"] == other])
    assert mails.about(silent) == []  # whose end was before
    assert [call for call in calls if call[2]["execution"]["name"] == silent] == []
