"""`status` asks PID 1 through the port that the engine publishes, and by an exec where that does not help."""

import json
import signal
import socket
import tarfile
import threading
import unittest

from fake_engine import READY, STARTING, Exec, lines
from launcher import FREE_PORTS, Case

TOKEN = "0123456789abcdef0123456789abcdef"
PORT = "9095/tcp"


class Answering:
    """A listener on 127.0.0.1 that reads a line and answers, for PID 1. `answer` gets the line; None: says nothing until it is closed."""

    def __init__(self, answer):
        self.answer = answer
        self.questions = []
        self.asked = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(connection)
            line = connection.makefile("rb").readline()
            self.questions.append(line)
            self.asked.set()
            answer = self.answer(line)
            if answer is None:
                continue
            try:
                for at in range(0, len(answer), 50):
                    connection.sendall(answer[at : at + 50])
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the launcher has heard enough
            connection.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.open:
            connection.close()


def as_init(line):
    """What PID 1 answers (sandbox/init/control.h)."""
    question = json.loads(line)
    if question.get("token") != TOKEN:
        return lines([{"error": {"id": "bad-token", "message": "the status port needs the token of this container"}}]).encode()
    return lines(READY).encode() if question["command"] == "status" else b""


class StatusPort(Case):
    def listen(self, answer):
        answering = Answering(answer)
        self.addCleanup(answering.close)
        return answering

    def add_container(self, port, token=TOKEN):
        container = self.engine.add_container()
        container["NetworkSettings"] = {"Ports": {"30080/tcp": None, PORT: [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}}
        container["Config"]["Env"] = ["PATH=/bin", f"SANDBOX_STATUS_TOKEN={token}"]
        return container

    def execs(self):
        return self.engine.asked("POST", "/exec")

    def test_no_exec_is_needed(self):
        answering = self.listen(as_init)
        self.add_container(answering.port)
        del self.engine.commands["sandbox-init status --json"]
        document = json.loads(self.run_sandbox("status", "-o", "json").stdout)
        self.assertEqual((document["state"], document["timings"]), ("running", READY[-1]["timings"]))
        self.assertEqual([service["name"] for service in document["services"]], ["postgres", "kubernetes", "controlplane"])
        self.assertEqual(self.execs(), [])
        self.assertEqual([json.loads(line) for line in answering.questions], [{"command": "status", "token": TOKEN}])

    def test_not_ready(self):
        self.add_container(self.listen(lambda line: lines(STARTING).encode()).port)
        self.assertIn("waits for the API server", self.run_sandbox("status", code=5).stdout)
        self.assertEqual(self.execs(), [])

    def test_who_creates_publishes_it(self):
        self.run_sandbox("start", *FREE_PORTS, "--bind", "0.0.0.0")
        body = json.loads(self.engine.asked("POST", "/containers/create")[0][3])
        self.assertEqual(body["HostConfig"]["PortBindings"][PORT], [{"HostIp": "127.0.0.1", "HostPort": ""}], "this machine only, and any port")
        self.assertIn(PORT, body["ExposedPorts"])
        self.run_sandbox("stop")
        self.run_sandbox("--name", "other", "start")
        tokens = [[text for text in json.loads(request[3])["Env"] if text.startswith("SANDBOX_STATUS_TOKEN=")] for request in self.engine.asked("POST", "/containers/create")]
        self.assertRegex(tokens[0][0], "^SANDBOX_STATUS_TOKEN=[0-9a-f]{32}$")
        self.assertNotEqual(tokens[0], tokens[1], "each container has its own")

    def test_the_token_is_no_part_of_the_specification(self):
        """Else each start would make the container anew."""
        self.run_sandbox("start", *FREE_PORTS)
        self.run_sandbox("stop")
        self.run_sandbox("start", *FREE_PORTS)
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 1)

    def test_where_it_does_not_help_the_engine_is_asked(self):
        answers = {
            "another token": as_init,
            "nothing": lambda line: b"",
            "another protocol": lambda line: b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "another program's JSON": lambda line: b"{}\n",
            "half an answer": lambda line: lines(READY[:2]).encode(),
            "a line without end": lambda line: b"x" * (3 << 20),
            "silence": lambda line: None,
        }
        for name, answer in answers.items():
            with self.subTest(name):
                before = len(self.execs())
                self.add_container(self.listen(answer).port, token="another" if name == "another token" else TOKEN)
                done = self.run_sandbox("status", "--verbose")
                self.assertIn("the status port does not help", done.stderr)
                self.assertIn("running", done.stdout)
                self.assertGreater(len(self.execs()), before)

    def test_nobody_listens(self):
        answering = Answering(as_init)
        answering.close()
        self.add_container(answering.port)
        self.assertIn("nothing listens on port", self.run_sandbox("status", "--verbose").stderr)
        self.assertNotEqual(self.execs(), [])

    def test_containers_of_older_launchers(self):
        """They have no such port, or no token."""
        self.engine.add_container()
        self.assertNotIn("status port", self.run_sandbox("status", "--verbose").stderr)
        answering = self.listen(as_init)
        self.add_container(answering.port)["Config"]["Env"] = None
        self.assertNotIn("status port", self.run_sandbox("status", "--verbose").stderr)
        self.assertEqual(answering.questions, [])
        self.assertEqual(len(self.execs()), 4)  # each is made and started

    def test_interrupt(self):
        answering = self.listen(lambda line: None)
        self.add_container(answering.port)
        self.engine.commands["sandbox-init status --json"] = Exec(hang=True)
        done = self.interrupt("status", number=signal.SIGINT, wait_for=answering.asked.is_set)
        self.assertEqual(done.returncode, 130)
        self.assertEqual(self.execs(), [])

    def test_bundles_leave_the_token_out(self):
        answering = self.listen(as_init)
        self.add_container(answering.port)
        bundle = f"{self.directory}/bundle.tar.gz"
        self.run_sandbox("logs", "--bundle", bundle)
        with tarfile.open(bundle) as archive:
            for entry in archive:
                if entry.isfile():
                    self.assertNotIn(TOKEN.encode(), archive.extractfile(entry).read(), entry.name)


if __name__ == "__main__":
    unittest.main()
