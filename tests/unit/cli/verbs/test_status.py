"""The state of a sandbox, as text, document and exit code."""

import json

from fake_engine import STARTING, Exec, lines, service
from launcher import Case


class Status(Case):
    def expect(self, state, code, **container):
        if container:
            self.engine.add_container(**container)
        done = self.run_sandbox("status", "-o", "json", code=code)
        self.assertEqual(json.loads(done.stdout)["state"], state)
        self.assertIn(state, self.run_sandbox("status", code=code).stdout)
        self.assertEqual(self.run_sandbox("status", "-q", code=code).stdout, "")

    def test_states(self):
        self.expect("absent", 3)
        self.expect("stopped", 4, status="exited", exit_code=143)
        self.expect("stopped", 4, status="created")
        self.expect("crashed", 4, status="exited", exit_code=1)
        self.expect("paused", 4, status="paused")
        self.expect("running", 0, status="running")
        self.engine.commands["sandbox-init status --json"] = Exec(lines(STARTING), code=3)
        self.expect("starting", 5)
        self.engine.commands["sandbox-init status --json"] = Exec(lines([service("postgres", "failed"), {"ready": False}]), code=3)
        self.expect("degraded", 5)
        self.engine.commands["sandbox-init status --json"] = Exec(stderr="cannot reach PID 1", code=1)
        self.expect("starting", 5)

    def test_document(self):
        self.engine.add_container()
        document = json.loads(self.run_sandbox("status", "-o", "json").stdout)
        for key in ("schemaVersion", "name", "state", "ready", "services", "endpoints", "image", "timings"):
            self.assertIn(key, document)
        self.assertEqual(set(document["services"][0]), {"name", "status", "namespace", "message", "endpoint"})
        self.assertEqual(
            document["endpoints"],
            {
                "console": "http://localhost:30080/console",
                "grpc": "localhost:30080",
                "kubernetes": "https://127.0.0.1:6443",
                "s3": "http://localhost:30002",
                "postgres": "postgresql://postgres:postgres@localhost:30001/flyte",
            },
        )
