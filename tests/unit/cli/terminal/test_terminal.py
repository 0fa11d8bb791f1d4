"""What people see on a terminal: a table that is redrawn in place, progress on one line, a transparent line into the container."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import unittest

from fake_engine import READY, Exec, lines, service
from launcher import BINARY, FREE_PORTS, Case


class Terminal(Case):
    def run_on_terminal(self, *arguments, columns=100, code=0):
        """What the terminal got, and whether its settings are afterwards what they were."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        before = termios.tcgetattr(theirs)
        self.environment["TERM"] = "xterm"
        self.environment.pop("NO_COLOR", None)
        process = subprocess.Popen([BINARY, *arguments], env=self.environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        seen = b""
        try:
            os.set_blocking(ours, False)
            while process.poll() is None:
                try:
                    process.wait(0.02)
                except subprocess.TimeoutExpired:
                    pass
                seen += self.read_all(ours)
            seen += self.read_all(ours)
            self.assertEqual(termios.tcgetattr(theirs), before, "the terminal is as it was")
        finally:
            process.kill()
            os.close(ours)
            os.close(theirs)
        self.assertEqual(process.returncode, code, seen)
        return seen.decode()

    @staticmethod
    def read_all(descriptor):
        data = b""
        while True:
            try:
                data += os.read(descriptor, 65536)
            except BlockingIOError:
                return data

    def test_the_table_is_redrawn_in_place(self):
        changes = [service("postgres", "starting", 5432), service("kubernetes", "waiting", 6443), service("postgres", "ready", 5432), *READY]
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(changes))
        seen = self.run_on_terminal("start", *FREE_PORTS)
        self.assertRegex(seen, r"\x1b\[\d+A", "the cursor goes up")
        self.assertIn("\x1b[32mready", seen)
        self.assertGreater(seen.count("SERVICE"), 2, "drawn more than once")
        self.assertIn("\x1b[1mConsole\x1b[0m", seen)

    def test_no_line_is_wider_than_the_terminal(self):
        message = "waits for something whose description does not end " * 5
        self.engine.commands["sandbox-init status --json"] = Exec(lines([service("kubernetes", "starting", 6443, message=message), {"ready": False}]), code=3)
        self.engine.add_container()
        seen = self.run_on_terminal("status", columns=40, code=5)
        plain = re.sub(r"\x1b\[[\d;]*[A-Za-z]", "", seen)
        self.assertIn("kubernetes", plain)
        for line in plain.splitlines()[1:]:
            self.assertLessEqual(len(line), 40, line)

    def test_a_narrow_terminal_cuts_no_address(self):
        """The namespace goes first."""
        self.engine.commands["sandbox-init status --json"] = Exec(lines(READY))
        self.engine.add_container()
        seen = re.sub(r"\x1b\[[\d;]*[A-Za-z]", "", self.run_on_terminal("status", columns=50))
        self.assertIn("https://127.0.0.1:6443", seen)
        self.assertNotIn("NAMESPACE", seen)
        self.assertIn("kube-system", self.run_on_terminal("status", columns=70))

    def turning(self, **environment):
        """What stands on a terminal while a start waits for a service that does not come."""
        self.environment.update(environment)
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines([service("kubernetes", "starting", 6443)]), hang=True)
        return self.run_on_terminal("start", *FREE_PORTS, "--timeout", "1s", code=9)

    def test_something_turns_while_one_waits(self):
        seen = self.turning(LC_ALL="C.UTF-8")
        self.assertGreater(len(set(re.findall("[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", seen))), 2, seen)
        self.assertIn("waiting for kubernetes", seen)
        # Nothing of it stays.
        self.assertNotIn("waiting for kubernetes", seen.rpartition("\r\x1b[K")[2])

    def test_without_utf8_it_turns_in_ascii(self):
        seen = self.turning(LC_ALL="C")
        self.assertTrue(seen.isascii(), seen)
        self.assertRegex(seen, r"\r\x1b\[K[|/\\-] waiting for kubernetes")

    def test_elsewhere_nothing_turns(self):
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines([service("kubernetes", "starting", 6443)]), hang=True)
        done = self.run_sandbox("start", *FREE_PORTS, "--timeout", "1s", code=9)
        self.assertNotIn("waiting for", done.stdout + done.stderr)
        self.assertNotIn("\r", done.stdout + done.stderr)

    def test_progress_is_one_line(self):
        self.engine.images.clear()
        # What is over at once is not shown.
        self.engine.faults["POST ^/images/create"] = lambda handler: self.engine.ended.wait(0.5) or handler.image_create()
        seen = self.run_on_terminal("start", *FREE_PORTS, "--registry", "registry.example/acme")
        self.assertRegex(seen, r"\r\x1b\[K[^\n]+ pulling 'registry.example/acme[^\n]*\r\x1b\[K")

    def test_a_terminal_inside(self):
        self.engine.add_container()
        self.engine.commands["sh -i"] = Exec("inside\r\n", code=7)
        self.assertIn("inside", self.run_on_terminal("exec", "-it", "--", "sh", "-i", code=7))
        (request,) = self.engine.asked("POST", "^/containers/[^/]+/exec$")
        self.assertIn(b'"Tty":true', request[3])


if __name__ == "__main__":
    unittest.main()
