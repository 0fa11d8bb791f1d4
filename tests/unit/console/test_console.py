"""
The console in headless Chromium, before an API whose every name, value and message is markup: all of it must be text. And a page that is made anew
every two seconds must leave alone whoever uses it with the keyboard, or has a list open.
"""

import http.server
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

HERE = pathlib.Path(__file__).parent
CONSOLE = HERE.parents[2] / "sandbox/console"
BROWSER = shutil.which(os.environ.get("CHROMIUM", "chromium"))
DEADLINE_SECONDS = 90


def hostile(what):
    return f"\"'></pre></title><script>bad('script {what}')</script><img src=/stolen onerror=\"bad('image {what}')\"><svg onload=\"bad('svg {what}')\">"


NAME = hostile("name")


class Api:
    """Answers of the control plane; `asked` counts the lists of executions."""

    def __init__(self):
        self.asked = 0

    def execution(self, name, phase="RUNNING", **closure):
        return {"id": {"project": "flytesnacks", "domain": "development", "name": name},
                "closure": {"phase": phase, "workflow_id": {"name": hostile("workflow")}, "created_at": "2026-01-01T00:00:00Z", **closure}}

    def node(self, error):
        return {"id": {"node_id": hostile("node")}, "closure": {"phase": "FAILED", "error": {"message": error}}}

    def answer(self, path, query):
        if path == ["projects"]:
            domains = [{"id": "development"}, {"id": hostile("domain")}]
            return {"projects": [{"id": "flytesnacks", "domains": domains}, {"id": hostile("project"), "domains": domains}]}
        if path == ["executions", "flytesnacks", "development"]:
            self.asked += 1
            # Something is always new, so that the page is really made anew.
            return {"executions": [self.execution(NAME), self.execution("plain", duration=f"{self.asked}s")], "token": "" if query.get("token") else "50"}
        if path == ["executions", "flytesnacks", "development", NAME]:
            return self.execution(NAME, "FAILED", error={"message": hostile("error")})
        if path == ["data", "executions", "flytesnacks", "development", NAME]:
            text = {"scalar": {"primitive": {"string_value": hostile("value")}}}
            return {"full_inputs": {"literals": {hostile("variable"): text}}, "full_outputs": {"literals": {"o": {"map": {"literals": {hostile("key"): text}}}}}}
        if path == ["node_executions", "flytesnacks", "development", NAME]:
            return {"node_executions": [self.node("Trace:\n\n    Trace"), {"id": {"node_id": "waiting"}, "closure": {"phase": "QUEUED"}}]}
        if path == ["task_executions", "flytesnacks", "development", NAME, "waiting"]:
            return {"task_executions": [{"closure": {"reason": hostile("reason")}}]}
        if path == ["task_executions", "flytesnacks", "development", NAME, hostile("node")]:
            return {"task_executions": [{"closure": {"reason": hostile("reason"), "metadata": {"generated_name": hostile("pod")}}}]}
        if path == ["node_executions", "flytesnacks", "development", NAME, hostile("node")]:
            return self.node(f"Trace:\n\n    Traceback: {hostile('trace')}\n\nMessage:\n\n    {hostile('node error')}")
        return None


class Handler(http.server.BaseHTTPRequestHandler):
    def send(self, body, content_type="application/json", status=200):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        path = [urllib.parse.unquote(part) for part in url.path.split("/")[1:]]
        if path[:2] == ["api", "v1"]:
            answer = self.server.api.answer(path[2:], dict(urllib.parse.parse_qsl(url.query)))
            self.send(json.dumps(answer or {"message": hostile("message")}).encode(), status=200 if answer else 404)
        elif url.path in ("/console/app.js", "/check.js"):
            self.send((CONSOLE / "app.js" if url.path != "/check.js" else HERE / "check.js").read_bytes(), "text/javascript")
        elif url.path == "/console/style.css":
            self.send((CONSOLE / "style.css").read_bytes(), "text/css")
        elif path[0] == "console":
            page = (CONSOLE / "index.html").read_text().replace("<link", '<script src="/check.js"></script><link', 1)
            self.send(page.encode(), "text/html")
        else:
            self.server.tell(f"bad request for {self.path}")
            self.send(b"", status=404)

    def do_POST(self):
        text = self.rfile.read(int(self.headers["content-length"])).decode()
        self.send(b"")
        self.server.tell(text)

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.api = Api()
        self.told = []
        self.done = threading.Event()

    def tell(self, text):
        self.told.append(text)
        if text == "done" or text.startswith("bad"):
            self.done.set()


@unittest.skipUnless(BROWSER, "there is no chromium here")
class Console(unittest.TestCase):
    def visit(self, path):
        server = Server()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            browser = subprocess.Popen([BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", f"--user-data-dir={profile}",
                                        f"http://127.0.0.1:{server.server_address[1]}{path}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                server.done.wait(DEADLINE_SECONDS)
            finally:
                browser.kill()
                browser.wait()
        self.assertEqual(server.told, ["done"])

    def test_everything_is_text_and_the_keyboard_keeps_its_place(self):
        self.visit("/console/")

    def test_the_address_that_a_task_is_told(self):
        """FLYTE_EXECUTION_URL: the execution, with the node marked."""
        self.visit(f"/console/projects/flytesnacks/domains/development/executions/{urllib.parse.quote(NAME, safe='')}/nodeId/waiting-0/nodes")

    def test_what_is_not_there(self):
        self.visit("/console/projects/%3Cimg%20src=%2Fstolen%20onerror=bad('address')%3E/domains/d/executions/e")


if __name__ == "__main__":
    unittest.main()
