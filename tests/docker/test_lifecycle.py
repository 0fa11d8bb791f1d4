"""Start, look, stop, start again, delete: with the real engine and the real image."""

import json
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

from conftest import docker, exists


def interruptible():
    """In a child: interrupts are ignored by what a shell starts in the background, and so by these tests' children when they are run so."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_status_is_the_documented_document(running):
    document = running.status()
    assert document["schemaVersion"] == 1
    assert (document["name"], document["state"], document["ready"]) == (running.container, "running", True)
    assert {"postgres", "minio", "kubernetes", "controlplane"} <= {service["name"] for service in document["services"]}
    for service in document["services"]:
        assert set(service) == {"name", "status", "namespace", "message", "endpoint"}
        assert service["status"] in ("ready", "stopped"), service
    assert set(document["endpoints"]) == {"console", "grpc", "kubernetes", "s3", "postgres"}
    assert document["timings"]["postgres"] > 0


def test_status_comes_from_a_port(running):
    """Of this machine alone, and for who has the token of the container; an exec would be 30 ms more."""
    container = json.loads(docker("inspect", running.container))[0]
    (binding,) = container["NetworkSettings"]["Ports"]["9095/tcp"]
    (token,) = (text.partition("=")[2] for text in container["Config"]["Env"] if text.startswith("SANDBOX_STATUS_TOKEN="))
    assert binding["HostIp"] == "127.0.0.1"

    def ask(**question):
        with socket.create_connection(("127.0.0.1", int(binding["HostPort"])), timeout=10) as connection:
            connection.sendall(json.dumps(question).encode() + b"\n")
            return [json.loads(line) for line in connection.makefile("rb")]

    *services, summary = ask(command="status", token=token)
    assert summary["ready"] is True and {"postgres", "kubernetes"} <= {service["service"] for service in services}
    assert ask(command="status")[0]["error"]["id"] == "bad-token"
    assert ask(command="status", token=token[:-1] + "x")[0]["error"]["id"] == "bad-token"
    assert ask(command="stop", service="postgres", token=token)[0]["error"]["id"] == "status-only"
    done = running.run("status", "--verbose")
    assert "engine at" in done.stderr and "status port" not in done.stderr
    # Services do not inherit it (the shell of the exec has it, as everything that the engine starts there). One of Postgres' may end meanwhile.
    command = "for p in $(pgrep -x 'postgres|minio|flyte-controlpl'); do tr '\\0' '\\n' < /proc/$p/environ || true; done"
    environment = running.run("exec", "--", "sh", "-c", command).stdout
    assert "SANDBOX_INSTANCE=" in environment and token not in environment


def test_ready_means_that_it_answers(running):
    with urllib.request.urlopen(running.status()["endpoints"]["console"], timeout=5) as page:
        assert page.status == 200


def test_starting_again_changes_nothing(running):
    before = docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", running.container)
    done = running.run("start")
    assert "is running" in done.stderr and "kubernetes" in done.stdout
    assert docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", running.container) == before


def test_not_privileged(running):
    host = json.loads(docker("inspect", "--format", "{{json .HostConfig}}", running.container))
    assert host["Privileged"] is False
    assert "SYS_MODULE" not in host["CapAdd"]
    assert all(binding["HostIp"] == "127.0.0.1" for bindings in host["PortBindings"].values() for binding in bindings)
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 1}


def test_exec(running):
    done = running.run("exec", "--", "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    data = "0123456789abcdef" * 20000
    assert running.run("exec", "-i", "--", "cat", input=data).stdout == data
    assert running.run("exec", "-u", "postgres", "-w", "/tmp", "-e", "A=b", "--", "sh", "-c", "id -un; pwd; echo $A").stdout == "postgres\n/tmp\nb\n"


def test_exec_with_a_terminal(running):
    command = f"{running.binary} --name {running.name} exec -it -- sh -c 'tty && exit 3'"
    done = subprocess.run(["script", "-qec", command, "/dev/null"], env=running.environment(), capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert done.returncode == 3 and "/dev/pts/" in done.stdout


def test_logs(running):
    assert "postgres" in running.run("logs").stderr
    assert running.run("logs", "postgres", "--tail", "5").stdout.count("\n") <= 5
    unknown = running.run("logs", "postgress", check=False)
    assert unknown.returncode == 3 and "did you mean 'postgres'" in unknown.stderr


def test_follow_logs_end_with_an_interrupt(running):
    process = subprocess.Popen([running.binary, "--name", running.name, "logs", "-f", "postgres"], env=running.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=interruptible)
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 130
    process.communicate()


def test_port_of_a_container_is_taken(running, make):
    port = running.endpoint("grpc").rsplit(":", 1)[1]
    done = make("port-taken").run("start", "--port", f"http={port}", check=False)
    assert done.returncode == 6
    assert f"port {port} (http) is taken by container '{running.container}'" in done.stderr


def test_service_that_is_killed_comes_back(running):
    kill = 'for p in /proc/[0-9]*; do read -r n <$p/comm; if [ "$n" = flyte-controlpl ]; then kill -9 ${p#/proc/} && echo killed; fi; done'
    assert running.run("exec", "--", "sh", "-c", kill).stdout == "killed\n"
    deadline = time.monotonic() + 30
    while running.status()["state"] != "running":
        assert time.monotonic() < deadline, running.run("status", check=False).stdout
        time.sleep(0.1)


def test_service_that_fails_says_why(running):
    """With a program of its own, put where `sandbox reload` would; of its last words the last line says least."""
    program = "/var/lib/sandbox/override/flyte-controlplane"
    script = "#!/bin/sh\necho begins\nprintf 'panic: no disk\\nfirst hint\\nat line 7\\n' >&2\nexit 3\n"
    put = f"mkdir -p /var/lib/sandbox/override && cat >{program} && chmod 755 {program}"
    subprocess.run(["docker", "exec", "-i", running.container, "sh", "-c", put], input=script, text=True, check=True)
    reason = "exited with code 3: panic: no disk\nfirst hint\nat line 7"
    restart = ["docker", "exec", running.container, "sandbox-init", "restart", "controlplane"]
    try:
        done = subprocess.run(restart, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (1, f"sandbox-init: the service 'controlplane' has failed 3 times: {reason}\n")
        deadline = time.monotonic() + 60
        while True:
            service = next(service for service in running.status()["services"] if service["name"] == "controlplane")
            if service["status"] == "failed":
                break
            assert time.monotonic() < deadline, service
        assert service["message"] == reason
        table = running.run("status", check=False).stdout
        assert "first hint" not in table and ("panic: no disk" in table or "failed" not in table)
    finally:
        running.run("exec", "--", "rm", "-f", program)
        subprocess.run(restart, capture_output=True, timeout=60)
    running.run("start", timeout=120)
    assert running.status()["ready"]


def test_stop_and_start_keep_the_state(running):
    running.run("exec", "--", "kubectl", "create", "configmap", "kept", "--from-literal=a=b")
    endpoints = running.status()["endpoints"]
    running.run("stop")
    assert running.run("status", check=False).returncode == 4
    assert running.status()["state"] == "stopped"
    assert "postgres" in running.run("logs", "postgres", "--tail", "all").stdout.lower() or running.run("logs").stderr
    running.run("stop")
    running.run("start", timeout=300)
    assert running.status()["endpoints"] == endpoints
    assert running.run("exec", "--", "kubectl", "get", "configmap", "kept", "-o", "jsonpath={.data.a}").stdout == "b"


def test_engine_restart_of_the_container(running):
    docker("restart", running.container)
    running.run("start", timeout=300)
    assert running.status()["ready"]


def test_paused(running):
    docker("pause", running.container)
    assert running.run("status", check=False).returncode == 4
    assert "sandbox start" in running.run("exec", "--", "true", check=False).stderr
    running.run("start", timeout=120)
    assert running.status()["ready"]


def test_client_configuration_comes_and_goes(make):
    sandbox = make("clients")
    kube = sandbox.home / ".kube" / "config"
    kube.parent.mkdir()
    kube.write_text("# mine\napiVersion: v1\nkind: Config\ncontexts:\n- context: {cluster: c, user: u}\n  name: prod\ncurrent-context: prod\nclusters: []\nusers: []\n")
    before = kube.read_text()
    sandbox.run("start", "--keep-context", timeout=300)
    assert "current-context: prod" in kube.read_text() and sandbox.container in kube.read_text()
    config = sandbox.home / ".flyte" / "config-sandbox-clients.yaml"
    assert f"dns:///{sandbox.endpoint('grpc')}" in config.read_text()
    sandbox.run("delete")
    assert kube.read_text() == before
    assert not config.exists() and exists("volume", sandbox.container)
    sandbox.run("delete", "--volume")
    assert not exists("volume", sandbox.container)


@pytest.mark.parametrize("after", [0.0, 0.1, 0.3, 0.6, 1.0, 2.0])
def test_interrupt_leaves_nothing(make, after):
    sandbox = make("interrupted")
    process = subprocess.Popen([sandbox.binary, "--name", sandbox.name, "start"], env=sandbox.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               preexec_fn=interruptible)
    time.sleep(after)  # any moment will do: that is the test
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT), stderr
    assert not exists("container", sandbox.container) and not exists("volume", sandbox.container), stderr


def test_container_killed_while_starting(make):
    sandbox = make("killed")
    process = subprocess.Popen([sandbox.binary, "--name", sandbox.name, "start"], env=sandbox.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while docker("ps", "-q", "--filter", f"name={sandbox.container}") == "":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    docker("kill", sandbox.container)
    began = time.monotonic()
    _, stderr = process.communicate(timeout=60)
    assert time.monotonic() - began < 5
    assert process.returncode == 1 and "error[sandbox-died]" in stderr and "exit code 137" in stderr


def test_image_that_is_no_sandbox(make):
    docker("import", "-", "sandbox-test-empty:1", input="\0" * 10240)
    done = make("unsuitable").run("start", "--image", "sandbox-test-empty:1", check=False)
    docker("rmi", "sandbox-test-empty:1")
    assert done.returncode != 0 and "error[" in done.stderr
    assert not exists("container", "flyte-sandbox-unsuitable") and not exists("volume", "flyte-sandbox-unsuitable")


def test_unknown_image(make):
    done = make("unknown").run("start", "--image", "no-such-image:1", check=False)
    assert done.returncode == 3 and "error[image-missing]" in done.stderr


def test_unreachable_registry(make):
    done = make("registry").run("start", "--image", "127.0.0.1:1/x/y:1", check=False)
    assert done.returncode == 8 and "error[image-pull]" in done.stderr
    assert not exists("volume", "flyte-sandbox-registry")


def test_not_enough_disk(make):
    done = make("disk").run("start", "--min-disk", "100000", check=False)
    assert done.returncode == 10 and "error[disk-space]" in done.stderr


def test_deadline(make):
    done = make("deadline").run("start", "--timeout", "1s", check=False)
    assert done.returncode == 9
    assert "error[start-timeout]" in done.stderr and "missing: " in done.stderr and "`sandbox start --keep" in done.stderr


def test_two_at_once(make):
    pair = [make("twin-a"), make("twin-b")]
    processes = [subprocess.Popen([s.binary, "--name", s.name, "start"], env=s.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for s in pair]
    for process in processes:
        stdout, stderr = process.communicate(timeout=300)
        assert process.returncode == 0, stderr
    ports = [set(s.status()["endpoints"].values()) for s in pair]
    assert not ports[0] & ports[1]
