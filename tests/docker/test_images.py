"""The images that come with the sandbox: mounted at a first start, unpacked where that is not possible, kept when a newer sandbox image brings others."""

import hashlib
import json
import os
import subprocess
import time

import pytest

from conftest import docker

TASK = "/usr/lib/sandbox/images/task"
IMAGE = os.environ.get("SANDBOX_IMAGE", "flyte-sandbox:0.1.0")


def inside(container, *command, check=True):
    return docker("exec", container, *command, check=check)


def run_pod(container, name, image, *command):
    """Runs a pod to its end and returns what it printed."""
    overrides = json.dumps({"spec": {"containers": [{"name": name, "image": image, "imagePullPolicy": "IfNotPresent", "command": list(command)}]}})
    return inside(container, "kubectl", "run", name, "--image", image, "--restart=Never", "--overrides", overrides, "--attach", "--quiet",
                  "--rm", "--pod-running-timeout=120s").strip()


def task_image(container):
    return inside(container, "cut", "-d", " ", "-f", "2", f"{TASK}.id")


def wait_for_kept(sandbox):
    """PID 1 copies behind the start; its own status stream tells when."""
    with subprocess.Popen(["docker", "exec", sandbox.container, "sandbox-init", "start", "keep-images"]) as waiting:
        assert waiting.wait(timeout=120) == 0


def wait_until_ready(container):
    """PID 1's own stream ends when all is ready; before it listens there is nothing to follow."""
    deadline = time.monotonic() + 300
    while subprocess.run(["docker", "exec", container, "sandbox-init", "status", "--follow"], capture_output=True, timeout=300).returncode != 0:
        assert time.monotonic() < deadline, docker("logs", container)
        time.sleep(0.1)


@pytest.fixture
def other_image(tmp_path):
    """A sandbox image whose task image is another one (by a label), as a newer release has."""
    source = docker("create", IMAGE)
    docker("cp", f"{source}:{TASK}", str(tmp_path / "task"))
    docker("cp", f"{source}:{TASK}.id", str(tmp_path / "task.id"))
    docker("rm", source)
    blobs = tmp_path / "task" / "blobs" / "sha256"

    def put(document):
        content = json.dumps(document).encode()
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    index = json.loads((tmp_path / "task" / "index.json").read_text())
    manifest = json.loads((blobs / index["manifests"][0]["digest"].split(":")[1]).read_text())
    config = json.loads((blobs / manifest["config"]["digest"].split(":")[1]).read_text())
    config["config"]["Labels"]["release"] = "next"
    manifest["config"].update(put(config))
    index["manifests"][0].update(put(manifest))
    digest = index["manifests"][0]["digest"].split(":")[1]
    (tmp_path / "task" / "index.json").write_text(json.dumps(index))
    name = (tmp_path / "task.id").read_text().split()[1]
    (tmp_path / "task.id").write_text(f"{digest} {name}\n")
    (tmp_path / "Dockerfile").write_text(
        f"FROM {IMAGE}\nRUN rm -r {TASK} /usr/lib/sandbox/images/*.squashfs\nCOPY task {TASK}\nCOPY task.id {TASK}.id\n"
        "RUN echo next > /usr/lib/sandbox/content\n"
    )
    tag = "flyte-sandbox-test:next"
    docker("build", "-q", "-t", tag, str(tmp_path))
    yield tag
    docker("rmi", "-f", tag, check=False)


def test_a_newer_image_keeps_what_was_built(make, other_image, tmp_path):
    sandbox = make("upgrade")
    container = sandbox.container
    sandbox.run("start", timeout=600)
    assert "squashfs" in inside(container, "cat", "/proc/mounts")
    name = task_image(container)
    digest = inside(container, "cut", "-d", " ", "-f", "1", f"{TASK}.id")
    (tmp_path / "Dockerfile").write_text(f"FROM {name}\nRUN echo built > /marker\n")
    sandbox.run("build", str(tmp_path), "--tag", "built:1", timeout=300)
    assert run_pod(container, "before", "built:1", "cat", "/marker") == "built"
    inside(container, "sh", "-c", "mkdir /var/lib/sandbox/override && cp /usr/bin/flyte-controlplane /var/lib/sandbox/override/")
    inside(container, "sandbox-init", "restart", "controlplane")
    messages = {service["name"]: service["message"] for service in sandbox.status()["services"]}
    assert "sandbox reload" in messages["controlplane"] and not messages["postgres"]
    wait_for_kept(sandbox)
    sandbox.run("stop")

    sandbox.run("start", "--image", other_image, timeout=600)
    assert digest not in inside(container, "cat", f"{TASK}.id")
    # What was built stands on the older task image, which is on the volume now; the name is the newer one's.
    assert run_pod(container, "after", "built:1", "cat", "/marker") == "built"
    assert "3." in run_pod(container, "newer", name, "python3", "--version")
    listed = inside(container, "ctr", "-n", "k8s.io", "images", "ls", f"name=={name}")
    assert name in listed and digest not in listed
    assert digest in inside(container, "ls", "/var/lib/sandbox/images")
    (tmp_path / "Dockerfile").write_text("FROM built:1\nRUN echo again >> /marker\n")
    sandbox.run("build", str(tmp_path), "--tag", "built:2", timeout=300)
    assert run_pod(container, "again", "built:2", "cat", "/marker") == "built\nagain"
    assert not any(service["message"] for service in sandbox.status()["services"])


def test_unpacked_where_nothing_can_be_mounted(running):
    """As on machines without loop devices: here something else lies where they are asked for."""
    host = json.loads(docker("inspect", "--format", "{{json .HostConfig}}", running.container))
    name = "flyte-sandbox-no-loop"
    options = ["--cap-drop=ALL", *(f"--cap-add={capability}" for capability in host["CapAdd"]),
               *(f"--security-opt={option}" for option in (*host["SecurityOpt"], "systempaths=unconfined")),
               *(f"--device-cgroup-rule={rule}" for rule in host["DeviceCgroupRules"]), *(f"--tmpfs={path}:{value}" for path, value in host["Tmpfs"].items()),
               "--device=/dev/kmsg", "--volume=/dev/null:/dev/loop-control", "--cgroupns=private", f"--volume={name}:/var/lib/sandbox"]
    docker("rm", "-f", name, check=False)
    docker("volume", "rm", "-f", name)
    try:
        docker("run", "-d", "--name", name, *options, IMAGE)
        wait_until_ready(name)
        logs = subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=True)
        assert "will be unpacked" in logs.stdout + logs.stderr
        assert "squashfs" not in inside(name, "cat", "/proc/mounts")
        assert inside(name, "sh", "-c", "ls -d /var/lib/sandbox/images/*/usr/bin/python3")
        assert "3." in run_pod(name, "unpacked", task_image(name), "python3", "--version")
        docker("restart", name)
        wait_until_ready(name)
        assert "3." in run_pod(name, "restarted", task_image(name), "python3", "--version")
    finally:
        docker("rm", "-f", name, check=False)
        docker("volume", "rm", "-f", name, check=False)
