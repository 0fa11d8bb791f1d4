"""manifests/existing-cluster, as docs/guide/existing-cluster.md tells: two replicas of the control plane in a cluster that is there already, with a
Postgres and an object store that are there already. The cluster is the sandbox's own; namespace, database, bucket and projects' namespaces are others."""

import contextlib
import datetime
import json
import pathlib
import re
import socket
import subprocess
import sys
import time

import fsspec
import pytest
from flyteidl.core.execution_pb2 import TaskExecution, WorkflowExecution
from flytekit.configuration import Config, DataConfig, PlatformConfig, S3Config
from flytekit.remote import FlyteRemote
from flytekit.remote.remote_fs import get_flyte_fs

ROOT = pathlib.Path(__file__).parents[2]
NAMESPACE, DOMAIN = "flyte-outside", "outside"
IMAGE = "flyte-controlplane:0.1.0"

OVERLAY = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {namespace}
resources: [base]
configMapGenerator:
  - name: flyte-settings
    behavior: merge
    literals:
      - FLYTE_S3_ENDPOINT=http://flyte-sandbox-minio.flyte:9000
      - FLYTE_S3_BUCKET=outside
      - FLYTE_S3_PUBLIC_ENDPOINT=http://{s3}
      - FLYTE_S3_CLUSTER_ENDPOINT=http://flyte-sandbox-minio.flyte:9000
      - FLYTE_CLUSTER_NETWORK=10.42.0.0/16
      - FLYTE_PLATFORM_ENDPOINT=flyte.{namespace}:8089
      - FLYTE_ADMISSION_HOST=flyte-admission.{namespace}.svc
      - FLYTE_COPILOT_IMAGE=sandbox.local/copilot:1
  - name: flyte-config
    behavior: merge
    files: [config.yaml]
    options: {{disableNameSuffixHash: true}}
secretGenerator:
  - name: flyte-stores
    behavior: merge
    literals:
      - FLYTE_DATABASE_URL=postgresql://postgres:postgres@flyte-sandbox-postgresql.flyte:5432/outside
      - FLYTE_S3_ACCESS_KEY=minio
      - FLYTE_S3_SECRET_KEY=miniostorage
patches:
  # Another namespace gives the webhook's configuration another name.
  - target: {{kind: ClusterRole, name: flyte-controlplane}}
    patch: '[{{"op": "replace", "path": "/rules/6/resourceNames/0", "value": "flyte-secrets-{namespace}"}}]'
"""

WORKFLOW = """
import time
from flytekit import task, workflow

@task
def slowly(x: int) -> int:
    time.sleep(6)
    return x * 7

@task
def told(y: int) -> str:
    return f"the answer is {y}"

@workflow
def outside(x: int) -> str:
    return told(y=slowly(x=x))
"""


def wait(what, condition, deadline_s=90):
    deadline = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {deadline_s} s for {what}"
        time.sleep(0.3)
    return value


class Deployment:
    def __init__(self, sandbox, kubectl, directory):
        self.sandbox, self.kubectl, self.directory = sandbox, kubectl, directory

    def make_image(self):
        context = self.directory / "image"
        subprocess.run([ROOT / "scripts/controlplane-image", "--container", self.sandbox.container, context], check=True,
                       env=self.sandbox.environment(), capture_output=True, timeout=120)
        self.sandbox.run("build", str(context), "--tag", IMAGE, timeout=300)

    def write_overlay(self):
        overlay = self.directory / "overlay"
        overlay.mkdir()
        (overlay / "base").symlink_to(ROOT / "manifests/existing-cluster")
        (overlay / "config.yaml").write_text(f"domains: [{{id: {DOMAIN}, name: {DOMAIN}}}]\n", encoding="utf-8")
        (overlay / "kustomization.yaml").write_text(OVERLAY.format(namespace=NAMESPACE, s3=self.sandbox.endpoint("s3")), encoding="utf-8")
        return str(overlay)

    def start(self):
        self.overlay = self.write_overlay()
        self.make_image()
        self.query("create database outside", "postgres")
        self.kubectl("apply", "-k", self.overlay)
        try:
            self.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/flyte-controlplane", "--timeout=90s", timeout=100)
        except BaseException:
            print(self.kubectl("-n", NAMESPACE, "get", "pods,events", check=False))
            print(self.kubectl("-n", NAMESPACE, "logs", "-l", "app.kubernetes.io/name=flyte-controlplane", "--tail=20", check=False))
            raise

    def stop(self):
        self.kubectl("delete", "-k", self.overlay, "--wait=false", check=False)
        self.kubectl("delete", "mutatingwebhookconfiguration", f"flyte-secrets-{NAMESPACE}", "--ignore-not-found", check=False)
        self.kubectl("delete", "namespace", f"flytesnacks-{DOMAIN}", "--ignore-not-found", "--wait=false", check=False)
        self.kubectl("-n", NAMESPACE, "wait", "--for=delete", "pod", "--all", "--timeout=30s", check=False)
        self.query("drop database if exists outside with (force)", "postgres")

    def query(self, sql, database="outside"):
        return self.sandbox.run("exec", "--", "psql", "-XAtqc", sql, f"postgresql://postgres:postgres@127.0.0.1/{database}").stdout.strip()

    def pods(self):
        pods = self.kubectl("-n", NAMESPACE, "get", "pods", "-l", "app.kubernetes.io/name=flyte-controlplane", as_json=True)["items"]
        return [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    @contextlib.contextmanager
    def reach(self, pod):
        """host:port of one replica on this side, as an Ingress would give it."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        forward = subprocess.Popen(["kubectl", "-n", NAMESPACE, "port-forward", f"pod/{pod}", f"{port}:30080"],
                                   executable=self.sandbox.home / "kubectl", env=self.sandbox.environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait("the forwarded port", lambda: is_open(port), 30)
            yield f"127.0.0.1:{port}"
        finally:
            forward.kill()
            forward.wait()


