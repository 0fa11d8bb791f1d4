"""The launcher, as a program, with a home of its own and the fake engine: what its tests stand on."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from fake_engine import FakeEngine

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from support.tcp_front import TcpFront  # noqa: E402

BINARY = os.environ.get("SANDBOX_BINARY", "sandbox")
ROOT = pathlib.Path(__file__).resolve().parents[3]
FREE_PORTS = ("--ports", "auto")


class Case(unittest.TestCase):
    engine_options = {}

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="sandbox-test-")
        self.home = pathlib.Path(self.directory, "home")
        self.home.mkdir()
        self.engine = FakeEngine(self.directory, **self.engine_options)
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("DOCKER_", "SANDBOX_", "KUBECONFIG")) or key == "SANDBOX_BINARY"
        }
        self.environment.update(HOME=str(self.home), DOCKER_HOST=f"unix://{self.engine.path}", NO_COLOR="1", SANDBOX_MIN_DISK="0", SANDBOX_SOURCE="/nonexistent", XDG_RUNTIME_DIR=self.directory)

    def tearDown(self):
        self.engine.close()
        # Launchers that a test leaves behind, an owner's watcher for one, end with the engine and may still be writing.
        deadline = time.monotonic() + 30
        while True:
            try:
                return shutil.rmtree(self.directory)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def run_sandbox(self, *arguments, code=0, timeout=60, **options):
        done = subprocess.run([BINARY, *arguments], env=self.environment, capture_output=True, text=True, timeout=timeout, **options)
        self.assertEqual(done.returncode, code, f"sandbox {' '.join(arguments)}\nstdout: {done.stdout}\nstderr: {done.stderr}")
        return done

    def assert_error(self, done, identifier, *texts):
        self.assertIn(f"error[{identifier}]:", done.stderr)
        for text in texts:
            self.assertIn(text, done.stderr)

    @staticmethod
    def place():
        """As an owner's label has it."""
        machine, boot = (pathlib.Path(name).read_text().strip() if os.path.exists(name) else "-" for name in ("/etc/machine-id", "/proc/sys/kernel/random/boot_id"))
        processes = os.readlink("/proc/self/ns/pid")
        return f"{socket.gethostname()} {machine or '-'} {boot} {'machine' if processes == 'pid:[4026531836]' else processes}"

    def assert_nothing_left(self):
        self.assertEqual((list(self.engine.containers), list(self.engine.volumes)), ([], []))

    def interrupt(self, *arguments, number=signal.SIGINT, wait_for=None):
        """Runs the launcher until the engine sees what is waited for, then sends the signal."""
        process = subprocess.Popen([BINARY, *arguments], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 30
        while not (wait_for() if wait_for else self.engine.waiting.is_set()):
            self.assertLess(time.monotonic(), deadline, "the launcher did not get there")
            self.assertIsNone(process.poll(), "the launcher ended by itself")
            time.sleep(0.01)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    def listen(self, *wrap):
        """The same engine behind a TCP port."""
        front = TcpFront(self.engine.path, *wrap)
        self.addCleanup(front.close)
        self.environment["DOCKER_HOST"] = front.address
