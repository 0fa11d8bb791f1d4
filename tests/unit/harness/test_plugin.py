"""The pytest plugin with the fake engine and a Flyte of a few lines: one sandbox a run, also with xdist's workers; a project a test; nothing left."""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "cli"))

from launcher import BINARY, ROOT, Case  # noqa: E402

TESTS = '''
import os, pytest

@pytest.mark.parametrize("number", range(4))
def test_project(flyte_sandbox, flyte_project, flyte_env, number):
    assert flyte_sandbox.status["state"] == "running"
    assert os.environ["FLYTE_PLATFORM_URL"] == flyte_sandbox.endpoints["grpc"]
    assert flyte_project.startswith("t-")
'''


def can_import(*modules):
    return subprocess.run([sys.executable, "-c", "import " + ", ".join(modules)], capture_output=True, check=False).returncode == 0


@unittest.skipUnless(can_import("pytest"), "pytest is not there")
class Plugin(Case):
    def setUp(self):
        super().setUp()
        self.asked = asked = []

        class Api(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
                asked.append((self.command, self.path, body))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_POST = do_PUT = answer

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        port = server.server_address[1]


        def start(handler):
            name = handler.target.split("/containers/")[1].split("/")[0]
            self.engine.find(name)["HostConfig"]["PortBindings"]["30080/tcp"][0]["HostPort"] = str(port)
            return handler.container_start(name)

        self.engine.faults["POST ^/containers/[^/]+/start$"] = start
        self.suite = pathlib.Path(self.directory, "suite")
        self.suite.mkdir()
        (self.suite / "test_it.py").write_text(TESTS)

    def pytest(self, *arguments, code=0):
        # What `pip install` of the source tree leaves there would register the plugin once more.
        environment = {**self.environment, "PYTHONPATH": str(ROOT / "python/pytest-flyte-sandbox/src"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [sys.executable, "-m", "pytest", "-p", "pytest_flyte_sandbox.plugin", "-p", "no:cacheprovider", "-q", f"--flyte-sandbox-command={BINARY}", *arguments]
        done = subprocess.run(command, cwd=self.suite, env=environment, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def check_projects(self):
        made = [body["project"]["id"] for method, path, body in self.asked if method == "POST"]
        archived = [path.rpartition("/")[2] for method, path, body in self.asked if method == "PUT" and body["state"] == "ARCHIVED"]
        self.assertEqual((len(set(made)), sorted(made)), (4, sorted(archived)))

    def test_one_process(self):
        self.pytest()
        self.check_projects()
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 1)
        self.assert_nothing_left()

    @unittest.skipUnless(can_import("xdist"), "pytest-xdist is not there")
    def test_workers_share_one_sandbox(self):
        self.pytest("-p", "xdist", "-n", "3")
        self.check_projects()
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 1)
        self.assert_nothing_left()

    @unittest.skipUnless(can_import("xdist"), "pytest-xdist is not there")
    def test_a_run_without_a_sandbox_needs_no_launcher(self):
        (self.suite / "test_it.py").write_text("def test_nothing():\n    pass\n")
        self.pytest("-p", "xdist", "-n", "2", "--flyte-sandbox-command=/nonexistent/sandbox")
        self.assertEqual(self.engine.asked("DELETE", "/containers"), [])

    def test_named_instance_is_kept(self):
        self.pytest("--flyte-sandbox-name", "mine", "--flyte-sandbox-start=--memory=2048")
        self.assertEqual(self.engine.running(), ["flyte-sandbox-mine"])
        self.assertEqual(self.engine.find("flyte-sandbox-mine")["HostConfig"]["Memory"], 2048 << 20)
        self.assertNotIn("dev.sandbox.owner", self.engine.find("flyte-sandbox-mine")["Config"]["Labels"])

    def test_failure_is_told(self):
        self.engine.images.clear()
        done = self.pytest(code=1)
        self.assertIn("[image-missing]", done.stdout)
        self.assert_nothing_left()


if __name__ == "__main__":
    os.environ.setdefault("SANDBOX_BINARY", "sandbox")
    unittest.main()
