"""Clients that are not Python's: grpc-node by reflection against every service, curl over REST, and REST in binary as the console speaks it."""

import json
import pathlib
import shutil
import subprocess
import uuid

import pytest
from flyteidl.admin import common_pb2, execution_pb2, project_pb2, task_pb2
from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2

HERE = pathlib.Path(__file__).parent
INVALID, NOT_FOUND, EXISTS, UNIMPLEMENTED = 3, 5, 6, 12


@pytest.fixture(scope="module")
def node_client(tmp_path_factory):
    """The folder of the client with what it needs, from the npm registry."""
    assert shutil.which("npm"), "npm is missing: scripts/test installs it"
    folder = tmp_path_factory.mktemp("node") / "client"
    shutil.copytree(HERE / "node_client", folder, ignore=shutil.ignore_patterns("node_modules"))
    done = subprocess.run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, capture_output=True,
                          text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    files = descriptor_pb2.FileDescriptorSet()
    reflection_pb2.DESCRIPTOR.CopyToProto(files.file.add())
    (folder / "reflection.pb").write_bytes(files.SerializeToString())
    return folder


@pytest.fixture(scope="module")
def seen(sandbox, node_client):
    done = subprocess.run(["node", "client.js", sandbox.endpoint("grpc"), "reflection.pb"], cwd=node_client, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_node_finds_the_services(seen):
    assert {"flyteidl.service.AdminService", "flyteidl.service.DataProxyService", "grpc.health.v1.Health"} <= set(seen["services"])
    assert len(seen["codes"]) >= 60


def test_every_service_answers_node(seen):
    """Nothing unimplemented, unknown, internal or a login, whatever service reflection names; of the health service, only Check is offered."""
    strange = {method: code for method, code in seen["codes"].items() if code in (2, 12, 13, 14, 16)}
    assert strange == {"grpc.health.v1.Health/List": UNIMPLEMENTED}


def test_node_registers_a_task(seen):
    assert seen["created"]["code"] == 0, seen["created"]
    assert seen["again"]["code"] == EXISTS and "identical structure" in seen["again"]["details"]
    assert seen["task"]["response"]["closure"]["compiled_task"]["template"]["container"]["image"] == "example.org/task:1"


def test_node_reads(seen):
    assert "flytesnacks" in [project["id"] for project in seen["projects"]["response"]["projects"]]
    assert seen["missing"]["code"] == NOT_FOUND and "nosuch" in seen["missing"]["details"]
    assert seen["upload"]["response"]["signed_url"].startswith("http://")
    assert seen["health"]["response"]["status"] == "SERVING"


@pytest.fixture(scope="module")
def curl(sandbox):
    def run(*arguments):
        done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_code} %{content_type}", *arguments[:-1],
                               f"http://{sandbox.endpoint('grpc')}{arguments[-1]}"], capture_output=True, timeout=40)
        assert done.returncode == 0, done.stderr
        body, _, outcome = done.stdout.rpartition(b"\n")
        status, _, content_type = outcome.decode().partition(" ")
        return int(status), content_type, body

    return run


TASK = {"template": {"type": "container", "metadata": {"runtime": {"version": "1"}}, "interface": {"inputs": {}, "outputs": {}},
                     "container": {"image": "example.org/task:1", "command": ["true"]}}}


def task_id(version):
    return {"resource_type": "TASK", "project": "flytesnacks", "domain": "development", "name": "curl.task", "version": version}


def test_curl_registers_and_reads_a_task(curl):
    version = uuid.uuid4().hex
    body = json.dumps({"id": task_id(version), "spec": TASK})
    status, content_type, answer = curl("--json", body, "/api/v1/tasks")
    assert (status, answer) == (200, b"{}") and content_type.startswith("application/json")
    status, _, answer = curl("--json", body, "/api/v1/tasks")
    assert status == 409 and json.loads(answer)["code"] == EXISTS
    status, _, answer = curl(f"/api/v1/tasks/flytesnacks/development/curl.task/{version}")
    task = json.loads(answer)
    # names as in the proto files, enums by name, what is not set too
    assert task["id"]["resource_type"] == "TASK" and task["closure"]["compiled_task"]["template"]["container"]["image"] == "example.org/task:1"
    assert task["short_description"] == ""


def test_curl_lists_with_filters(curl):
    path = "/api/v1/tasks/flytesnacks/development?limit=1&filters=eq(task.name,curl.task)&sort_by.key=created_at&sort_by.direction=DESCENDING"
    status, _, answer = curl("--globoff", path)
    page = json.loads(answer)
    assert status == 200 and page["tasks"][0]["id"]["name"] == "curl.task" and page["token"] in ("", "1")
    status, _, answer = curl("--globoff", path.replace("task.name", "task.colour"))
    assert status == 400 and json.loads(answer)["message"] == "'t.colour' is invalid filter"


def test_curl_is_told_what_is_wrong(curl):
    assert curl("/api/v1/executions/flytesnacks/development/nosuch")[0] == 404
    assert curl("/api/v1/executions/flytesnacks/development?limit=many")[0] == 400
    assert curl("--request", "DELETE", "/api/v1/projects")[0] == 405
    status, _, answer = curl("/api/v1/nosuch")
    assert status == 404 and json.loads(answer)["code"] == NOT_FOUND


def test_binary_as_the_console_speaks_it(curl, tmp_path):
    """Requests and answers are protobuf; an error's body is JSON, and its status is what the console looks at."""
    binary = ["--header", "Accept: application/octet-stream", "--header", "Content-Type: application/octet-stream"]
    status, content_type, body = curl(*binary, "/api/v1/projects?limit=10")
    assert (status, content_type) == (200, "application/octet-stream")
    assert "flytesnacks" in [project.id for project in project_pb2.Projects.FromString(body).projects]
    request = task_pb2.TaskCreateRequest()
    request.id.resource_type, request.id.project, request.id.domain = 1, "flytesnacks", "development"
    request.id.name, request.id.version = "console.task", uuid.uuid4().hex
    request.spec.template.type = "container"
    request.spec.template.metadata.runtime.version = "1"
    request.spec.template.interface.SetInParent()
    request.spec.template.container.image = "example.org/task:1"
    (tmp_path / "task").write_bytes(request.SerializeToString())
    status, content_type, body = curl(*binary, "--data-binary", f"@{tmp_path / 'task'}", "/api/v1/tasks")
    assert (status, content_type, body) == (200, "application/octet-stream", b"")
    status, _, body = curl(*binary, f"/api/v1/tasks/flytesnacks/development/console.task/{request.id.version}")
    assert task_pb2.Task.FromString(body).closure.compiled_task.template.container.image == "example.org/task:1"
    status, _, body = curl(*binary, "/api/v1/executions/flytesnacks/development?limit=10000&sort_by.key=created_at&sort_by.direction=DESCENDING")
    assert status == 200
    execution_pb2.ExecutionList.FromString(body)
    status, _, body = curl(*binary, "/api/v1/named_entities/1/flytesnacks/development?limit=10000&sort_by.key=name&sort_by.direction=ASCENDING")
    assert status == 200 and "console.task" in [entity.id.name for entity in common_pb2.NamedEntityList.FromString(body).entities]
    assert curl(*binary, "/api/v1/executions/flytesnacks/development/nosuch")[0] == 404
