"""What an instance keeps of the options that it was started with, and what a start says whose wishes a running one does not fulfil."""

import json
import subprocess
import unittest

from launcher import FREE_PORTS, Case


class Kept(Case):
    def body(self):
        return json.loads(self.engine.asked("POST", "/containers/create")[-1][3])

    def ports(self):
        return {key: value[0]["HostPort"] for key, value in self.body()["HostConfig"]["PortBindings"].items()}

    def test_stop_and_start_keep_them(self):
        self.engine.images["mine:1"] = "sha256:bbbb"
        self.run_sandbox("start", *FREE_PORTS, "--port", "http=31801", "--memory", "2048", "--env", "A=b", "--image", "mine:1", "--bind", "127.0.0.2")
        first = self.body()
        self.run_sandbox("stop")
        self.run_sandbox("start")
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 1, "the same container")
        # Another wish makes it anew; the others stay.
        self.run_sandbox("stop")
        self.run_sandbox("start", "--memory", "3000", "--env", "C=d", "--port", "s3=31802")
        second = self.body()
        self.assertEqual((second["HostConfig"]["Memory"], second["Image"]), (3000 << 20, "mine:1"))
        self.assertEqual(second["Env"][-2:], ["A=b", "C=d"])
        self.assertEqual(self.ports()["30080/tcp"], "31801")
        self.assertEqual(self.ports()["9000/tcp"], "31802")
        for port in ("5432/tcp", "6443/tcp"):
            self.assertEqual(second["HostConfig"]["PortBindings"][port], first["HostConfig"]["PortBindings"][port])
        # And back.
        self.run_sandbox("stop")
        self.run_sandbox("start", "--memory", "0", "--env", "A=e", "--ports", "auto")
        third = self.body()
        self.assertNotIn("Memory", third["HostConfig"])
        self.assertEqual(third["Env"][-2:], ["A=e", "C=d"], "of two the later one holds")
        self.assertNotIn('"port"', third["Labels"]["dev.sandbox.settings"])
        self.run_sandbox("stop")
        self.run_sandbox("start")
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 3)

    def test_values_of_the_environment_stand_in_one_place(self):
        self.run_sandbox("start", *FREE_PORTS, "--env", "TOKEN=very-secret")
        self.assertNotIn("very-secret", json.dumps(self.body()["Labels"]))
        self.assertNotIn("dev.sandbox.settings", json.dumps(self.engine.volumes))

    def test_a_container_without_the_label(self):
        """Of an older launcher, or with a label that somebody has changed."""
        for label in (None, "[", "[]", '{"memory": "x", "env": 5, "port": [1], "image": 7}'):
            with self.subTest(label=label):
                self.engine.containers.clear()
                container = self.engine.add_container(status="exited")
                if label is not None:
                    container["Config"]["Labels"]["dev.sandbox.settings"] = label
                self.run_sandbox("start", *FREE_PORTS)
                self.assertEqual(self.body()["Image"], "flyte-sandbox:0.1.0")
                self.run_sandbox("delete", "--volume")

    def test_doctor_looks_at_the_kept_ports(self):
        self.run_sandbox("start", *FREE_PORTS, "--port", "http=31803")
        self.run_sandbox("stop")
        self.assertIn("31803 (http)", self.run_sandbox("doctor", "ports").stdout)