def is_open(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture
def deployment(sandbox, kubectl, tmp_path):
    made = Deployment(sandbox, kubectl, tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def file_system_of_the_sandbox(remote):
    """A FlyteRemote takes over flytekit's scheme flyte:// in this whole process; afterwards it is the sandbox's again."""
    yield
    fsspec.register_implementation("flyte", get_flyte_fs(remote=remote), clobber=True)


def remote_of(sandbox, endpoint):
    config = Config(platform=PlatformConfig(endpoint=endpoint, insecure=True),
                    data_config=DataConfig(s3=S3Config(endpoint=f"http://{sandbox.endpoint('s3')}", access_key_id="minio",
                                                       secret_access_key="miniostorage")))
    return FlyteRemote(config, default_project="flytesnacks", default_domain=DOMAIN)


def run(sandbox, directory, endpoint):
    """The stock command line registers and launches; the execution's name."""
    (directory / "outside.py").write_text(WORKFLOW, encoding="utf-8")
    config = directory / "config.yaml"
    config.write_text(f"admin:\n  endpoint: dns:///{endpoint}\n  insecure: true\n", encoding="utf-8")
    command = [str(pathlib.Path(sys.executable).parent / "pyflyte"), "--config", str(config), "run", "--remote", "-p", "flytesnacks", "-d", DOMAIN,
               str(directory / "outside.py"), "outside", "--x", "6"]
    done = subprocess.run(command, env=sandbox.environment(FLYTECTL_CONFIG=str(config)), capture_output=True, text=True, timeout=120, check=False)
    name = re.search(r"executions/([a-zA-Z0-9]+)", (done.stdout + done.stderr).replace("\n", ""))
    assert done.returncode == 0 and name, done.stdout + done.stderr
    return name.group(1)


def test_replicas_in_an_existing_cluster(sandbox, deployment, kubectl, tmp_path, file_system_of_the_sandbox):
    first, second = deployment.pods()
    with deployment.reach(first) as one, deployment.reach(second) as other:
        name = run(sandbox, tmp_path, one)
        running = wait("the first task", lambda: deployment.query(
            "select pod_name from task_executions where phase = 'RUNNING'"))
        pod = kubectl("-n", f"flytesnacks-{DOMAIN}", "get", "pod", running, as_json=True)
        assert pod["metadata"]["labels"]["flyte.org/platform"] == NAMESPACE
        # The replica that moves it goes, without a goodbye.
        owner = deployment.query("select engine_replica from executions").partition(":")[0]
        assert owner in (first, second)
        kubectl("-n", NAMESPACE, "delete", "pod", owner, "--grace-period=0", "--force", "--wait=false")
        remote = remote_of(sandbox, other if owner == first else one)
        done = remote.wait(remote.fetch_execution(name=name), timeout=datetime.timedelta(seconds=90),
                           poll_interval=datetime.timedelta(milliseconds=300))
    assert done.closure.phase == WorkflowExecution.SUCCEEDED, done.error
    assert done.outputs["o0"] == "the answer is 42"
    attempts = [t.closure.phase for node in done.node_executions.values() for t in node.task_executions]
    assert attempts == [TaskExecution.SUCCEEDED] * 2
    assert deployment.query("select engine_replica from executions").partition(":")[0] != owner
    # The Deployment replaces what has gone, and the API server reaches the webhook by its Service.
    kubectl("-n", NAMESPACE, "rollout", "status", "deployment/flyte-controlplane", "--timeout=60s", timeout=70)
    check_webhook(kubectl, tmp_path)


def check_webhook(kubectl, directory):
    """Both control planes' webhooks see the pod; dry-run still asks them."""
    manifest = directory / "pod.json"
    manifest.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "wants-a-secret", "namespace": f"flytesnacks-{DOMAIN}", "labels": {"inject-flyte-secrets": "true"}},
        "spec": {"containers": [{"name": "c", "image": "none"}]}}), encoding="utf-8")
    configuration = kubectl("get", "mutatingwebhookconfiguration", f"flyte-secrets-{NAMESPACE}", as_json=True)
    assert configuration["webhooks"][0]["clientConfig"]["service"] == {
        "name": "flyte-admission", "namespace": NAMESPACE, "path": "/inject-secrets", "port": 9443}
    assert configuration["webhooks"][0]["failurePolicy"] == "Fail"
    kubectl("create", "--dry-run=server", "-f", str(manifest))
