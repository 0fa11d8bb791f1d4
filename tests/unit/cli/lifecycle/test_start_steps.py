"""Trouble at each request that a start makes: Ctrl-C, kill -9, a full disk, an engine that goes away, refuses, or answers nonsense.

The requests are taken from a start that succeeds, so none is passed over when start changes."""

import functools
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from fake_engine import STARTING, Exec, FakeEngine, lines
from launcher import BINARY, FREE_PORTS, ROOT, Case


def step_of(method, path):
    """What a request does, whatever it does it to."""
    path = re.sub(r"^/(containers|volumes|images)/(?!create$|load$|json$)[^/]+", r"/\1/X", path)
    return f"{method} " + re.sub(r"^/exec/[^/]+", "/exec/X", path)


@functools.cache
def steps():
    """("POST /exec/X/start", 1): the first request of that kind, and so on, of a start from nothing."""
    directory = tempfile.mkdtemp(prefix="sandbox-test-")
    engine = FakeEngine(directory)
    environment = {**os.environ, "HOME": directory, "DOCKER_HOST": f"unix://{engine.path}", "SANDBOX_MIN_DISK": "0", "XDG_RUNTIME_DIR": directory}
    subprocess.run([BINARY, "start", *FREE_PORTS], env=environment, check=True, capture_output=True)
    engine.close()
    shutil.rmtree(directory)
    found = []
    for request in engine.requests:
        name = step_of(request[0], request[1])
        found.append((name, sum(1 for known, _ in found if known == name) + 1))
    return found


def documented_errors():
    """id -> exit codes, of the guide."""
    rows = re.findall(r"^\| (`[^|]*`) \| ([0-9, ]+) \|", (ROOT / "docs/guide/errors.md").read_text(encoding="utf-8"), re.MULTILINE)
    return {name: {int(code) for code in codes.split(",")} for names, codes in rows for name in re.findall(r"`([^`]+)`", names)}


# The sandbox is ready by then: what fails there is the configuration of its clients, and it stays.
READY_BY_THEN = {"GET /containers/X/archive", "POST /containers/X/update"}