class Running(Case):
    def setUp(self):
        super().setUp()
        self.arguments = [*FREE_PORTS, "--port", "http=31804", "--memory", "2048", "--env", "A=b", "--bind", "127.0.0.1"]
        self.run_sandbox("start", *self.arguments)

    def test_the_same_again_is_a_success(self):
        self.run_sandbox("start", *self.arguments)
        self.run_sandbox("start")
        self.run_sandbox("start", "--ports", "auto", "--keep", "--timeout", "9s")
        self.environment["SANDBOX_MEMORY"] = "2048"
        self.assertEqual(json.loads(self.run_sandbox("start", "-o", "json").stdout)["state"], "running")
        self.engine.images["alias:1"] = "sha256:aaaa"
        self.run_sandbox("start", "--image", "alias:1")
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 1)

    def test_every_difference_is_told(self):
        cases = [
            (("--memory", "4096"), "a memory limit of 2048 MiB, not 4096 MiB (--memory)"),
            (("--memory", "0"), "a memory limit of 2048 MiB, not none (--memory)"),
            (("--port", "http=31805"), "http on port 31804, not 31805 (--port)"),
            (("--ports", "default"), "http on port 31804, not 30080 (--ports)"),
            (("--bind", "0.0.0.0"), "ports on 127.0.0.1, not 0.0.0.0 (--bind)"),
            (("--env", "A=c"), "not this value of A (--env)"),
            (("--image", "other:1"), "image 'flyte-sandbox:0.1.0', not 'other:1' (--image)"),
            (("--ttl", "1h"), "no end of its time (--ttl)"),
            (("--owner-pid", "1"), "no owner (--owner-pid)"),
        ]
        for arguments, text in cases:
            with self.subTest(arguments=arguments):
                self.assert_error(self.run_sandbox("start", *arguments, code=4), "settings-differ", text, "`sandbox stop`")
        done = self.run_sandbox("start", *[word for arguments, _ in cases[2:4] for word in arguments], "--memory", "9000", code=4)
        self.assertEqual(done.stderr.count("; "), 4, "several in one message")
        self.environment["SANDBOX_MEMORY"] = "5000"
        document = json.loads(self.run_sandbox("start", "-o", "json", code=4).stdout)
        self.assertIn("(SANDBOX_MEMORY)", document["error"]["message"])
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 1)

    def test_an_image_that_was_made_anew(self):
        self.engine.images["flyte-sandbox:0.1.0"] = "sha256:cccc"
        self.assertIn("has changed since this sandbox was started", self.run_sandbox("start").stderr)

    def test_dry_run(self):
        document = json.loads(self.run_sandbox("start", "--dry-run", "-o", "json").stdout)
        self.assertEqual((document["before"], document["container"]), ("running", None))
        self.assertIn("nothing would be created", self.run_sandbox("start", "--dry-run").stdout)

    def test_another_owner(self):
        owner = subprocess.Popen(["sleep", "600"])
        self.addCleanup(owner.wait)
        self.addCleanup(owner.kill)
        self.run_sandbox("delete", "--volume")
        self.run_sandbox("start", *FREE_PORTS, "--owner-pid", str(owner.pid), "--ttl", "1h")
        self.run_sandbox("start", "--owner-pid", str(owner.pid), "--ttl", "2h")
        self.assert_error(self.run_sandbox("start", "--owner-pid", "1", code=4), "settings-differ", "another owner", str(owner.pid))


class MistakesBeforeAnything(Case):
    def test_values_that_cannot_work(self):
        """They are found before the engine is asked for anything, whether the sandbox runs or not."""
        cases = [
            (("--port", "web=80"), 2, "bad-value", "http, kubernetes, postgres and s3"),
            (("--port", "http=99999"), 2, "bad-value", "1 to 65535"),
            (("--bind", "localhost"), 2, "bad-value", "no IP address"),
            (("--memory", "100"), 2, "bad-value", "530 MiB at rest"),
            (("--config", "/nonexistent.yaml"), 3, "bad-configuration", "/nonexistent.yaml"),
            (("--ttl", "32d"), 2, "bad-value", "3d"),
        ]
        for arguments, code, identifier, text in cases:
            with self.subTest(arguments=arguments):
                self.assert_error(self.run_sandbox("start", *FREE_PORTS, *arguments, code=code), identifier, text)
        self.assertEqual(self.engine.requests, [])
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, "--bind", "192.0.2.1", code=2), "bad-value", "no address 192.0.2.1")
        self.assert_nothing_left()

    def test_what_an_ended_owner_left(self):
        """The next owner's start finds it before the watcher has deleted it: it begins anew, and does not share what will be deleted."""
        first = subprocess.Popen(["true"])
        first.wait()
        container = self.engine.add_container()
        container["Config"]["Labels"]["dev.sandbox.owner"] = f"{self.place()} {first.pid} 1"
        self.engine.volumes["flyte-sandbox"] = {"Name": "flyte-sandbox", "Labels": {"dev.sandbox.instance": "flyte-sandbox"}}
        owner = subprocess.Popen(["sleep", "600"])
        self.addCleanup(owner.wait)
        self.addCleanup(owner.kill)
        done = self.run_sandbox("start", *FREE_PORTS, "--owner-pid", str(owner.pid))
        self.assertIn("has ended", done.stderr)
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 1)


if __name__ == "__main__":
    unittest.main()
