"""Restarts: last in the folder's order because they interrupt everything else."""

import subprocess
import uuid

from flyteidl.core.execution_pb2 import NodeExecution, WorkflowExecution

from test_workflows import PATIENCE, POLL, execute, wait_for
from workflows import basics


def start_waiting_execution(remote, seconds):
    execution = remote.execute(basics.waiting, inputs={"seconds": seconds}, version=uuid.uuid4().hex, wait=False)
    wait_for(remote, execution, lambda e: "n0" in e.node_executions and e.node_executions["n0"].closure.phase == NodeExecution.RUNNING
             and any(t.closure.phase == 2 for t in e.node_executions["n0"].task_executions))
    return execution


def check_after_restart(remote, sandbox, running, finished):
    assert sandbox.status()["ready"]
    again = remote.fetch_execution(name=finished.id.name)
    assert again.closure.phase == WorkflowExecution.SUCCEEDED
    done = remote.wait(running, timeout=PATIENCE, poll_interval=POLL)
    assert done.closure.phase == WorkflowExecution.SUCCEEDED
    assert done.outputs["o0"] == "the value is 15"
    assert execute(remote, basics.pass_value, {"x": 3}).outputs["o0"] == "the value is 6"


def test_docker_restart(remote, sandbox):
    finished = execute(remote, basics.pass_value, {"x": 1})
    running = start_waiting_execution(remote, 15)
    subprocess.run(["docker", "restart", sandbox.name], check=True, capture_output=True, timeout=60)
    sandbox.run("start", timeout=120)
    check_after_restart(remote, sandbox, running, finished)


def test_stop_and_start(remote, sandbox):
    finished = execute(remote, basics.pass_value, {"x": 1})
    running = start_waiting_execution(remote, 15)
    sandbox.run("stop", timeout=60)
    assert sandbox.status()["state"] == "stopped"
    sandbox.run("start", timeout=120)
    check_after_restart(remote, sandbox, running, finished)


def test_start_twice(sandbox):
    done = sandbox.run("start", timeout=60)
    assert done.returncode == 0
    assert "running" in done.stdout + done.stderr
