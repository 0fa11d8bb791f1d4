"""Kubernetes as a user of kubectl sees it."""

import time

from flyteidl.core.execution_pb2 import WorkflowExecution

from ahead import runs, starts

NAMESPACE = "flytesnacks-development"


def pods_of(kubectl, execution):
    listing = kubectl("get", "pods", "-n", NAMESPACE, "-l", f"execution-id={execution.id.name}", as_json=True)
    return {pod["metadata"]["name"]: pod for pod in listing["items"]}


@runs("basics.pass_value", x=4)
def test_pods_stay_after_success(execution, kubectl):
    name = execution.id.name
    assert set(pods_of(kubectl, execution)) == {f"{name}-n0-0", f"{name}-n1-0"}
    kubectl("wait", "-n", NAMESPACE, f"pod/{name}-n1-0", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=30s")
    table = kubectl("get", "pods", "-n", NAMESPACE)
    row = next(line for line in table.splitlines() if line.startswith(f"{name}-n1-0"))
    assert "Completed" in row
    environment = {e["name"]: e.get("value") for e in pods_of(kubectl, execution)[f"{name}-n0-0"]["spec"]["containers"][0]["env"]}
    assert environment["FLYTE_INTERNAL_EXECUTION_ID"] == name
    assert environment["FLYTE_AWS_ENDPOINT"] == "http://flyte-sandbox-minio.flyte:9000"


@runs("basics.out_of_memory")
def test_a_task_beyond_its_memory_is_oom_killed(execution, kubectl):
    assert execution.closure.phase == WorkflowExecution.FAILED
    assert "OOMKilled" in execution.error.code + execution.error.message
    pod = pods_of(kubectl, execution)[f"{execution.id.name}-n0-0"]
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] == "OOMKilled"
    table = kubectl("get", "pods", "-n", NAMESPACE)
    assert "OOMKilled" in next(line for line in table.splitlines() if line.startswith(f"{execution.id.name}-n0-0"))


@runs("basics.doubling", x=6)
def test_default_resources(execution, kubectl):
    (pod,) = pods_of(kubectl, execution).values()
    resources = pod["spec"]["containers"][0]["resources"]
    assert "cpu" in resources["requests"] and "memory" in resources["requests"]
    assert "cpu" not in resources["limits"] and "memory" in resources["limits"]


@starts("basics.waiting", seconds=600)
def test_logs_and_exec(remote, started, finish, kubectl):
    execution = started
    pod = f"{execution.id.name}-n0-0"
    deadline_args = ("--timeout=60s",)
    wait_until_exists(kubectl, pod)
    kubectl("wait", "-n", NAMESPACE, f"pod/{pod}", "--for=condition=Ready", *deadline_args, timeout=90)
    assert "hello from inside" in kubectl("exec", "-n", NAMESPACE, pod, "--", "echo", "hello from inside")
    kubectl("logs", "-n", NAMESPACE, pod)
    remote.terminate(execution, cause="seen enough")
    execution = finish(execution)
    assert execution.closure.phase == WorkflowExecution.ABORTED
    kubectl("wait", "-n", NAMESPACE, f"pod/{pod}", "--for=delete", *deadline_args, timeout=90)


def wait_until_exists(kubectl, pod, seconds=60):
    deadline = time.monotonic() + seconds
    while pod not in kubectl("get", "pods", "-n", NAMESPACE, "-o", "name"):
        assert time.monotonic() < deadline, f"no pod '{pod}' after {seconds} s"
        time.sleep(0.2)


def test_the_context_is_merged_and_rbac_is_on(sandbox, kubectl):
    assert sandbox.container in kubectl("config", "get-contexts", "-o", "name").split()
    assert kubectl("auth", "can-i", "list", "pods", "--as=system:serviceaccount:default:default", check=False).strip() == "no"
    assert kubectl("get", "serviceaccount", "default", "-n", NAMESPACE, as_json=True)["metadata"]["name"] == "default"


CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim, namespace: default}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: claimer, namespace: default}
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: IMAGE
    command: [sh, -c, "echo kept > /data/file && cat /data/file"]
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: claim}}]
"""


def test_local_path_storage(sandbox, kubectl, task_image, tmp_path):
    manifest = tmp_path / "claim.yaml"
    manifest.write_text(CLAIM.replace("IMAGE", task_image), encoding="utf-8")
    kubectl("apply", "-f", str(manifest))
    kubectl("wait", "-n", "default", "pod/claimer", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s", timeout=90)
    assert kubectl("logs", "-n", "default", "claimer").strip() == "kept"
    kubectl("delete", "-f", str(manifest), "--wait=false")
