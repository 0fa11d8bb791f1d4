"""What follows a start: restart, pause, resume, delete; and several launchers at once."""

import json
import os
import pathlib
import subprocess

from fake_engine import Exec
from launcher import BINARY, FREE_PORTS, Case


class Lifecycle(Case):
    """restart, pause, resume; and what several launchers do at once."""

    def setUp(self):
        super().setUp()
        self.run_sandbox("start", *FREE_PORTS)

    def status_of(self, name="flyte-sandbox"):
        return self.engine.find(name)["State"]["Status"]

    def test_pause_of_a_busy_sandbox(self):
        """runc gives up on freezing it; it is asked again, but not for ever."""
        self.engine.add_container()
        asked = []

        def busy(handler):
            asked.append(handler)
            return handler.fail(500, "OCI runtime pause failed: unable to freeze: unknown") if len(asked) < 3 else handler.container_pause("flyte-sandbox")

        self.engine.faults["POST /pause$"] = busy
        self.run_sandbox("pause")
        self.assertEqual((len(asked), self.engine.containers["flyte-sandbox"]["State"]["Status"]), (3, "paused"))
        self.run_sandbox("resume")
        self.engine.faults["POST /pause$"] = (500, "OCI runtime pause failed: unable to freeze: unknown")
        self.assert_error(self.run_sandbox("pause", code=1), "docker-error", "cannot pause the container", "unable to freeze")

    def test_pause_and_resume(self):
        self.assertEqual(json.loads(self.run_sandbox("pause", "-o", "json").stdout)["state"], "paused")
        self.assertEqual(self.status_of(), "paused")
        self.run_sandbox("pause")
        self.assert_error(self.run_sandbox("kubeconfig", code=4), "sandbox-paused")
        self.assertEqual(json.loads(self.run_sandbox("resume", "-o", "json").stdout)["state"], "running")
        self.assertEqual(self.status_of(), "running")
        self.run_sandbox("resume")
        self.run_sandbox("stop")
        self.assert_error(self.run_sandbox("pause", code=4), "sandbox-stopped", "sandbox start")
        self.assert_error(self.run_sandbox("resume", code=4), "sandbox-stopped")
        self.run_sandbox("delete")
        for verb in ("pause", "resume", "restart", "env", "kubeconfig", "open"):
            self.assert_error(self.run_sandbox(verb, code=3), "sandbox-absent")

    def test_restart(self):
        self.run_sandbox("restart")
        self.assertEqual((len(self.engine.asked("POST", "/stop$")), len(self.engine.asked("POST", "/start$")) - len(self.engine.asked("POST", "/exec/.*/start$"))), (1, 2))
        self.run_sandbox("pause")
        self.assertIn("restarted", self.run_sandbox("restart").stderr)
        self.run_sandbox("stop")
        self.assertEqual(json.loads(self.run_sandbox("restart", "-o", "json").stdout)["state"], "running")
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 1)

    def test_another_home_is_configured(self):
        """The same sandbox for another user, or another HOME: start tells its clients, too."""
        self.environment["HOME"] = other = os.path.join(self.directory, "other")
        os.mkdir(other)
        self.run_sandbox("start")
        for name in (".flyte/config-sandbox.yaml", ".flyte/sandbox/kubeconfig", ".kube/config"):
            self.assertTrue(pathlib.Path(other, name).exists(), name)
        self.assertIn("current-context: flyte-sandbox", pathlib.Path(other, ".kube/config").read_text())

    def test_starts_at_once_make_one_sandbox(self):
        self.run_sandbox("delete", "--volume")
        self.engine.requests.clear()
        command = [BINARY, "start", *FREE_PORTS, "-o", "json"]
        starts = [subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
        for process in starts:
            stdout, stderr = process.communicate(timeout=60)
            self.assertEqual((process.returncode, json.loads(stdout)["state"]), (0, "running"), stderr)
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 1)

    def test_locked(self):
        self.engine.commands["sandbox-init status --follow --json"] = Exec(hang=True)
        self.run_sandbox("stop")
        holder = subprocess.Popen([BINARY, "start", *FREE_PORTS], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            self.check_locked_by(holder)
        finally:
            holder.kill()
            holder.communicate(timeout=30)

    def check_locked_by(self, holder):
        self.assertTrue(self.engine.waiting.wait(30))
        done = self.run_sandbox("restart", "--timeout", "1s", code=6)
        self.assert_error(done, "instance-locked", f"`sandbox start` (pid {holder.pid})", "waiting: another launcher")
        self.engine.requests.clear()
        self.assertEqual(self.interrupt("restart", wait_for=lambda: self.engine.asked("GET", "^/_ping$")).returncode, 130)

    def test_lock_in_somebody_elses_place(self):
        runtime = pathlib.Path(self.directory, "runtime")
        runtime.mkdir()
        self.environment["XDG_RUNTIME_DIR"] = str(runtime)
        (runtime / "sandbox").write_text("")
        self.assert_error(self.run_sandbox("stop", code=7), "instance-lock", "not a directory of ours")
        self.environment["XDG_RUNTIME_DIR"] = "/nonexistent"
        self.assert_error(self.run_sandbox("stop", code=3), "instance-lock")

    def test_events(self):
        def event(action, seconds, **attributes):
            return {"Type": "container", "Action": action, "timeNano": seconds * 10**9, "Actor": {"ID": "c", "Attributes": {"name": "flyte-sandbox", "image": "i", **attributes}}}

        self.engine.events = [event("start", 1000), event("die", 1001, exitCode="137")]
        self.assertEqual(self.run_sandbox("events").stdout.splitlines(), ["1970-01-01T00:16:40.000000Z  flyte-sandbox  start", "1970-01-01T00:16:41.000000Z  flyte-sandbox  die (exit code 137)"])
        filters = json.loads(self.engine.asked("GET", "^/events")[0][2]["filters"])
        self.assertEqual(filters["label"], ["dev.sandbox.instance=flyte-sandbox"])
        self.assertIn("oom", filters["event"])
        documents = [json.loads(line) for line in self.run_sandbox("events", "--all", "-o", "json").stdout.splitlines()]
        self.assertEqual([(document["schemaVersion"], document["event"], document.get("exitCode")) for document in documents], [(1, "start", None), (1, "die", 137)])
        self.assertEqual(json.loads(self.engine.asked("GET", "^/events")[1][2]["filters"])["label"], ["dev.sandbox.instance"])
        self.assertEqual(self.interrupt("events", "--follow").returncode, 130)

    def test_open(self):
        browser = pathlib.Path(self.directory, "browser")
        browser.write_text(f"#!/bin/sh\necho \"$1\" >{self.directory}/opened\n")
        browser.chmod(0o755)
        self.environment["BROWSER"] = str(browser)
        url = self.run_sandbox("open", "--print").stdout.strip()
        self.assertRegex(url, r"^http://localhost:\d+/console$")
        self.assertFalse(os.path.exists(f"{self.directory}/opened"))
        self.run_sandbox("open")
        self.assertEqual(pathlib.Path(self.directory, "opened").read_text().strip(), url)
        self.assertEqual(json.loads(self.run_sandbox("open", "-o", "json").stdout)["url"], url)
        self.environment.update(BROWSER="/nonexistent", PATH="/nonexistent")
        self.assertIn(f"the address is {url}", self.run_sandbox("open").stderr)


class Delete(Case):
    def test_volume_stays_unless_asked(self):
        self.run_sandbox("start", *FREE_PORTS)
        self.run_sandbox("delete")
        self.assertEqual(list(self.engine.volumes), ["flyte-sandbox"])
        self.run_sandbox("delete", "--volume")
        self.assert_nothing_left()
        done = self.run_sandbox("delete", "-o", "json")
        self.assertEqual(json.loads(done.stdout)["state"], "absent")

    def test_stop_of_nothing(self):
        self.assert_error(self.run_sandbox("stop", code=3), "sandbox-absent")
