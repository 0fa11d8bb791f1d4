"""Pods of task nodes: files of ContainerTasks, pod specs and PodTemplates, secrets, and every way to fail that can be provoked."""

import base64
import json
import subprocess
import time

import pytest
from flyteidl.admin import task_execution_pb2
from flyteidl.core.execution_pb2 import TaskExecution, WorkflowExecution
from flyteidl.core.identifier_pb2 import NodeExecutionIdentifier
from flytekit.clients.raw import RawSynchronousFlyteClient
from flytekit.exceptions.user import FlyteEntityNotExistException

from ahead import alone, runs, starts

NAMESPACE = "flytesnacks-development"


@pytest.fixture(scope="module")
def start(launch_workflow):
    return lambda workflow, **inputs: launch_workflow(f"pods.{workflow}", **inputs)


@pytest.fixture(scope="module")
def execute(start, finish):
    return lambda workflow, **inputs: finish(start(workflow, **inputs))


def failure(execution, phase=WorkflowExecution.FAILED):
    assert execution.closure.phase == phase
    return execution.error.message


# ---- Files of ContainerTasks ----


@runs("pods.through_a_container", a=21, words=["salt", "pepper"])
def test_values_through_a_container(execution):
    assert execution.closure.phase == WorkflowExecution.SUCCEEDED
    assert execution.outputs["o0"] == 42
    assert execution.outputs["o1"] == "salt and pepper"
    assert execution.outputs["o2"] is True
    assert execution.outputs["o3"] == {"a": 21, "half": 0.5, "yes": True, "words": ["salt", "pepper"]}


@runs("pods.data_through_a_container")
def test_files_and_folders_through_a_container(execution):
    assert execution.closure.phase == WorkflowExecution.SUCCEEDED
    assert execution.outputs["o0"] == ["deep/two.txt=2", "one.txt=1", "three.txt=3"]
    assert execution.outputs["o1"] == 3_000_000


@pytest.mark.parametrize("message", [
    pytest.param("file not found at path [/var/outputs/number]", marks=runs("pods.a_container_writes_nothing")),
    pytest.param('"many" is not a value of type INTEGER', marks=runs("pods.a_container_writes_nonsense")),
    pytest.param("User Error: no more paper", marks=runs("pods.a_container_gives_up")),
])
def test_outputs_that_cannot_be_uploaded(execution, message):
    assert message in failure(execution)
    assert "OutputUploadFailed" in execution.error.code


@runs("pods.a_container_fails")
def test_a_container_that_fails_says_why_in_its_last_lines(execution):
    message = failure(execution)
    assert "terminated with exit code (9)" in message and "paper is jammed" in message


def test_inputs_that_cannot_be_downloaded(execute, kubectl):
    # Not ahead of its time: its pod, which is looked at, is taken away soon.
    execution = execute("a_container_reads", file="s3://my-s3-bucket/there/is/no/such/object")
    assert "variable [file] download/store failed" in failure(execution)
    assert "InputDownloadFailed" in execution.error.code
    # The container itself was not run.
    pods = kubectl("-n", NAMESPACE, "get", "pods", "-l", f"execution-id={execution.id.name}", as_json=True)["items"]
    assert pods and all("running" not in status["state"] and status["state"].get("terminated", {}).get("exitCode") != 0
                        for pod in pods for status in pod["status"].get("containerStatuses", []))


# ---- Pod specs and templates ----


@runs("pods.with_a_helper", name="coffee")
def test_a_pod_with_a_helper_ends_with_its_primary_container(execution):
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


@runs("pods.with_a_missing_template")
def test_a_pod_template_that_is_missing(execution):
    assert "PodTemplate 'nowhere-to-be-found' does not exist" in failure(execution)
    assert execution.error.code == "BadTaskSpecification"


@runs("pods.with_a_template_for_one_node")
def test_a_pod_template_for_one_node(execution):
    assert (execution.outputs["o0"], execution.outputs["o1"]) == ("none", "green")


# ---- Overrides and secrets ----


def pods_of(kubectl, execution, namespace=NAMESPACE):
    items = kubectl("-n", namespace, "get", "pods", "-l", f"execution-id={execution.id.name}", as_json=True)["items"]
    return {pod["metadata"]["labels"]["node-id"]: pod for pod in items}


