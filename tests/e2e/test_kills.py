"""Every part of the platform is killed with SIGKILL, one after the other, while 20 executions run. All of them finish, and no attempt of a task
is made twice: each leaves a line in a file of the node, with its pod's name and UID. A pod that was created twice would have two UIDs. (The kubelet, killed
while a container begins, may start it once more in the same pod: it learns of containers by events, and knows of none when it comes back.)"""

import collections
import json
import time
import uuid

import pytest
from flyteidl.core.execution_pb2 import ExecutionError, WorkflowExecution
from flytekit import ContainerTask, Workflow
from flytekit.configuration import DefaultImages
from flytekit.models.core.identifier import NodeExecutionIdentifier, WorkflowExecutionIdentifier

from ahead import alone

pytestmark = alone
NAMESPACE = "flytesnacks-development"
EXECUTIONS, LENGTH = 20, 4
# What is killed, as the kernel calls it. The oldest of that name is the service; Kubernetes' server is one process with the kubelet.
PROCESSES = ["flyte-controlplane", "postgres", "minio", "k3s"]
DEADLINE_S = 150


class Marks:
    """A directory of the node that the template mounts into every container; a line is the name and the UID of a pod."""

    def __init__(self, sandbox, kubectl):
        self.sandbox = sandbox
        self.name = f"marks-{uuid.uuid4().hex[:8]}"
        self.path = f"/var/lib/sandbox/{self.name}"
        self.kubectl = kubectl

    def __enter__(self):
        mount = {"name": "marks", "mountPath": "/marks"}
        uid = {"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
        template = {
            "apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": self.name, "namespace": NAMESPACE},
            "template": {"spec": {
                "containers": [{"name": "default", "image": "none", "volumeMounts": [mount], "env": [uid]}],
                "volumes": [{"name": "marks", "hostPath": {"path": self.path, "type": "DirectoryOrCreate"}}]}}}
        path = self.sandbox.home / "marks.json"
        path.write_text(json.dumps(template), encoding="utf-8")
        self.kubectl("apply", "-f", str(path))
        return self

    def __exit__(self, *_):
        self.kubectl("-n", NAMESPACE, "delete", "podtemplate", self.name)
        self.sandbox.run("exec", "--", "rm", "-rf", self.path)

    def pods(self):
        """The UIDs of each name, and how often each one's container began. `cat` of nothing is no error while there is none yet."""
        lines = self.sandbox.run("exec", "--", "sh", "-c", f"cat {self.path}/begun 2>/dev/null; true").stdout.splitlines()
        begun = collections.defaultdict(collections.Counter)
        for name, uid in (line.split() for line in lines):
            begun[name][uid] += 1
        return begun


@pytest.fixture
def marks(sandbox, kubectl):
    with Marks(sandbox, kubectl) as made:
        yield made


def chain_of_marks(template):
    """One line is appended by one write, which does not mix with others. The pause is what lets a kill hit a running container."""
    workflow = Workflow(name=f"kills.{template}")
    task = ContainerTask(name=f"kills.{template}.task", image=DefaultImages.default_image(), pod_template_name=template,
                         command=["sh", "-c", "echo `hostname` $POD_UID >> /marks/begun; sleep 0.5"])
    previous = None
    for _ in range(LENGTH):
        node = workflow.add_entity(task)
        if previous is not None:
            previous.runs_before(node)
        previous = node
    return workflow


def wait(what, condition, deadline_s=DEADLINE_S):
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {deadline_s} s for {what}"
        time.sleep(0.3)


def test_kills(remote, sandbox, marks):
    workflow = remote.register_workflow(chain_of_marks(marks.name), version=uuid.uuid4().hex)
    executions = [remote.execute(workflow, inputs={}, wait=False) for _ in range(EXECUTIONS)]
    total = EXECUTIONS * LENGTH
    for number, process in enumerate(PROCESSES):
        # The kills are spread over the time that there is; each finds all executions at work.
        reached = total * (number + 1) // (len(PROCESSES) + 3)
        wait(f"{reached} containers before {process} is killed", lambda: len(marks.pods()) >= reached)
        sandbox.run("exec", "--", "pkill", "-KILL", "-o", "-x", process[:15])
    sandbox.run("exec", "--", "sandbox-init", "status", "--follow", timeout=60)

    def all_succeeded():
        closures = [remote.client.get_execution(execution.id).closure for execution in executions]
        for closure in closures:
            assert closure.phase not in (WorkflowExecution.FAILED, WorkflowExecution.ABORTED), closure.error
        return all(closure.phase == WorkflowExecution.SUCCEEDED for closure in closures)

    wait("the end of all executions", all_succeeded)
    # Each attempt at most once, and attempt 0 of each node: a task that had been lost would have been tried again in a pod of another name.
    begun = marks.pods()
    first = {f"{execution.id.name}-n{node}-0" for execution in executions for node in range(LENGTH)}
    assert first <= set(begun)
    assert [name for name, uids in begun.items() if len(uids) > 1] == [], "pods that were created twice"
    assert sum(sum(uids.values()) - 1 for uids in begun.values()) <= 1, "containers that Kubernetes began twice"
    for pod in set(begun) - first:
        assert was_interrupted(remote, pod), f"{pod} ran though the attempt before it was not interrupted"


def was_interrupted(remote, pod):
    """Whether the attempt before this pod's failed by what Kubernetes said of its container. Killed while the runtime starts a container, it takes
    the start for failed (StartError), or does not know what became of it (no reason; ContainerStatusUnknown), though it may have begun. A pod that
    was lost by us would be another failure."""
    name, node, attempt = pod.rsplit("-", 2)
    identifier = NodeExecutionIdentifier(node, WorkflowExecutionIdentifier("flytesnacks", "development", name))
    attempts, _ = remote.client.list_task_executions_paginated(identifier, limit=10)
    (error,) = [task.closure.error for task in attempts if task.id.retry_attempt == int(attempt) - 1]
    return error is not None and error.kind == ExecutionError.SYSTEM and error.code in ("Interrupted", "ContainersNotReady|")
