"""Starts that fail, are interrupted, killed, or run out of room: what is said, and what stays."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import tarfile
import time

from fake_engine import STARTING, Exec, lines, service
from launcher import BINARY, FREE_PORTS, Case


class Trouble(Case):
    def test_dies_while_starting(self):
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(STARTING[:2]), hang=True)
        self.engine.logs = [(2, b"cannot start: disk on fire\n")]
        process = subprocess.Popen([BINARY, "start", *FREE_PORTS], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertTrue(self.engine.waiting.wait(30))
        began = time.monotonic()
        self.engine.die(42)
        _, stderr = process.communicate(timeout=30)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(process.returncode, 1)
        self.assertIn("error[sandbox-died]", stderr)
        self.assertIn("exit code 42", stderr)
        self.assertIn("disk on fire", stderr)
        self.assert_nothing_left()
        bundle = self.bundle_of(stderr)
        self.assertIn(b"disk on fire", bundle["container.log"])
        self.assertEqual(json.loads(bundle["error.json"])["id"], "sandbox-died")
        self.assertEqual(json.loads(bundle["status.json"])["state"], "crashed")

    def bundle_of(self, stderr):
        """The files of the bundle that an error names."""
        path = re.search(r"^logs: (.*)$", stderr, re.MULTILINE).group(1)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)
        with tarfile.open(path) as archive:
            return {entry.name: archive.extractfile(entry).read() for entry in archive}

    def test_deadline(self):
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(STARTING[:2]), hang=True)
        self.engine.files["/var/lib/sandbox/log/kubernetes.log"] = "no API server\n"
        self.engine.files["/etc/sandbox/services.json"] = json.dumps({"services": [{"name": "postgres"}, {"name": "kubernetes"}]})
        done = self.run_sandbox("start", *FREE_PORTS, "--timeout", "1s", "--env", "TOKEN=secret", code=9)
        self.assert_error(done, "start-timeout", "kubernetes (starting: waits for the API server)", "`sandbox start --keep`", "`sandbox logs kubernetes`", "check: sandbox doctor memory")
        self.assertNotIn("postgres (", done.stderr)
        self.assert_nothing_left()
        bundle = self.bundle_of(done.stderr)
        self.assertEqual(bundle["services/log/kubernetes.log"], b"no API server\n")
        self.assertEqual({check["id"] for check in json.loads(bundle["doctor.json"])}, {"cgroup", "disk", "memory", "inotify", "modules", "dns", "ca", "clock"})
        self.assertIn("TOKEN=(left out)", json.loads(bundle["container.json"])["Config"]["Env"])
        self.assertNotIn(b"secret", b"".join(bundle.values()))

    def test_keep(self):
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(STARTING[:2]), hang=True)
        done = self.run_sandbox("start", *FREE_PORTS, "--timeout", "1s", "--keep", code=9)
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])
        self.assertIn("error.json", self.bundle_of(done.stderr))

    def test_failed_start_keeps_what_was_there_before(self):
        self.run_sandbox("start", *FREE_PORTS)
        self.run_sandbox("stop")
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(STARTING[:2]), hang=True)
        document = json.loads(self.run_sandbox("start", *FREE_PORTS, "--timeout", "1s", "-o", "json", code=9).stdout)
        self.assertEqual((document["error"]["id"], document["check"]), ("start-timeout", "memory"))
        self.assertTrue(os.path.exists(document["bundle"]))
        self.assertEqual((list(self.engine.containers), list(self.engine.volumes), self.engine.running()), (["flyte-sandbox"], ["flyte-sandbox"], []))

    def test_bundles_are_few_and_may_fail(self):
        directory = self.home / ".local/state/sandbox/bundles"
        directory.mkdir(parents=True, mode=0o700)
        for number in range(12):
            (directory / f"flyte-sandbox-20260101T0000{number:02}000000Z.tar.gz").write_text("")
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(STARTING[:2]), hang=True)
        self.engine.faults["GET /info"] = lambda handler: handler.info() if not os.path.exists(f"{self.directory}/broken") else handler.fail(500, "no information")
        self.run_sandbox("start", *FREE_PORTS, "--timeout", "1s", code=9)
        self.assertEqual(len(list(directory.iterdir())), 10)
        self.assertFalse((directory / "flyte-sandbox-20260101T000000000000Z.tar.gz").exists())
        self.engine.add_container()
        pathlib.Path(self.directory, "broken").write_text("")
        self.engine.faults["GET /logs"] = (500, "no logs")
        self.run_sandbox("logs", "--bundle", f"{self.directory}/b.tar.gz")
        with tarfile.open(f"{self.directory}/b.tar.gz") as archive:
            files = {entry.name: archive.extractfile(entry).read() for entry in archive}
        self.assertIn("no information", json.loads(files["engine.json"])["error"]["message"])
        self.assertIn(b"no logs", files["container.log"])
        self.assertIn(b"Could not find", files["services.txt"])
        self.assert_error(self.run_sandbox("logs", "--bundle", "/nonexistent/b", code=1), "bundle")
        # Where there is no place for it, the failure is told all the same.
        shutil.rmtree(directory)
        directory.write_text("")
        self.run_sandbox("delete")
        pathlib.Path(self.directory, "broken").unlink()
        done = self.run_sandbox("start", *FREE_PORTS, "--timeout", "1s", code=9)
        self.assertIn("the logs could not be kept", done.stderr)

    def test_failing_service(self):
        flapping = [service("postgres", status, 5432, message="exit 1") for _ in range(6) for status in ("starting", "failed")]
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(flapping), hang=True)
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=1), "service-failing", "postgres", "exit 1")

    def test_no_sandbox_image(self):
        self.engine.commands["sandbox-init status --follow --json"] = Exec(stdout="OCI runtime exec failed: not found\n", code=127)
        self.run_sandbox("start", *FREE_PORTS, "--timeout", "2s", code=9)

    def test_an_image_without_a_command(self):
        self.engine.faults["POST ^/containers/create"] = (400, "No command specified")
        done = self.run_sandbox("start", *FREE_PORTS, code=12)
        self.assert_error(done, "image-unsuitable", "No command specified", "this is no sandbox image", "check: sandbox doctor image")
        self.assert_nothing_left()

    def test_capabilities_that_an_engine_elsewhere_lacks(self):
        """What its machine has is known from its answers only."""
        lacking = ["SYS_RESOURCE", "SYS_BOOT", "NET_ADMIN"]

        def create(handler):
            for name in json.loads(handler.body)["HostConfig"]["CapAdd"]:
                if name in lacking:
                    return handler.fail(400, f'invalid CapAdd: capability not supported by your kernel or not available in the current environment: "CAP_{name}"')
            return handler.container_create()

        self.engine.faults["POST ^/containers/create"] = create
        self.run_sandbox("start", *FREE_PORTS)
        added = self.engine.containers["flyte-sandbox"]["HostConfig"]["CapAdd"]
        self.assertIn("SYS_ADMIN", added)
        self.assertFalse(set(added) & set(lacking))
        self.run_sandbox("delete", "--volume")

        # runc says it at the start, and not which.
        def start(handler, name):
            with_it = "SYS_RESOURCE" in self.engine.containers["flyte-sandbox"]["HostConfig"]["CapAdd"]
            return handler.fail(400, "unable to start container process: unable to apply caps: operation not permitted") if with_it else handler.container_start(name)

        self.engine.faults = {"POST ^/containers/([^/]*)/start$": lambda handler: start(handler, handler.target.split("/")[3])}
        self.run_sandbox("start", *FREE_PORTS)
        self.assertIn("NET_ADMIN", self.engine.containers["flyte-sandbox"]["HostConfig"]["CapAdd"])
        self.run_sandbox("delete", "--volume")
        self.engine.faults = {"POST /start$": (400, "unable to apply caps: operation not permitted")}
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=12), "docker-error", "the engine's host lacks capabilities")
        self.assert_nothing_left()
        self.engine.faults = {}
        # One that was not asked for is no reason to ask again.
        self.engine.faults["POST ^/containers/create"] = (400, 'invalid CapAdd: unknown capability: "CAP_MAGIC"')
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=12), "docker-error", "CAP_MAGIC")

    def test_create_refused(self):
        self.engine.faults["POST /containers/create"] = (500, "no space left on device")
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=10), "disk-space", "no space left on device", "check: sandbox doctor disk")
        self.assert_nothing_left()

    def test_start_refused_keeps_state(self):
        """The volume was there before: it is not ours to take back."""
        self.run_sandbox("start", *FREE_PORTS)
        self.run_sandbox("delete")
        self.engine.faults["POST /start$"] = (500, "cgroups: cannot")
        self.run_sandbox("start", *FREE_PORTS, code=1)
        self.assertEqual((list(self.engine.containers), list(self.engine.volumes)), ([], ["flyte-sandbox"]))

    def test_engine_finds_the_port_taken(self):
        self.engine.add_container("other", labels={}, Ports=[{"PublicPort": 31996}])
        self.engine.faults["POST /start$"] = (500, "driver failed: Bind for 127.0.0.1:31996 failed: port is already allocated")
        done = self.run_sandbox("start", *FREE_PORTS, "--port", "http=31996", code=6)
        self.assert_error(done, "port-taken", "port 31996 (http)", "container 'other'")
        self.assertEqual(list(self.engine.containers), ["other"])

    def test_process_holds_the_port(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            done = self.run_sandbox("start", *FREE_PORTS, "--port", f"s3={port}", code=6)
        self.assert_error(done, "port-taken", f"port {port} (s3)", f"(pid {os.getpid()})")
        self.assert_nothing_left()

    def test_not_enough_disk(self):
        done = self.run_sandbox("start", *FREE_PORTS, "--min-disk", "100000", code=10)
        self.assert_error(done, "disk-space", "--min-disk")
        self.assert_nothing_left()

    def test_lost_race(self):
        """Another start made the container between our look and our create."""
        def somebody_else(handler):
            with handler.engine.lock:
                handler.engine.add_container()
                handler.engine.volumes["flyte-sandbox"] = {"Name": "flyte-sandbox", "Labels": {"dev.sandbox.instance": "flyte-sandbox"}}
            return handler.fail(409, 'Conflict. The container name "/flyte-sandbox" is already in use')

        self.engine.faults["POST /containers/create"] = somebody_else
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=6), "docker-error", "another `sandbox start`")
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])
        self.assertEqual(list(self.engine.volumes), ["flyte-sandbox"])

    def test_error_is_not_absence(self):
        self.engine.add_container()
        self.engine.faults["GET /containers/flyte-sandbox/json"] = (500, "database is locked")
        for arguments in (["start"], ["status"], ["stop"], ["delete", "--volume"]):
            with self.subTest(arguments=arguments):
                self.assert_error(self.run_sandbox(*arguments, code=1), "docker-error", "database is locked")
        self.assertEqual(self.engine.asked("POST", "/create"), [])
        self.assertEqual(self.engine.asked("DELETE", ""), [])

    def test_foreign_things(self):
        self.engine.add_container(labels={})
        self.assert_error(self.run_sandbox("start", code=6), "foreign-container", "docker rm -f")
        self.assert_error(self.run_sandbox("delete", code=6), "foreign-container")
        self.engine.containers.clear()
        self.engine.volumes["flyte-sandbox"] = {"Name": "flyte-sandbox", "Labels": None}
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=6), "foreign-volume")
        self.assert_error(self.run_sandbox("delete", "--volume", code=6), "foreign-volume")
        self.assertEqual(list(self.engine.volumes), ["flyte-sandbox"])

    def test_connection_lost(self):
        self.engine.faults["POST /containers/create"] = lambda handler: False
        self.run_sandbox("start", *FREE_PORTS, code=8)

    def test_error_as_a_document(self):
        document = json.loads(self.run_sandbox("stop", "-o", "json", code=3).stdout)
        self.assertEqual((document["schemaVersion"], document["command"], document["name"]), (1, "stop", "flyte-sandbox"))
        self.assertEqual({key: document["error"][key] for key in ("id", "kind", "exitCode", "hint")}, {"id": "sandbox-absent", "kind": "not-found", "exitCode": 3, "hint": "sandbox start"})
        self.assertEqual(json.loads(self.run_sandbox("-o", "json", "strat", code=2).stdout)["error"]["id"], "unknown-verb")
        self.assertEqual(self.run_sandbox("-o", "json", "exec", "true", code=125).stdout, "", "stdout belongs to the command")

    def test_answer_without_message(self):
        self.engine.faults["GET /containers/flyte-sandbox/json"] = lambda handler: handler.answer(502)
        self.assert_error(self.run_sandbox("status", code=1), "docker-error", "502")


class Interrupts(Case):
    def check(self, done, code=130):
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn("error[cancelled]", done.stderr)
        self.assert_nothing_left()

    def test_during_pull(self):
        self.engine.pull_hangs = True
        self.check(self.interrupt("start", *FREE_PORTS, "--image", "ghcr.io/a/b"))

    def test_while_waiting(self):
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(STARTING[:2]), hang=True)
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            with self.subTest(signal=number):
                self.engine.waiting.clear()
                done = self.interrupt("start", *FREE_PORTS, number=number)
                self.check(done, code)
                self.assertIn("nothing of this start is left", done.stderr)

    def test_what_was_there_before_stays(self):
        self.run_sandbox("start", *FREE_PORTS)
        self.run_sandbox("stop")
        self.engine.commands["sandbox-init status --follow --json"] = Exec(hang=True)
        done = self.interrupt("start", *FREE_PORTS)
        self.assertEqual(done.returncode, 130)
        self.assertEqual(list(self.engine.containers), ["flyte-sandbox"])
        self.assertEqual(list(self.engine.volumes), ["flyte-sandbox"])
        self.assertEqual(self.engine.running(), [])

    def test_running_sandbox_survives(self):
        self.run_sandbox("start", *FREE_PORTS)
        self.engine.commands["sandbox-init status --follow --json"] = Exec(hang=True)
        self.assertEqual(self.interrupt("start").returncode, 130)
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])
