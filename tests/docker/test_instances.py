"""Many instances, their lifetimes, and what is left of them, with the real engine."""

import json
import signal
import subprocess
import time

from conftest import docker, exists


def wait_until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def test_pause_and_resume(running):
    running.run("pause")
    assert running.status()["state"] == "paused"
    running.run("resume")
    assert running.status()["ready"]
    actions = [json.loads(line)["event"] for line in running.run("events", "--since", "5m", "-o", "json").stdout.splitlines()]
    assert actions[-2:] == ["pause", "unpause"]


def test_restart_and_clients(running):
    running.run("restart", timeout=300)
    assert running.status()["ready"]
    environment = dict(line.split("=", 1) for line in running.run("env", "-o", "env").stdout.splitlines())
    assert environment["FLYTE_PLATFORM_URL"] == running.endpoint("grpc")
    assert "server: https://127.0.0.1:" in running.run("kubeconfig").stdout


def test_three_at_once_and_gone_without_trace(make):
    trio = [make(f"trio-{letter}") for letter in "abc"]
    starts = [subprocess.Popen([s.binary, "--name", s.name, "start", "--ttl", "1h"], env=s.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for s in trio]
    for process in starts:
        _, stderr = process.communicate(timeout=600)
        assert process.returncode == 0, stderr
    listed = {entry["name"]: entry for entry in json.loads(trio[0].run("list", "--disk", "-o", "json").stdout)["instances"]}
    ports = [port for s in trio for port in listed[s.container]["ports"].values()]
    assert len(ports) == len(set(ports)) == 12
    assert all(listed[s.container]["state"] == "running" and listed[s.container]["diskBytes"] > 0 and listed[s.container]["expires"] for s in trio)
    uses = [subprocess.Popen([s.binary, "--name", s.name, "start", "--wait", "first-task"], env=s.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for s in trio]
    for process in uses:
        _, stderr = process.communicate(timeout=600)
        assert process.returncode == 0, stderr
    for s in trio:
        s.run("delete", "--volume")
        assert not exists("container", s.container) and not exists("volume", s.container)
        assert not list((s.home / ".flyte").glob("*trio*"))


def test_owner(make):
    sandbox = make("owned")
    owner = subprocess.Popen(["sleep", "600"])
    try:
        sandbox.run("start", "--owner-pid", str(owner.pid), timeout=600)
    finally:
        owner.kill()
    wait_until(lambda: not exists("container", sandbox.container) and not exists("volume", sandbox.container), "its owner has ended")
    owner.wait()


def test_killed_launcher(make):
    """kill -9 in the middle: nothing is locked, and the next start goes on from what is there."""
    sandbox = make("killed-launcher")
    process = subprocess.Popen([sandbox.binary, "--name", sandbox.name, "start"], env=sandbox.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: exists("container", sandbox.container), "a container")
    process.send_signal(signal.SIGKILL)
    process.wait()
    sandbox.run("start", timeout=600)
    assert sandbox.status()["ready"]


def test_failed_start_leaves_its_logs_and_nothing_else(make):
    sandbox = make("failed")
    done = sandbox.run("start", "--timeout", "1s", "-o", "json", check=False)
    document = json.loads(done.stdout)
    assert (done.returncode, document["error"]["id"]) == (9, "start-timeout")
    assert not exists("container", sandbox.container) and not exists("volume", sandbox.container)
    files = subprocess.run(["tar", "tzf", document["bundle"]], capture_output=True, text=True, check=True).stdout.split()
    assert {"error.json", "status.json", "doctor.json", "engine.json", "container.json", "container.log", "services/log/postgres.log"} <= set(files)


def test_doctor_finds_this_machine_fit(running):
    document = json.loads(running.run("doctor", "-o", "json").stdout)
    assert document["healthy"], document
    assert docker("version", "--format", "{{.Server.Version}}") in document["checks"][0]["evidence"]
