"""The control plane as its operator meets it: pages for debugging, log levels, and a configuration file that changes while it runs.

It runs as one process on a Postgres in a temporary directory and on tests/support/pod_double.c, a Kubernetes without a kubelet and an object store in memory.
"""

import glob
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

DEADLINE_SECONDS = 60


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Postgres:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="process-postgres-")
        self.binaries = pathlib.Path(sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))[-1]).parent
        self.user = "postgres" if os.getuid() == 0 else None
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(self.directory, entry.pw_uid, entry.pw_gid)
        data = f"{self.directory}/data"
        subprocess.run([f"{self.binaries}/initdb", "-D", data, "-Upostgres", "-EUTF8", "--locale=C.UTF-8", "--auth=trust", "--no-sync"], user=self.user,
                       cwd=self.directory, check=True, capture_output=True)
        # pg_ctl -w waits until it answers.
        subprocess.run([f"{self.binaries}/pg_ctl", "-D", data, "-w", "-t", str(DEADLINE_SECONDS), "-l", f"{self.directory}/log", "-o",
                        f"-k {self.directory} -clisten_addresses= -cfsync=off", "start"], user=self.user, cwd=self.directory, check=True, capture_output=True)
        self.url = f"host={self.directory} user=postgres dbname=postgres"

    def stop(self):
        subprocess.run([f"{self.binaries}/pg_ctl", "-D", f"{self.directory}/data", "-m", "immediate", "stop"], user=self.user, cwd="/", capture_output=True)
        shutil.rmtree(self.directory)


