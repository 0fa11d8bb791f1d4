"""Pods of task nodes: files of ContainerTasks, pod specs and PodTemplates, secrets, and every way to fail that can be provoked."""

import json

import pytest
from flyteidl.core.execution_pb2 import TaskExecution, WorkflowExecution

NAMESPACE = "flytesnacks-development"


@pytest.fixture(scope="session")
def start(remote, version):
    def launch(workflow, **inputs):
        plan = remote.fetch_launch_plan(name=f"workflows.pods.{workflow}", version=version)
        return remote.execute(plan, inputs=inputs, wait=False)

    return launch


@pytest.fixture(scope="session")
def execute(start, finish):
    return lambda workflow, **inputs: finish(start(workflow, **inputs))


@pytest.fixture
def apply(kubectl, sandbox):
    """Applies objects, and deletes them again afterwards."""
    made = []

    def run(*objects):
        for item in objects:
            path = sandbox.home / "object.json"
            path.write_text(json.dumps(item), encoding="utf-8")
            kubectl("apply", "-f", str(path))
            made.append((item["metadata"]["namespace"], item["kind"], item["metadata"]["name"]))

    yield run
    for namespace, kind, name in made:
        kubectl("-n", namespace, "delete", kind, name, "--ignore-not-found")


def failure(execution, phase=WorkflowExecution.FAILED):
    assert execution.closure.phase == phase
    return execution.error.message


# ---- Files of ContainerTasks ----


def test_values_through_a_container(execute):
    execution = execute("through_a_container", a=21, words=["salt", "pepper"])
    assert execution.closure.phase == WorkflowExecution.SUCCEEDED
    assert execution.outputs["o0"] == 42
    assert execution.outputs["o1"] == "salt and pepper"
    assert execution.outputs["o2"] is True
    assert execution.outputs["o3"] == {"a": 21, "half": 0.5, "yes": True, "words": ["salt", "pepper"]}


def test_files_and_folders_through_a_container(execute):
    execution = execute("data_through_a_container")
    assert execution.closure.phase == WorkflowExecution.SUCCEEDED
    assert execution.outputs["o0"] == ["deep/two.txt=2", "one.txt=1", "three.txt=3"]
    assert execution.outputs["o1"] == 3_000_000


@pytest.mark.parametrize("workflow, message", [
    ("a_container_writes_nothing", "file not found at path [/var/outputs/number]"),
    ("a_container_writes_nonsense", '"many" is not a value of type INTEGER'),
    ("a_container_gives_up", "User Error: no more paper"),
])
def test_outputs_that_cannot_be_uploaded(execute, workflow, message):
    execution = execute(workflow)
    assert message in failure(execution)
    assert "OutputUploadFailed" in execution.error.code


def test_a_container_that_fails_says_why_in_its_last_lines(execute):
    message = failure(execute("a_container_fails"))
    assert "terminated with exit code (9)" in message and "paper is jammed" in message


def test_inputs_that_cannot_be_downloaded(execute, kubectl):
    execution = execute("a_container_reads", file="s3://my-s3-bucket/there/is/no/such/object")
    assert "variable [file] download/store failed" in failure(execution)
    assert "InputDownloadFailed" in execution.error.code
    # The container itself was not run.
    pods = kubectl("-n", NAMESPACE, "get", "pods", "-l", f"execution-id={execution.id.name}", as_json=True)["items"]
    assert pods and all("running" not in status["state"] and status["state"].get("terminated", {}).get("exitCode") != 0
                        for pod in pods for status in pod["status"].get("containerStatuses", []))


# ---- Pod specs and templates ----


def test_a_pod_with_a_helper_ends_with_its_primary_container(execute, kubectl):
    execution = execute("with_a_helper", name="coffee")
    assert execution.outputs["o0"] == "coffee: ready in blue"
    task = execution.node_executions["n0"].task_executions[0]
    assert task.closure.phase == TaskExecution.SUCCEEDED


def test_a_pod_template_by_name(execute, apply):
    def template(namespace, value):
        return {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "of-the-platform", "namespace": namespace},
                "template": {"metadata": {"labels": {"from": "template"}},
                             "spec": {"containers": [{"name": "default", "image": "of-the-template", "env": [{"name": "FROM_TEMPLATE", "value": value}]}]}}}

    apply(template("flyte", "platform"))
    assert execute("with_a_template").outputs["o0"] == "platform"
    # The one in the task's own namespace comes first, and is in force from the next pod on.
    apply(template(NAMESPACE, "project"))
    assert execute("with_a_template").outputs["o0"] == "project"


def test_a_pod_template_that_is_missing(execute):
    execution = execute("with_a_missing_template")
    assert "PodTemplate 'nowhere-to-be-found' does not exist" in failure(execution)
    assert execution.error.code == "BadTaskSpecification"


def test_a_pod_template_for_one_node(execute):
    execution = execute("with_a_template_for_one_node")
    assert (execution.outputs["o0"], execution.outputs["o1"]) == ("none", "green")
