"""Restarts: last in the folder's order because they interrupt everything else."""

import subprocess

import pytest

from flyteidl.core.execution_pb2 import TaskExecution, WorkflowExecution

from ahead import alone, runs
from test_workflows import wait_for

pytestmark = alone


def start_waiting_execution(remote, launch, seconds):
    execution = launch("waiting", seconds=seconds)
    wait_for(remote, execution, lambda e: "n0" in e.node_executions and any(
        t.closure.phase == TaskExecution.RUNNING for t in e.node_executions["n0"].task_executions))
    return execution


def check_after_restart(remote, sandbox, running, finished, launch, finish):
    assert sandbox.status()["ready"]
    new = launch("pass_value", x=3)
    again = remote.fetch_execution(name=finished.id.name)
    assert again.closure.phase == WorkflowExecution.SUCCEEDED
    done = finish(running)
    assert done.closure.phase == WorkflowExecution.SUCCEEDED, done.error
    assert done.outputs["o0"] == "the value is 15"
    assert finish(new).outputs["o0"] == "the value is 6"


@runs("basics.pass_value", x=4)
def test_docker_restart(remote, sandbox, launch, execution, finish):
    running = start_waiting_execution(remote, launch, 15)
    subprocess.run(["docker", "restart", sandbox.container], check=True, capture_output=True, timeout=60)
    sandbox.run("start", timeout=120)
    check_after_restart(remote, sandbox, running, execution, launch, finish)


@runs("basics.pass_value", x=4)
def test_stop_and_start(remote, sandbox, launch, execution, finish):
    running = start_waiting_execution(remote, launch, 15)
    sandbox.run("stop", timeout=60)
    assert sandbox.status()["state"] == "stopped"
    sandbox.run("start", timeout=120)
    check_after_restart(remote, sandbox, running, execution, launch, finish)


@pytest.mark.parametrize("process", ["flyte-controlplane", "minio", "postgres"])
def test_a_killed_service_comes_back(remote, sandbox, launch, finish, process):
    running = start_waiting_execution(remote, launch, 3)
    sandbox.run("exec", "--", "pkill", "-KILL", "-o", "-x", process[:15])
    sandbox.run("exec", "--", "sandbox-init", "status", "--follow", timeout=60)
    new = launch("pass_value", x=3)
    done = finish(running)
    assert done.closure.phase == WorkflowExecution.SUCCEEDED, done.error
    assert len(done.node_executions["n0"].task_executions) == 1
    assert finish(new).outputs["o0"] == "the value is 6"


def test_start_twice(sandbox):
    done = sandbox.run("start", timeout=60)
    assert done.returncode == 0
    assert "running" in done.stdout + done.stderr
