"""Task images without a registry: `sandbox build`, then a task that runs in the image."""

import uuid

from flyteidl.admin import task_execution_pb2
from flyteidl.core import identifier_pb2
from flyteidl.core.execution_pb2 import WorkflowExecution

DOCKERFILE = """FROM {base}
COPY kept.txt /kept.txt
COPY . /context
ARG GREETING=none
RUN echo "$GREETING" > /greeting.txt
"""

WORKFLOW = """
import os
from flytekit import task, workflow

@task
def look() -> str:
    return " ".join([open("/kept.txt").read().strip(), open("/greeting.txt").read().strip(), str(os.path.exists("/context/ignored.txt"))])

@workflow
def looking() -> str:
    return look()
"""


def make_context(directory, dockerfile):
    directory.mkdir(exist_ok=True)
    (directory / "Dockerfile").write_text(dockerfile, encoding="utf-8")
    (directory / "kept.txt").write_text("kept", encoding="utf-8")
    (directory / "ignored.txt").write_text("ignored", encoding="utf-8")
    (directory / ".dockerignore").write_text("ignored.txt\n", encoding="utf-8")
    return directory


def test_an_image_built_inside_runs_a_task(sandbox, run_remotely, kubectl, task_image, tmp_path):
    context = make_context(tmp_path / "context", DOCKERFILE.format(base=task_image))
    tag = f"my-image:{uuid.uuid4().hex[:8]}"
    done = sandbox.run("build", str(context), "--tag", tag, "--build-arg", "GREETING=hi", timeout=300)
    assert "COPY kept.txt" in done.stdout + done.stderr
    file = tmp_path / "wf.py"
    file.write_text(WORKFLOW, encoding="utf-8")
    assert run_remotely(str(file), "looking", before=("--image", tag)).outputs["o0"] == "kept hi False"
    images = {c["image"] for pod in kubectl("get", "pods", "-n", "flytesnacks-development", as_json=True)["items"] for c in pod["spec"]["containers"]}
    assert tag in images


def test_a_rebuilt_tag_is_what_runs_next(sandbox, run_remotely, task_image, tmp_path):
    tag = f"again:{uuid.uuid4().hex[:8]}"
    file = tmp_path / "wf.py"
    file.write_text(WORKFLOW, encoding="utf-8")
    for greeting in ("first", "second"):
        context = make_context(tmp_path / "context", DOCKERFILE.format(base=task_image))
        sandbox.run("build", str(context), "--tag", tag, "--build-arg", f"GREETING={greeting}", timeout=300)
        assert run_remotely(str(file), "looking", before=("--image", tag)).outputs["o0"] == f"kept {greeting} False"


def test_secrets_are_seen_by_the_step_that_asks_and_are_in_no_layer(sandbox, task_image, tmp_path):
    """The certificates that this machine trusts without being asked, for pip behind a proxy that signs TLS anew."""
    bundle, token = tmp_path / "bundle.pem", tmp_path / "token"
    bundle.write_text("the proxy's authority", encoding="utf-8")
    token.write_text("hush", encoding="utf-8")
    mounts = "--mount=type=secret,id=ca-certificates --mount=type=secret,id=token"
    seen = 'test "$(cat /run/secrets/ca-certificates)-$(cat /run/secrets/token)" = "the proxy\'s authority-hush"'
    gone = "test ! -s /run/secrets/ca-certificates && test ! -s /run/secrets/token"
    copied = 'COPY . /all\nRUN test -z "$(find /all -name token -o -name secrets)"'
    context = make_context(tmp_path / "context", f"FROM {task_image}\nRUN {mounts} {seen}\nRUN {gone}\n{copied}\n")
    environment = sandbox.environment(SSL_CERT_FILE=str(bundle))
    sandbox.run("build", str(context), "--tag", f"secrets:{uuid.uuid4().hex[:8]}", "--secret", f"id=token,src={token}", env=environment, timeout=300)
    assert sandbox.run("exec", "--", "sh", "-c", "ls -A /var/lib/sandbox/build").stdout == ""


def test_the_builders_message_reaches_the_user(sandbox, task_image, tmp_path):
    context = make_context(tmp_path / "context", f"FROM {task_image}\nRUN echo about to fail && exit 3\n")
    done = sandbox.run("build", str(context), "--tag", "broken:1", check=False, timeout=300)
    assert done.returncode != 0
    assert "about to fail" in done.stderr + done.stdout
    assert "exit code: 3" in done.stderr
    assert "error[" in done.stderr


def test_a_mistake_in_the_dockerfile_names_its_line(sandbox, tmp_path):
    context = make_context(tmp_path / "context", "FROM scratch\nCOPPY kept.txt /\n")
    done = sandbox.run("build", str(context), "--tag", "broken:2", check=False, timeout=120)
    assert done.returncode != 0
    assert "COPPY" in done.stderr


def test_an_unknown_image_is_named(remote, finish):
    """A task whose image nobody has fails with the reason, or says it while it waits."""
    from test_workflows import wait_for
    from workflows import basics

    from flytekit.configuration import Image, ImageConfig, SerializationSettings

    settings = SerializationSettings(image_config=ImageConfig(default_image=Image("default", "localhost:1/nobody/has-this", "1")),
                                     project="flytesnacks", domain="development", version=uuid.uuid4().hex)
    flyte_workflow = remote.register_workflow(basics.pass_value, serialization_settings=settings)
    execution = remote.execute(flyte_workflow, inputs={"x": 1}, wait=False)

    def names_image(e):
        parent = identifier_pb2.NodeExecutionIdentifier(node_id="n0", execution_id=identifier_pb2.WorkflowExecutionIdentifier(
            project="flytesnacks", domain="development", name=e.id.name))
        attempts = remote.client._stub.ListTaskExecutions(
            task_execution_pb2.TaskExecutionListRequest(node_execution_id=parent, limit=10), timeout=10).task_executions
        return any("has-this" in attempt.closure.reason for attempt in attempts)

    wait_for(remote, execution, names_image)
    remote.terminate(execution, cause="the image does not exist")
    execution = finish(execution)
    assert execution.closure.phase == WorkflowExecution.ABORTED