@runs("pods.with_other_resources")
def test_resources_of_one_node(execution, kubectl):
    assert execution.closure.phase == WorkflowExecution.SUCCEEDED
    pods = pods_of(kubectl, execution)
    container = pods["n1"]["spec"]["containers"][0]
    assert container["resources"] == {"requests": {"cpu": "123m", "memory": "321Mi", "ephemeral-storage": "1Gi"},
                                      "limits": {"memory": "345Mi", "ephemeral-storage": "1Gi"}}
    assert [v["emptyDir"] for v in pods["n1"]["spec"]["volumes"]] == [{"medium": "Memory", "sizeLimit": "16Mi"}]
    assert container["volumeMounts"][0]["mountPath"] == "/dev/shm"
    assert "volumes" not in pods["n0"]["spec"]


def test_secrets(execute, apply):
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "e2e-secrets", "namespace": NAMESPACE},
           "stringData": {"as-file": "in a file", "As_Variable": "in a variable", "ANYHOW": "somewhere"}})
    execution = execute("with_secrets")
    assert execution.closure.phase == WorkflowExecution.SUCCEEDED
    assert execution.outputs["o0"] == ["in a file", "in a variable", "somewhere", "somewhere", "in a variable"]


@runs("pods.with_an_absent_secret")
def test_an_absent_secret_is_named(execution):
    message = failure(execution)
    assert "e2e-absent" in message and "key" in message


def test_a_rebuilt_tag_runs_the_new_image(sandbox, remote, tmp_path, task_image, finish):
    from flytekit import ContainerTask, kwtypes
    from flytekit.configuration import ImageConfig, SerializationSettings

    name = "localhost:30000/e2e-rebuilt:same"
    seen = []
    for number in (1, 2):
        (tmp_path / "Dockerfile").write_text(f"FROM {task_image}\nRUN echo {number} > /number\n", encoding="utf-8")
        sandbox.run("build", str(tmp_path), "-t", name, timeout=300)
        task = ContainerTask(name="e2e.rebuilt", image=name, command=["cp", "/number", "/var/outputs/number"], outputs=kwtypes(number=int),
                             output_data_dir="/var/outputs")
        registered = remote.register_task(task, SerializationSettings(ImageConfig.auto(img_name=task_image)), version=f"{tmp_path.name}-{number}")
        seen.append(finish(remote.execute(registered, inputs={}, wait=False)).outputs["number"])
    assert seen == [1, 2]


# ---- Pods that go wrong ----


@pytest.fixture
def watch(remote):
    """Waits until the attempts of node n0 are as wanted; returns them as the API does, with their reasons, which flytekit leaves out."""

    def attempts_of(execution):
        node = NodeExecutionIdentifier(node_id="n0", execution_id=execution.id.to_flyte_idl())
        request = task_execution_pb2.TaskExecutionListRequest(node_execution_id=node, limit=10)
        try:
            listed = RawSynchronousFlyteClient.list_task_executions_paginated(remote.client, request).task_executions
        except FlyteEntityNotExistException:
            return []
        return sorted(listed, key=lambda attempt: attempt.id.retry_attempt)

    def wait(execution, wanted, seconds=240):
        deadline = time.monotonic() + seconds
        while not wanted(attempts := attempts_of(execution)):
            assert time.monotonic() < deadline, attempts
            time.sleep(0.2)
        return attempts

    return wait


@runs("pods.out_of_memory")
def test_out_of_memory(execution):
    failure(execution)
    assert execution.error.code == "RetriesExhausted|OOMKilled"


@runs("pods.killed")
def test_a_killed_container_is_the_systems_fault(execution):
    assert "before the end" in failure(execution)
    assert execution.error.code == "RetriesExhausted|Interrupted"
    assert len(execution.node_executions["n0"].task_executions) == 4


@starts("pods.unschedulable")
def test_why_a_pod_is_not_scheduled(started, watch, remote):
    execution = started
    attempts = watch(execution, lambda a: a and "Unschedulable" in a[0].closure.reason)
    assert attempts[0].closure.phase == TaskExecution.QUEUED
    assert "Insufficient cpu" in attempts[0].closure.reason
    remote.terminate(execution, "seen enough")


