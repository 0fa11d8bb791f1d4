"""The bundle of logs: the services' own are in it whatever else there is, and nothing that somebody gave as a secret."""

import io
import json
import tarfile
import unittest

from fake_engine import STARTING, Exec, lines, service
from launcher import FREE_PORTS, Case

LOG = "/var/lib/sandbox/log"
MEBIBYTE = 1 << 20


class Bundle(Case):
    def setUp(self):
        super().setUp()
        self.engine.files["/etc/sandbox/services.json"] = json.dumps({"services": [{"name": "postgres"}, {"name": "kubernetes"}, {"name": "minio"}]})
        self.engine.files[f"{LOG}/postgres.log"] = "postgres now\n"
        self.engine.files[f"{LOG}/postgres.log.1"] = "postgres before\n"
        self.engine.files[f"{LOG}/kubernetes.log"] = "no API server\n"
        self.engine.add_container()

    def bundle(self):
        path = f"{self.directory}/b.tar.gz"
        self.run_sandbox("logs", "--bundle", path)
        with tarfile.open(path) as archive:
            return {entry.name: archive.extractfile(entry).read() for entry in archive}

    def only_the_pods(self, answer):
        """What the engine answers for the logs of pods; for other files, what it has."""
        self.engine.faults["GET /archive$"] = lambda handler: answer(handler) if handler.query["path"] == f"{LOG}/pods" else handler.archive_get("flyte-sandbox")

    def test_services_and_pods(self):
        self.engine.files[f"{LOG}/pods/p-1/main/0.log"] = "a task\n"
        files = self.bundle()
        self.assertEqual(files["services/log/postgres.log"], b"postgres now\n")
        self.assertEqual(files["services/log/postgres.log.1"], b"postgres before\n")
        self.assertEqual(files["services/log/kubernetes.log"], b"no API server\n")
        self.assertEqual(files["services/log/pods/p-1/main/0.log"], b"a task\n")
        self.assertNotIn("services/log/minio.log", files)
        self.assertNotIn("pods.txt", files)

    def test_more_logs_of_pods_than_there_is_room_for(self):
        """66 MiB of them: what fits is there, and every service's."""
        def answer(handler):
            handler.head(200, {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"})
            for number in range(66):
                out = io.BytesIO()
                with tarfile.open(fileobj=out, mode="w") as archive:
                    entry = tarfile.TarInfo(f"pods/p-{number}/main/0.log")
                    entry.size = MEBIBYTE - 512
                    archive.addfile(entry, io.BytesIO(b"x" * entry.size))
                handler.write(f"{MEBIBYTE:x}\r\n".encode() + out.getvalue()[:MEBIBYTE] + b"\r\n")
            handler.end_chunks()

        self.only_the_pods(answer)
        files = self.bundle()
        self.assertEqual(files["services/log/postgres.log"], b"postgres now\n")
        self.assertEqual(files["services/log/kubernetes.log"], b"no API server\n")
        self.assertIn(b"larger than", files["pods.txt"])
        self.assertEqual(len(files["services/log/pods/p-0/main/0.log"]), MEBIBYTE - 512)
        self.assertNotIn("services/log/pods/p-65/main/0.log", files)

    def test_one_that_fails_takes_no_other_with_it(self):
        self.engine.faults["GET /archive$"] = lambda handler: handler.fail(500, "disk on fire") if handler.query["path"] == f"{LOG}/postgres.log" else handler.archive_get("flyte-sandbox")
        files = self.bundle()
        self.assertIn(b"disk on fire", files["services/log/postgres.log"])
        self.assertEqual(files["services/log/kubernetes.log"], b"no API server\n")

    def test_what_a_failed_start_says_can_be_done(self):
        """The container is taken back: `sandbox logs` would find nothing."""
        self.engine.containers.clear()
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(STARTING[:2]), hang=True)
        done = self.run_sandbox("start", *FREE_PORTS, "--timeout", "1s", code=9)
        self.assert_error(done, "start-timeout", "in the bundle; `sandbox start --keep`")
        done = self.run_sandbox("start", *FREE_PORTS, "--timeout", "1s", "--keep", code=9)
        self.assert_error(done, "start-timeout", "hint: sandbox logs kubernetes")
        self.run_sandbox("delete", "--volume")
        killed = "killed by signal 9: \"Attempting to register node\""
        failing = [service("kubernetes", status, 6443, message=killed) for _ in range(6) for status in ("starting", "failed")]
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(failing), hang=True)
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=1), "service-failing", "for want of memory", "--memory")


if __name__ == "__main__":
    unittest.main()