class ControlPlane:
    """The process; its log as it comes, and what it tells the supervisor."""

    def __init__(self, directory, postgres, double_port, **environment):
        self.port = free_port()
        self.directory = pathlib.Path(tempfile.mkdtemp(dir=directory))
        self.config = self.directory / "config.yaml"
        kubeconfig = self.directory / "kubeconfig.yaml"
        kubeconfig.write_text("apiVersion: v1\nkind: Config\ncurrent-context: double\n"
                              f"clusters: [{{name: double, cluster: {{server: 'http://127.0.0.1:{double_port}'}}}}]\n"
                              "contexts: [{name: double, context: {cluster: double, user: double}}]\n"
                              "users: [{name: double, user: {token: none}}]\n")
        self.supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.supervisor.bind(str(self.directory / "notify"))
        self.supervisor.settimeout(DEADLINE_SECONDS)
        own = {key: value for key, value in os.environ.items() if not key.startswith("FLYTE")}
        own.update(FLYTE_PORT=str(self.port), FLYTE_LISTEN_ADDRESS="127.0.0.1", FLYTE_DATABASE_URL=postgres.url, FLYTE_KUBECONFIG=str(kubeconfig),
                   FLYTE_S3_ENDPOINT=f"http://127.0.0.1:{double_port}", FLYTE_ADMISSION_HOST="", FLYTE_CONFIG_FILE=str(self.config),
                   NOTIFY_SOCKET=str(self.directory / "notify"), **environment)
        self.lines, self.changed = [], threading.Condition()
        self.process = subprocess.Popen([os.environ["CONTROLPLANE_BINARY"]], env=own, stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        self.told("READY=1")

    def read(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line)
                self.changed.notify_all()

    def told(self, wanted):
        """The first message to the supervisor that begins with this."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            message = self.supervisor.recv(65536).decode()
            if message.startswith(wanted):
                return message
        raise AssertionError(f"nothing told of {wanted}")

    def logged(self, *parts, since=0):
        """The position behind the first line from `since` on that has all the parts."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        with self.changed:
            while True:
                for i in range(since, len(self.lines)):
                    if all(part in self.lines[i] for part in parts):
                        return i + 1
                if not self.changed.wait(max(deadline - time.monotonic(), 0)):
                    raise AssertionError(f"no line with {parts} among\n{''.join(self.lines[since:])}")

    def get(self, path, **headers):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def write_config(self, text):
        """In place of the old one at once, as the launcher does it."""
        fresh = self.directory / "config.yaml.new"
        fresh.write_text(text)
        fresh.rename(self.config)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(DEADLINE_SECONDS)
        self.reader.join()
        self.process.stderr.close()
        self.supervisor.close()
        return code


class Process(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="process-")
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.postgres = Postgres()
        cls.addClassCleanup(cls.postgres.stop)
        cls.double_port = free_port()
        double = subprocess.Popen([os.environ["POD_DOUBLE_BINARY"], str(cls.double_port)])
        cls.addClassCleanup(double.wait, DEADLINE_SECONDS)
        cls.addClassCleanup(double.kill)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:  # nothing announces that it listens
            try:
                socket.create_connection(("127.0.0.1", cls.double_port), timeout=5).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise

    def start(self, **environment):
        plane = ControlPlane(self.directory, self.postgres, self.double_port, **environment)
        self.addCleanup(lambda: plane.process.poll() is None and plane.stop())
        return plane

    def test_debugging_is_off_unless_asked_for(self):
        plane = self.start()
        for page in ("", "/memory", "/engine", "/connections"):
            self.assertEqual(plane.get(f"/debug{page}")[0], 404)
        self.assertEqual(plane.get("/healthcheck")[0], 200)
        self.assertEqual(plane.stop(), 0)

    def test_what_debugging_shows(self):
        plane = self.start(FLYTE_DEBUG_PAGES="1")
        status, memory = plane.get("/debug/memory")
        self.assertEqual(status, 200)
        values = dict(line.split("=") for line in memory.split())
        self.assertLessEqual({"heap_bytes", "heap_used_bytes", "heap_free_bytes", "mapped_bytes"}, set(values))
        self.assertTrue(all(value.isdigit() for value in values.values()), memory)
        self.assertEqual(plane.get("/debug/engine")[0], 200)
        with socket.create_connection(("127.0.0.1", plane.port), timeout=DEADLINE_SECONDS) as idle:
            # It has asked nothing yet, and is shown all the same, with its peer.
            status, connections = plane.get("/debug/connections")
            self.assertEqual(status, 200)
            self.assertIn("127.0.0.1", connections)
            self.assertGreaterEqual(len(connections.splitlines()), 2, connections)
            idle.close()

    def test_the_log_level_by_signal(self):
        plane = self.start(FLYTE_LOG_LEVEL="warn")
        plane.get("/api/v1/version", **{"x-request-id": "not-logged"})
        plane.process.send_signal(signal.SIGUSR1)
        at = plane.logged("log level changed", "debug")
        plane.get("/api/v1/version", **{"x-request-id": "logged"})
        at = plane.logged("request=logged", since=at)
        plane.process.send_signal(signal.SIGUSR2)
        at = plane.logged("log level changed", "warn", since=at)
        plane.get("/api/v1/version", **{"x-request-id": "not-logged-either"})
        plane.get("/api/v1/executions/flytesnacks/development/nosuch", **{"x-request-id": "a-warning"})
        plane.logged("request=a-warning", since=at)
        self.assertFalse([line for line in plane.lines if "not-logged" in line])

    def test_the_log_level_by_configuration(self):
        plane = self.start()
        plane.write_config("logger:\n  level: error\n")
        plane.told("STATUS=")
        plane.get("/api/v1/version", **{"x-request-id": "not-logged"})
        plane.write_config("logger:\n  level: info\n")
        plane.told("STATUS=")
        plane.get("/api/v1/version", **{"x-request-id": "logged"})
        plane.logged("request=logged")
        self.assertFalse([line for line in plane.lines if "request=not-logged" in line])

    def test_a_wrong_configuration_changes_nothing_and_is_told_with_its_line(self):
        plane = self.start()
        path = "/api/v1/project_attributes/flytesnacks?resource_type=WORKFLOW_EXECUTION_CONFIG"

        def parallelism():
            return json.loads(plane.get(path)[1])["attributes"]["matching_attributes"]["workflow_execution_config"]["max_parallelism"]

        self.assertEqual(parallelism(), 25)
        plane.write_config("flyteadmin:\n  maxParallelism: 7\n")
        plane.told("STATUS=")
        self.assertEqual(parallelism(), 7)
        plane.write_config("flyteadmin:\n  maxParalelism: 8\n")
        told = plane.told("STATUS=settings not changed")
        self.assertIn("line 2", told)
        self.assertIn("maxParalelism", told)
        self.assertEqual(parallelism(), 7)
        plane.write_config("flyteadmin:\n  maxParallelism: 9\n")
        plane.told("STATUS=")
        self.assertEqual(parallelism(), 9)


if __name__ == "__main__":
    unittest.main()