def test_an_image_that_cannot_be_pulled_is_waited_for(start, watch, remote):
    execution = start("without_image")
    attempts = watch(execution, lambda a: a and "ErrImagePull" in a[0].closure.reason)
    assert attempts[0].closure.phase == TaskExecution.INITIALIZING
    assert "registry.invalid" in attempts[0].closure.reason
    remote.terminate(execution, "seen enough")


@pytest.mark.parametrize("code", [
    pytest.param("ContainersNotReady|InvalidImageName", marks=runs("pods.with_a_bad_image")),
    pytest.param("ContainersNotReady|CreateContainerConfigError", marks=runs("pods.without_its_secret")),
])
def test_containers_that_can_never_be_made_fail_at_once(execution, code):
    failure(execution)
    assert execution.error.code == code
    assert len(execution.node_executions["n0"].task_executions) == 1


def test_a_deleted_pod_is_replaced(start, watch, remote, kubectl):
    execution = start("sleeping")
    watch(execution, lambda a: a and a[0].closure.phase == TaskExecution.RUNNING)
    kubectl("-n", NAMESPACE, "delete", "pod", f"{execution.id.name}-n0-0", "--wait=false")
    attempts = watch(execution, lambda a: len(a) > 1)
    assert attempts[0].closure.error.code in ("UnexpectedObjectDeletion", "ResourceDeletedExternally")
    remote.terminate(execution, "seen enough")


@alone
def test_a_full_quota_is_waited_for(start, watch, apply, kubectl, finish):
    apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "e2e-none", "namespace": NAMESPACE}, "spec": {"hard": {"pods": "0"}}})
    execution = start("succeeding")
    attempts = watch(execution, lambda a: a and a[0].closure.phase == TaskExecution.WAITING_FOR_RESOURCES)
    assert "Exceeded resourcequota" in attempts[0].closure.reason
    kubectl("-n", NAMESPACE, "delete", "resourcequota", "e2e-none")
    assert finish(execution).closure.phase == WorkflowExecution.SUCCEEDED


# ---- Without a pod, and pods of others ----


@runs("pods.echoing", x="hello")
def test_echo_needs_no_pod(execution, kubectl):
    assert execution.outputs["o0"] == "hello"
    assert execution.node_executions["n0"].task_executions[0].closure.phase == TaskExecution.SUCCEEDED
    assert not pods_of(kubectl, execution)


def test_secrets_for_pods_of_others(kubectl, sandbox):
    """As flyteplugins marks a pod: the text form of the secret in Base32 with the alphabet a-z1-6."""
    text = 'group: "e2e-group" key: "Key" mount_requirement: FILE'
    alphabet = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "abcdefghijklmnopqrstuvwxyz123456")
    pod = {"apiVersion": "v1", "kind": "Pod",
           "metadata": {"name": "e2e-other", "namespace": NAMESPACE, "labels": {"inject-flyte-secrets": "true"},
                        "annotations": {"flyte.secrets/s0": base64.b32encode(text.encode()).decode().rstrip("=").translate(alphabet)}},
           "spec": {"containers": [{"name": "main", "image": "registry.invalid/x:1"}]}}
    path = sandbox.home / "pod.json"
    path.write_text(json.dumps(pod), encoding="utf-8")
    container = kubectl("create", "--dry-run=server", "-f", str(path), as_json=True)["spec"]["containers"][0]
    assert {"name": "FLYTE_SECRETS_DEFAULT_DIR", "value": "/etc/flyte/secrets"} in container["env"]
    assert "/etc/flyte/secrets/e2e-group" in [mount["mountPath"] for mount in container["volumeMounts"]]
    pod["metadata"]["annotations"]["flyte.secrets/s0"] = "nonsense!"
    path.write_text(json.dumps(pod), encoding="utf-8")
    refused = subprocess.run(["kubectl", "create", "--dry-run=server", "-f", str(path)], executable=sandbox.home / "kubectl",
                             env=sandbox.environment(), capture_output=True, text=True, timeout=60)
    assert refused.returncode != 0 and "not a secret in Flyte's Base32" in refused.stderr
