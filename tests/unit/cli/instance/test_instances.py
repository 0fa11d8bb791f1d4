"""Many instances: lists, lifetimes, owners, and taking away what nobody wants."""

import json
import os
import pathlib
import subprocess
import time
import unittest

from launcher import BINARY, FREE_PORTS, Case


class Instances(Case):
    OVER = {"dev.sandbox.expires": "2026-01-01T00:00:00.000000Z"}

    def add(self, name, volume=True, container=True, **labels):
        all_labels = {"dev.sandbox.instance": name, **{f"dev.sandbox.{key}": value for key, value in labels.items()}}
        if container:
            self.engine.add_container(name, labels=all_labels)
        if volume:
            self.engine.volumes[name] = {"Name": name, "Labels": all_labels, "CreatedAt": "2026-01-01T00:00:00Z"}

    def test_list(self):
        self.assertEqual(json.loads(self.run_sandbox("list", "-o", "json").stdout)["instances"], [])
        self.assertIn("there is no sandbox", self.run_sandbox("list").stderr)
        self.add("flyte-sandbox-b")
        self.add("flyte-sandbox", expires="2999-01-01T00:00:00.000000Z")
        self.add("flyte-sandbox-gone", container=False)
        self.engine.add_container("somebody", labels={})
        self.engine.volumes["theirs"] = {"Name": "theirs", "Labels": None}
        rows = [line.split() for line in self.run_sandbox("list").stdout.splitlines()]
        self.assertEqual(rows[0], ["NAME", "STATE", "AGE", "IMAGE", "PORTS", "UNTIL"])
        self.assertEqual([row[:2] for row in rows[1:]], [["flyte-sandbox", "running"], ["flyte-sandbox-b", "running"], ["flyte-sandbox-gone", "absent"]])
        self.assertIn("http=30080", rows[1])
        self.assertEqual(rows[1][-1], "2999-01-01T00:00:00.000000Z")
        self.assertEqual(self.run_sandbox("list", "-o", "name").stdout.split(), ["flyte-sandbox", "flyte-sandbox-b", "flyte-sandbox-gone"])
        document = json.loads(self.run_sandbox("list", "--disk", "-o", "json").stdout)
        self.assertEqual([entry["diskBytes"] for entry in document["instances"]], [5 << 20] * 3)
        self.assertEqual(document["instances"][0]["ports"], {"http": 30080, "kubernetes": 6443, "postgres": 30001, "s3": 30002})
        self.assertIn("5 MiB", self.run_sandbox("list", "--disk").stdout)

    def test_list_is_not_absence(self):
        self.engine.faults["GET /containers/json"] = (500, "database is locked")
        self.assert_error(self.run_sandbox("list", code=1), "docker-error", "database is locked")
        self.engine.faults = {"GET ^/volumes$": (500, "no volumes today")}
        self.assert_error(self.run_sandbox("list", code=1), "docker-error", "no volumes today")
        self.engine.faults = {"GET ^/containers/.*/json": (500, "broken")}
        self.add("flyte-sandbox")
        self.assert_error(self.run_sandbox("prune", code=1), "docker-error", "broken")

    def test_prune(self):
        ended = subprocess.Popen(["true"])
        ended.wait()
        here, mine = self.place(), pathlib.Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19]
        host, machine, boot, processes = here.split()
        self.add("flyte-sandbox-expired", expires="2026-01-01T00:00:00.000000Z")
        self.add("flyte-sandbox-ownerless", owner=f"{here} {ended.pid} 5")
        self.add("flyte-sandbox-reused", owner=f"{here} {os.getpid()} 5")
        self.add("flyte-sandbox-leftover", container=False, expires="2026-01-01T00:00:00.000000Z")
        self.add("flyte-sandbox-owned", owner=f"{here} {os.getpid()} {mine}")
        self.add("flyte-sandbox-elsewhere", owner=f"another-machine {machine} another-boot {processes} 1 5")
        self.add("flyte-sandbox-container", owner=f"{host} {machine} {boot} pid:[1] 1 5")
        self.add("flyte-sandbox-older-launcher", owner=f"{host} 1 5")
        self.add("flyte-sandbox-later", expires="2999-01-01T00:00:00.000000Z")
        self.add("flyte-sandbox-kept", container=False)
        self.add("flyte-sandbox")
        over = {"flyte-sandbox-expired", "flyte-sandbox-ownerless", "flyte-sandbox-reused", "flyte-sandbox-leftover"}
        everything = set(self.engine.volumes)
        document = json.loads(self.run_sandbox("prune", "--dry-run", "-o", "json").stdout)
        self.assertEqual((document["dryRun"], {entry["name"] for entry in document["removed"]}), (True, over))
        self.assertEqual(set(self.engine.volumes), everything)
        done = self.run_sandbox("prune")
        self.assertIn("removed 'flyte-sandbox-expired': expired at 2026-01-01", done.stderr)
        self.assertIn(f"its owner, process {ended.pid}, has ended", done.stderr)
        self.assertEqual(set(self.engine.volumes), everything - over)
        self.assertEqual(set(self.engine.containers), everything - over - {"flyte-sandbox-kept"})
        self.assertIn("nothing to remove", self.run_sandbox("prune").stderr)
        self.run_sandbox("prune", "--volumes")
        self.assertEqual(set(self.engine.volumes), everything - over - {"flyte-sandbox-kept"})

    def test_ttl(self):
        self.run_sandbox("start", *FREE_PORTS, "--ttl", "1h")
        labels = self.engine.find("flyte-sandbox")["Config"]["Labels"]
        self.assertEqual(labels["dev.sandbox.expires"], self.engine.volumes["flyte-sandbox"]["Labels"]["dev.sandbox.expires"])
        self.assertGreater(labels["dev.sandbox.expires"], time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 3500)))
        self.assertIn("nothing to remove", self.run_sandbox("prune").stderr)
        # A start without it makes the sandbox stay.
        self.run_sandbox("stop")
        self.run_sandbox("start", *FREE_PORTS)
        self.assertNotIn("dev.sandbox.expires", self.engine.find("flyte-sandbox")["Config"]["Labels"])

    def wait_until(self, condition, what):
        deadline = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def test_owner(self):
        owner = subprocess.Popen(["sleep", "600"])
        self.addCleanup(owner.wait)
        self.addCleanup(owner.kill)
        self.run_sandbox("start", *FREE_PORTS, "--owner-pid", str(owner.pid))
        self.assertTrue((self.home / ".flyte/config-sandbox.yaml").exists())
        self.run_sandbox("status")
        owner.kill()
        # Not waited for yet: a zombie has ended, too.
        self.wait_until(lambda: not self.engine.containers and not self.engine.volumes, "the owner's end removes the sandbox")
        self.wait_until(lambda: not (self.home / ".flyte/config-sandbox.yaml").exists(), "and what clients know of it")
        kube = self.home / ".kube/config"
        self.wait_until(lambda: "flyte-sandbox" not in kube.read_text() and not (kube.parent / "config.lock").exists(), "and kubectl")

    @unittest.skipUnless(subprocess.run(["unshare", "-rpf", "--mount-proc", "true"], capture_output=True).returncode == 0, "no namespaces of process ids can be made here")
    def test_owner_in_another_container(self):
        """Process 2 of its namespace: ours of that number is another one, and so nobody out here may say that the owner has ended."""
        script = f'sleep 600 & owner=$!; "{BINARY}" start --ports auto --owner-pid $owner >/dev/null && echo "$owner"; read ended; kill -9 "$owner"; read gone'
        container = subprocess.Popen(["unshare", "-rpf", "--mount-proc", "sh", "-c", script], env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(container.communicate)
        self.assertRegex(container.stdout.readline(), r"^[2-9]\n$")
        label = self.engine.find("flyte-sandbox")["Config"]["Labels"]["dev.sandbox.owner"].split()
        self.assertEqual(label[:3], self.place().split()[:3])
        self.assertNotEqual(label[3], self.place().split()[3])
        self.assertIn("nothing to remove", self.run_sandbox("prune").stderr)
        container.stdin.write("\n")
        container.stdin.flush()
        self.wait_until(lambda: not self.engine.containers and not self.engine.volumes, "who is in there sees the owner's end")

    def test_owner_of_a_sandbox_that_was_made_anew(self):
        """The watcher of the first one must not remove the second one."""
        owner = subprocess.Popen(["sleep", "600"])
        self.run_sandbox("start", *FREE_PORTS, "--owner-pid", str(owner.pid))
        self.run_sandbox("delete", "--volume")
        self.run_sandbox("start", *FREE_PORTS)
        self.engine.requests.clear()
        owner.kill()
        owner.wait()
        self.wait_until(lambda: self.engine.asked("GET", "^/volumes$"), "the watcher looks")
        self.run_sandbox("status")
        self.assertEqual(self.engine.asked("DELETE", ""), [])

    def test_no_owner(self):
        self.assert_error(self.run_sandbox("start", "--owner-pid", "2147483647", code=3), "owner-absent")
        self.assert_nothing_left()