class EveryStep(Case):
    def setUp(self):
        super().setUp()
        self.documented = documented_errors()

    def at(self, step, number, act):
        """Has `act` done with the handler of that request, once. True in the list that comes back when it was."""
        seen, reached = [], []

        def intercept(handler):
            with self.engine.lock:
                if step_of(handler.method, re.sub(r"^/v1\.\d+", "", handler.target.partition("?")[0])) == step:
                    seen.append(True)
                    if len(seen) == number:
                        reached.append(True)
                        return lambda: act(handler)
            return None

        self.engine.interceptor = intercept
        return reached

    def each(self, trial, of=lambda step: True):
        for step, number in steps():
            if of(step):
                with self.subTest(step=step, number=number):
                    trial(step, number)
                self.engine.interceptor, self.engine.gone = None, False
                if self.engine.containers or self.engine.volumes:
                    self.run_sandbox("delete", "--volume")

    def start(self):
        return subprocess.run([BINARY, "start", *FREE_PORTS], env=self.environment, capture_output=True, text=True, timeout=60)

    def begin(self, reached):
        """A start that has come to the step, or, where that is a race that it need not win, to its end."""
        process = subprocess.Popen([BINARY, "start", *FREE_PORTS], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        deadline = time.monotonic() + 30
        while not reached and process.poll() is None:
            self.assertLess(time.monotonic(), deadline, "the start gets there")
            time.sleep(0.005)
        return process

    def assert_error_of_the_guide(self, done, *identifiers):
        found = re.search(r"^error\[([a-z-]+)\]: .", done.stderr, re.MULTILINE)
        self.assertTrue(found, done.stderr)
        self.assertIn(done.returncode, self.documented.get(found.group(1), ()), done.stderr)
        self.assertIn(found.group(1), identifiers, done.stderr)

    def assert_taken_back(self, step, done):
        if step in READY_BY_THEN:
            self.assertEqual(self.engine.running(), ["flyte-sandbox"], done.stderr)
        else:
            self.assertEqual((list(self.engine.containers), list(self.engine.volumes)), ([], []), done.stderr)

    def test_there_are_steps(self):
        names = [step for step, _ in steps()]
        for wanted in ("GET /_ping", "GET /info", "POST /volumes/create", "POST /containers/create", "POST /containers/X/start", "POST /containers/X/exec", "POST /exec/X/start",
                       "GET /containers/X/archive", "POST /containers/X/update"):
            self.assertIn(wanted, names)

    def test_interrupted(self):
        """Ctrl-C while the request is under way; the engine answers it all the same."""
        def trial(step, number):
            release = threading.Event()

            def hold(handler):
                release.wait(10)
                return handler.route()

            process = self.begin(self.at(step, number, hold))
            process.send_signal(signal.SIGINT)
            # Creating and starting are not cut in half: those wait for their answer.
            threading.Timer(0.2, release.set).start()
            _, stderr = process.communicate(timeout=30)
            if process.returncode == 0 and step == "POST /containers/X/wait":
                return
            self.assertEqual(process.returncode, 130, stderr)
            self.assertIn("error[cancelled]", stderr)
            self.assert_nothing_left()

        self.each(trial)

    def test_killed(self):
        """Before the engine has done what it was asked, or after, and then nobody has heard of it. Nothing stays locked, and the next start makes a sandbox
        of what there is."""
        def trial(step, number):
            for after in (False, True):
                release = threading.Event()

                def hold(handler, after=after, release=release):
                    if after:
                        handler.wfile = io.BytesIO()
                        handler.route()
                    release.wait(30)
                    return False

                process = self.begin(self.at(step, number, hold))
                process.kill()
                process.wait()
                self.engine.interceptor = None
                release.set()
                self.run_sandbox("start", *FREE_PORTS)
                self.assertEqual(self.engine.running(), ["flyte-sandbox"])
                self.run_sandbox("delete", "--volume")
                self.assert_nothing_left()
                self.assertEqual([name for name in os.listdir(self.home / ".kube") if name != "config"], [])

        self.each(trial)

    def test_engine_goes_away(self):
        """In the middle of an answer, and then answers nobody. When it is back, the next start makes a sandbox of what there is."""
        def trial(step, number):
            def go(handler):
                self.engine.gone = True
                handler.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"Id": ')
                return False

            reached = self.at(step, number, go)
            done = self.start()
            if reached and done.returncode:
                self.assert_error_of_the_guide(done, "connection-failed", "http-protocol")
                self.assertIn(self.engine.path, done.stderr)
            else:
                self.assertIn(step, ("POST /containers/X/wait", "GET /exec/X/json"), done.stderr)
            self.engine.interceptor, self.engine.gone = None, False
            self.run_sandbox("start", *FREE_PORTS)
            self.assertEqual(self.engine.running(), ["flyte-sandbox"])

        self.each(trial)

    def refuse(self, message, identifiers, passed_over, of=lambda step: True):
        def trial(step, number):
            self.at(step, number, lambda handler: handler.fail(500, message))
            done = self.start()
            if step in passed_over:
                self.assertEqual((done.returncode, self.engine.running()), (0, ["flyte-sandbox"]), done.stderr)
                return
            self.assert_error_of_the_guide(done, *identifiers)
            self.assertIn(message, done.stderr)
            self.assert_taken_back(step, done)

        self.each(trial, of)

    # A ping that fails inside tells the version all the same; who waits for the container's end is not needed while its state can be looked at; and
    # once the services have said that they are ready, nobody needs the exit code of who told it.
    PASSED_OVER = ("GET /_ping", "POST /containers/X/wait", "GET /exec/X/json")

    def test_refused(self):
        self.refuse("the database is confused", ("docker-error",), self.PASSED_OVER)

    def test_disk_full(self):
        self.refuse("write /var/lib/docker/x: no space left on device", ("disk-space",), self.PASSED_OVER, of=lambda step: not step.startswith("GET"))

    def test_nonsense(self):
        """With a status that says that all is well: a list in place of an object, and no JSON."""
        def trial(step, number):
            for text in (b'"nonsense"', b"<html>502 Bad Gateway"):
                self.at(step, number, lambda handler, text=text: (handler.head(200, {"Content-Length": len(text)}), handler.write(text))[1])
                done = self.start()
                if done.returncode:
                    self.assert_error_of_the_guide(done, "malformed-json", "docker-stream", "tar", "sandbox-died")
                    self.assert_taken_back(step, done)
                else:
                    self.assertIn(step, (*self.PASSED_OVER, "POST /containers/X/start", "POST /containers/X/exec", "POST /containers/X/update"), done.stderr)
                    self.assertEqual(self.engine.running(), ["flyte-sandbox"])
                self.engine.interceptor = None
                if self.engine.containers:
                    self.run_sandbox("delete", "--volume")

        self.each(trial)

    def test_dies_after_the_watch_was_lost(self):
        """Who waits for the container's end has lost its connection; the end is noticed all the same."""
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(STARTING[:2]), hang=True)
        lost = []
        self.engine.faults["POST /wait$"] = lambda handler: lost.append(True) and False
        process = subprocess.Popen([BINARY, "start", *FREE_PORTS], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.assertTrue(self.engine.waiting.wait(30))
        self.engine.die(42)
        _, stderr = process.communicate(timeout=30)
        self.assertTrue(lost)
        self.assertEqual(process.returncode, 1)
        self.assertIn("error[sandbox-died]", stderr)
        self.assertIn("exit code 42", stderr)
        self.assert_nothing_left()

    @unittest.skipUnless(os.geteuid() == 0 and sys.platform == "linux", "mounting a small file system needs root")
    def test_home_without_room(self):
        """The sandbox stays, nothing is left half written, and what the person had is as it was."""
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(self.home)], capture_output=True).returncode:
            self.skipTest("file systems cannot be mounted here")
        try:
            kube = self.home / ".kube/config"
            kube.parent.mkdir()
            kube.write_text("current-context: prod\n")
            filler = self.home / "filler"
            with open(filler, "wb", buffering=0) as out:
                try:
                    while True:
                        out.write(bytes(4096))
                except OSError:
                    pass
            done = self.run_sandbox("start", *FREE_PORTS, code=10)
            self.assertIn("clients cannot be configured", done.stderr)
            self.assertEqual((self.engine.running(), kube.read_text()), (["flyte-sandbox"], "current-context: prod\n"))
            self.assertEqual(sorted(os.listdir(kube.parent)), ["config"])
            self.assert_error(self.run_sandbox("logs", "--bundle", str(self.home / "b.tar.gz"), code=10), "bundle")
            self.assertFalse([name for name in os.listdir(self.home) if name.startswith("b.tar")])
            filler.unlink()
            self.run_sandbox("start")
            self.assertIn("flyte-sandbox", kube.read_text())
        finally:
            subprocess.run(["umount", str(self.home)], check=True)
