"""Snapshots with the fake engine, whose helper container prints and takes a volume's tar."""

import hashlib
import io
import json
import os
import pathlib
import tarfile
import unittest

from fake_engine import Exec
from launcher import FREE_PORTS, Case

SAVE = "tar --create --file=-*"
RESTORE = "tar --extract --file=-*"
CHECKPOINT = "psql -qc checkpoint *"


class Snapshots(Case):
    def setUp(self):
        super().setUp()
        self.run_sandbox("start", *FREE_PORTS)
        self.file = pathlib.Path(self.directory, "s.sandbox")
        self.volume = os.urandom(700000) + bytes(300000)
        self.engine.commands[CHECKPOINT] = Exec()
        self.engine.commands[SAVE] = Exec(self.volume)
        self.engine.commands[RESTORE] = Exec(echo=True)

    def save(self, **options):
        return self.run_sandbox("snapshot", "save", str(self.file), **options)

    def restored(self):
        """What the last tar was given."""
        return next(state["stdin"] for state in reversed(list(self.engine.execs.values())) if "stdin" in state)

    def assert_no_helper(self):
        self.assertFalse([name for name in self.engine.containers if name.endswith("-snapshot")])

    def test_save_and_restore(self):
        self.save()
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])
        steps = [path for method, path, *_ in self.engine.requests if path.endswith(("pause", "unpause"))]
        self.assertEqual([path.rpartition("/")[2] for path in steps], ["pause", "unpause"])
        with tarfile.open(self.file) as archive:
            self.assertEqual(archive.getnames(), ["manifest.json", "volume.tar.gz"])
            manifest = json.load(archive.extractfile("manifest.json"))
            packed = archive.extractfile("volume.tar.gz").read()
        self.assertEqual(manifest["volume"], {"bytes": len(self.volume), "compressedBytes": len(packed), "sha256": hashlib.sha256(packed).hexdigest()})
        self.assertEqual((manifest["name"], manifest["image"]["id"]), ("flyte-sandbox", "sha256:aaaa"))
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        self.run_sandbox("snapshot", "restore", str(self.file), "--name", "copy")
        self.assertEqual(self.restored(), self.volume)
        self.assertIn("flyte-sandbox-copy", self.engine.volumes)
        self.assertNotIn("flyte-sandbox-copy", self.engine.containers)
        self.assert_no_helper()
        listed = json.loads(self.run_sandbox("snapshot", "list", self.directory, "-o", "json").stdout)["snapshots"]
        self.assertEqual([entry["file"] for entry in listed], [str(self.file)])
        self.assertIn("flyte-sandbox", self.run_sandbox("snapshot", "list", self.directory).stdout)

    def test_postgres_writes_down_first(self):
        self.engine.commands[CHECKPOINT] = Exec(stderr="psql: no server\n", code=2)
        done = self.save(code=1)
        self.assert_error(done, "snapshot-checkpoint", "no server", "sandbox stop")
        self.assertEqual(self.engine.asked("POST", "/pause$"), [])
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])
        self.assertFalse(self.file.exists())
        self.run_sandbox("stop")
        self.save()

    def test_stopped_and_default_place(self):
        self.run_sandbox("stop")
        self.run_sandbox("snapshot", "save")
        self.assertEqual(self.engine.asked("POST", "/pause$"), [])
        listed = json.loads(self.run_sandbox("snapshot", "list", "-o", "json").stdout)["snapshots"]
        self.assertTrue(listed[0]["file"].startswith(str(self.home / ".local/share/sandbox/snapshots/flyte-sandbox-")))
        self.run_sandbox("delete", "--volume")
        self.run_sandbox("start", *FREE_PORTS, "--from", listed[0]["file"])
        self.assertEqual(self.restored(), self.volume)
        self.assert_error(self.run_sandbox("start", "--from", listed[0]["file"], code=6), "snapshot-target", "delete --volume")
        self.assertIn("no snapshots", self.run_sandbox("snapshot", "list", "/nonexistent").stderr)

    def test_target_with_a_state(self):
        self.save()
        self.assert_error(self.run_sandbox("snapshot", "restore", str(self.file), code=6), "snapshot-target")
        self.run_sandbox("delete")
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, "--from", str(self.file), code=6), "snapshot-target")
        self.assertIn("flyte-sandbox", self.engine.volumes)

    def test_other_image(self):
        self.save()
        self.engine.images["flyte-sandbox:0.1.0"] = "sha256:other"
        done = self.run_sandbox("start", "--name", "copy", "--from", str(self.file), code=12)
        self.assert_error(done, "snapshot-mismatch", "sha256:aaaa", "sha256:other", "--image NAME")
        self.assertNotIn("flyte-sandbox-copy", self.engine.volumes)

    def test_damaged_file(self):
        self.save()
        whole = self.file.read_bytes()
        damages = {
            "damaged": whole[:20000] + b"x" + whole[20001:],
            "cut off": whole[: len(whole) // 2],
            "no snapshot": b"something else",
            "format 9": whole.replace(b'"format": 1', b'"format": 9'),
        }
        for text, content in damages.items():
            with self.subTest(damage=text):
                self.file.write_bytes(content)
                self.assert_error(self.run_sandbox("snapshot", "restore", str(self.file), "--name", "copy", code=12), "snapshot-file", text)
        self.assertNotIn("flyte-sandbox-copy", self.engine.volumes)
        self.run_sandbox("snapshot", "restore", "/nonexistent", code=3)

    def test_tar_fails(self):
        self.engine.commands[SAVE] = Exec(b"part", stderr="tar: ./x: Cannot read\n", code=2)
        self.assert_error(self.save(code=1), "snapshot-tar", "tar: ./x: Cannot read")
        self.assertEqual((self.engine.running(), list(pathlib.Path(self.directory).glob("s.sandbox*"))), (["flyte-sandbox"], []))
        self.engine.commands[SAVE] = Exec(self.volume)
        self.save()
        self.engine.commands[RESTORE] = Exec(stderr="tar: no space\n", code=2)
        self.assert_error(self.run_sandbox("snapshot", "restore", str(self.file), "--name", "copy", code=1), "snapshot-tar", "no space")
        self.assertNotIn("flyte-sandbox-copy", self.engine.volumes)
        self.assert_no_helper()

    def test_no_room_for_the_file(self):
        self.assert_error(self.run_sandbox("snapshot", "save", "/dev/full/x", code=1), "snapshot-write")
        self.assert_error(self.run_sandbox("snapshot", "save", "/nonexistent/x", code=3), "snapshot-write")
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])

    def test_interrupt_leaves_nothing_paused(self):
        self.engine.commands[SAVE] = Exec(b"x" * 100000, hang=True)
        done = self.interrupt("snapshot", "save", str(self.file))
        self.assertEqual(done.returncode, 130)
        self.assertEqual((self.engine.running(), list(pathlib.Path(self.directory).glob("s.sandbox*"))), (["flyte-sandbox"], []))
        self.assert_no_helper()

    def test_what_stays_paused_is_told(self):
        self.engine.faults["POST /unpause$"] = (500, "no such cgroup")
        self.assert_error(self.save(code=1), "docker-error", "stays paused", "no such cgroup", "hint: sandbox resume")
        self.engine.commands[SAVE] = Exec(stderr="tar: ./x: Cannot read\n", code=2)
        del self.engine.faults["POST /unpause$"]
        self.run_sandbox("resume")
        self.engine.faults["POST /unpause$"] = (500, "no such cgroup")
        self.assert_error(self.save(code=1), "snapshot-tar", "stays paused", "Cannot read", "hint: sandbox resume")

    def test_what_is_in_the_way_of_the_file(self):
        other = pathlib.Path(self.directory, "other")
        other.write_text("precious", encoding="utf-8")
        self.file.with_name("s.sandbox.part").symlink_to(other)
        self.save()
        self.assertEqual(other.read_text(encoding="utf-8"), "precious")
        self.run_sandbox("snapshot", "restore", str(self.file), "--name", "copy")

    def test_helper_of_an_earlier_launcher(self):
        self.engine.add_container("flyte-sandbox-snapshot", labels={})
        self.save()
        self.assert_no_helper()
        self.engine.faults["POST /containers/create"] = (500, "no more containers")
        self.assert_error(self.save(code=1), "docker-error", "no more containers")
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])

    def test_mistakes(self):
        self.assert_error(self.run_sandbox("snapshot", "dump", code=2), "bad-value", "save, restore and list")
        self.assert_error(self.run_sandbox("snapshot", "restore", code=2), "missing-argument")
        self.run_sandbox("delete", "--volume")
        self.assert_error(self.save(code=3), "sandbox-absent")


if __name__ == "__main__":
    unittest.main()
