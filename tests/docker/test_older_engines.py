"""Engines that do not know of cgroup namespaces (Engine API before 1.41, Docker 19.03): the real engine, spoken to as one of those.

It then gives the container the machine's cgroup namespace, and PID 1 has to make one of its own."""

import json
import os
import re
import subprocess
import time

import pytest

from conftest import docker, exists

API = "1.40"
IMAGE = os.environ.get("SANDBOX_IMAGE", "flyte-sandbox:0.1.0")
# The image that the sandbox brings along for tasks; it has a shell and python.
GREEDY = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: default}}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  containers:
  - name: main
    image: {image}
    command: [python3, -c, "{program}"]
    resources: {{limits: {{memory: 64Mi}}}}
"""


@pytest.fixture
def older(make):
    """An instance whose launcher speaks the older API."""
    sandbox = make("older-engine")
    sandbox.client["DOCKER_API_VERSION"] = API
    return sandbox


def inside(sandbox, *command, **options):
    return sandbox.run("exec", *(["-i"] if "input" in options else []), "--", *command, **options).stdout


def finish(sandbox, name, program, image):
    """Runs the pod to its end: reason and exit code of its container."""
    inside(sandbox, "kubectl", "apply", "-f", "-", input=GREEDY.format(name=name, program=program, image=image))
    inside(sandbox, "kubectl", "wait", f"pod/{name}", "--for=jsonpath={.status.containerStatuses[0].state.terminated}", "--timeout=120s")
    terminated = "{.status.containerStatuses[0].state.terminated.reason} {.status.containerStatuses[0].state.terminated.exitCode}"
    return inside(sandbox, "kubectl", "get", "pod", name, "-o", f"jsonpath={terminated}")


def test_sandbox_on_an_older_engine(older, tmp_path):
    older.run("start", timeout=300)
    assert f"API {API}" in older.run("doctor", "engine").stdout
    host = json.loads(docker("inspect", "--format", "{{json .HostConfig}}", older.container))
    assert host["CgroupnsMode"] in ("host", ""), "the engine has made a namespace itself: this test proves nothing"
    assert "has made one" in older.run("logs").stderr

    # PID 1 and all that it starts have the container's groups as roots; commands that the engine runs there are in the machine's namespace still.
    def namespace(process):
        return inside(older, "readlink", f"/proc/{process}/ns/cgroup").strip()

    ours, engines = namespace("1"), namespace("self")
    assert ours != engines
    for program in ("containerd", "k3s", "flyte-controlpl"):
        assert namespace(inside(older, "pgrep", "-o", "-x", program).strip()) == ours, program
    seen = inside(older, "nsenter", "-t", "1", "-C", "cat", "/proc/1/cgroup", "/proc/self/mountinfo")
    assert {line.split(":", 2)[2] for line in seen.splitlines() if re.match(r"\d+:[^ ]*:/", line)} <= {"/", "/init"}
    assert {line.split()[3] for line in seen.splitlines() if " - cgroup" in line} == {"/"}
    assert "kubepods" in inside(older, "find", "/sys/fs/cgroup", "-maxdepth", "2", "-name", "kubepods*")

    image = docker("image", "inspect", "--format", '{{index .Config.Labels "dev.sandbox.task-image"}}', IMAGE)
    assert finish(older, "modest", "print(1)", image) == "Completed 0"
    assert finish(older, "greedy", "bytearray(400 * 1024 * 1024)", image) == "OOMKilled 137"
    assert older.status()["ready"]

    (tmp_path / "Dockerfile").write_text(f"FROM {image}\nRUN grep -q . /proc/self/cgroup && echo built >/built\n")
    older.run("build", str(tmp_path), "--tag", "built-there:1")
    assert finish(older, "built", "print(open('/built').read())", "built-there:1") == "Completed 0"

    identifier = docker("inspect", "--format", "{{.Id}}", older.container)
    older.run("stop")
    older.run("start", timeout=300)
    assert docker("inspect", "--format", "{{.Id}}", older.container) == identifier, "the container is reused"
    assert inside(older, "kubectl", "get", "pod", "greedy", "-o", "jsonpath={.status.containerStatuses[0].state.terminated.reason}") == "OOMKilled"
    assert finish(older, "again", "bytearray(400 * 1024 * 1024)", image) == "OOMKilled 137"
    older.run("delete", "--volume")
    assert not exists("container", older.container) and not exists("volume", older.container)


# A first process that finds version 2 at its usual place, mounted as engines do who give the container the machine's namespace.
VERSION_2 = """
for directory in /sys/fs/cgroup/*; do umount "$directory" 2>/dev/null; done
umount /sys/fs/cgroup 2>/dev/null
mount -t cgroup2 none /sys/fs/cgroup && ls -d /sys/fs/cgroup/docker* /sys/fs/cgroup/system.slice 2>/dev/null | grep -q . || exit 9
echo '{"services": [{"name": "sleeper", "command": ["/bin/sleep", "infinity"]}]}' >/etc/sandbox/services.json
exec sandbox-init
"""


def test_cgroup_version_2_of_the_machine():
    """Only groups and their places: on a machine of version 1 there are no controllers of version 2 to hand down."""
    name = "sandbox-test-cgroup2"
    docker("rm", "-f", name, check=False)
    docker("run", "-d", "--name", name, "--cgroupns", "host", "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
           "--tmpfs", "/var/lib/sandbox", "--entrypoint", "sh", IMAGE, "-c", VERSION_2)
    try:
        deadline = time.monotonic() + 60
        while "sleeper" not in docker("exec", name, "sandbox-init", "status", "--json", check=False):
            assert time.monotonic() < deadline, docker("logs", name)
            time.sleep(0.1)
        own = ("exec", name, "nsenter", "-t", "1", "-C")
        assert docker(*own, "cat", "/proc/1/cgroup").splitlines()[-1] == "0::/init"
        assert docker("exec", name, "stat", "-fc", "%T", "/sys/fs/cgroup") == "cgroup2fs"
        assert docker("exec", name, "find", "/sys/fs/cgroup", "-mindepth", "1", "-type", "d").split() == ["/sys/fs/cgroup/init"]
        roots = [line.split()[3] for line in docker(*own, "cat", "/proc/self/mountinfo").splitlines() if " - cgroup2 " in line]
        assert roots == ["/"]
    finally:
        docker("rm", "-f", name)
