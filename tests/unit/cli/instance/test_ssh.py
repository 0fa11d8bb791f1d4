"""The launcher against the fake engine behind a real OpenSSH server: a process of this test, on a loopback port, with keys of its own."""

import concurrent.futures
import getpass
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

from fake_engine import Exec
from launcher import Case as EngineCase

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

# What `docker system dial-stdio` does: stdin and stdout are the engine's socket.
DIAL_STDIO = """#!{python}
import os, socket, sys, threading
if sys.argv[1:] != ["system", "dial-stdio"] and sys.argv[1:2] != ["--host"]:
    sys.exit("unexpected: " + repr(sys.argv[1:]))
path = sys.argv[2].removeprefix("unix://") if sys.argv[1] == "--host" else {socket!r}
engine = socket.socket(socket.AF_UNIX)
engine.connect(path)
def upload():
    while data := os.read(0, 65536):
        engine.sendall(data)
    engine.shutdown(socket.SHUT_WR)
threading.Thread(target=upload, daemon=True).start()
while data := engine.recv(65536):
    while data:
        data = data[os.write(1, data):]
"""

CONFIGURATION = """ListenAddress 127.0.0.1
Port {port}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
SetEnv PATH={directory}/bin:/usr/bin:/bin
LogLevel VERBOSE
"""


@unittest.skipUnless(SSHD and shutil.which("ssh-keygen"), "no sshd here (Debian: openssh-server)")
class Case(EngineCase):
    def setUp(self):
        super().setUp()
        self.server = pathlib.Path(self.directory, "server")
        (self.server / "bin").mkdir(parents=True)
        self.ssh = self.home / ".ssh"
        self.ssh.mkdir(mode=0o700)
        self.make_key(self.server / "host_key")
        self.make_key(self.ssh / "id_ed25519")
        self.authorize(self.ssh / "id_ed25519")
        self.serve_docker()
        self.start_server()
        self.know(self.server / "host_key")
        self.environment.pop("SSH_AUTH_SOCK", None)
        self.environment["DOCKER_HOST"] = f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    def make_key(self, path, kind="ed25519", passphrase=""):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path)], check=True)

    def authorize(self, *keys):
        (self.server / "authorized_keys").write_text("".join(key.with_suffix(".pub").read_text() for key in keys))

    def know(self, *keys, port=None):
        lines = [f"[127.0.0.1]:{port or self.port} {' '.join(key.with_suffix('.pub').read_text().split()[:2])}\n" for key in keys]
        (self.ssh / "known_hosts").write_text("".join(lines))

    def serve_docker(self):
        command = self.server / "bin/docker"
        command.write_text(DIAL_STDIO.format(python=sys.executable, socket=self.engine.path))
        command.chmod(0o755)

    def start_server(self, *more_keys):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        configuration = self.server / "sshd_config"
        more = "".join(f"HostKey {self.server}/{key}\n" for key in more_keys)
        configuration.write_text(CONFIGURATION.format(port=self.port, directory=self.server) + more)
        log = open(self.server / "log", "wb")
        self.addCleanup(log.close)
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(configuration)], stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return process
            except OSError:
                self.assertIsNone(process.poll(), (self.server / "log").read_text())
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02)

    def fingerprint(self, key):
        return subprocess.run(["ssh-keygen", "-lf", str(key)], check=True, capture_output=True, text=True).stdout.split()[1]


class Login(Case):
    def test_key_file(self):
        document = json.loads(self.run_sandbox("status", "-o", "json", code=3).stdout)
        self.assertEqual(document["state"], "absent")
        self.assertTrue(self.engine.asked("GET", "^/_ping"))

    def test_host_is_unknown(self):
        (self.ssh / "known_hosts").unlink()
        done = self.run_sandbox("status", code=7)
        self.assert_error(done, "ssh-host-key-unknown", self.fingerprint(self.server / "host_key"), "known_hosts")
        self.assertEqual(self.engine.requests, [])

    def test_host_key_has_changed(self):
        self.make_key(self.server / "other_key")
        self.know(self.server / "other_key")
        self.assert_error(self.run_sandbox("status", code=7), "ssh-host-key-changed", self.fingerprint(self.server / "host_key"), "ssh-keygen -R")
        self.assertEqual(self.engine.requests, [])

    def test_host_is_known_by_another_key(self):
        """The server has two keys and both sides would rather use the other one."""
        self.make_key(self.server / "ecdsa_key", "ecdsa")
        self.start_server("ecdsa_key")
        self.know(self.server / "ecdsa_key")
        self.environment["DOCKER_HOST"] = f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"
        self.run_sandbox("status", code=3)

    def test_key_is_refused(self):
        self.make_key(self.server / "another")
        self.authorize(self.server / "another")
        done = self.run_sandbox("status", code=7)
        self.assert_error(done, "ssh-authentication", "id_ed25519 was refused", "no agent runs", "has to work without a question")

    def test_key_with_passphrase(self):
        (self.ssh / "id_ed25519").unlink()
        (self.ssh / "id_ed25519.pub").unlink()
        self.make_key(self.ssh / "id_ed25519", passphrase="secret words")
        self.authorize(self.ssh / "id_ed25519")
        self.assert_error(self.run_sandbox("status", code=7), "ssh-authentication", f"ssh-add {self.ssh}/id_ed25519")

    @unittest.skipUnless(shutil.which("ssh-agent"), "no ssh-agent here")
    def test_agent(self):
        agent = os.path.join(self.directory, "agent.sock")
        process = subprocess.Popen(["ssh-agent", "-D", "-a", agent], stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        deadline = time.monotonic() + 10
        while not os.path.exists(agent):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        self.make_key(self.server / "unused")
        for key in (self.server / "unused", self.ssh / "id_ed25519"):
            subprocess.run(["ssh-add", "-q", str(key)], check=True, env={**self.environment, "SSH_AUTH_SOCK": agent})
        (self.ssh / "id_ed25519").unlink()
        self.environment["SSH_AUTH_SOCK"] = agent
        self.run_sandbox("status", code=3)

    def test_configuration_file(self):
        (self.ssh / "id_ed25519").rename(self.ssh / "work")
        (self.ssh / "config").write_text(
            f"Host other\n  Port 1\nHost lab*\n  HostName 127.0.0.1\n  Port {self.port}\n  User {getpass.getuser()}\n  IdentityFile ~/.ssh/work\n"
        )
        self.environment["DOCKER_HOST"] = "ssh://lab1"
        self.run_sandbox("status", code=3)

    def test_context(self):
        del self.environment["DOCKER_HOST"]
        meta = self.home / ".docker/contexts/meta/0123"
        meta.mkdir(parents=True)
        host = f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"
        (meta / "meta.json").write_text(json.dumps({"Name": "far", "Endpoints": {"docker": {"Host": host}}}))
        self.environment["DOCKER_CONTEXT"] = "far"
        self.run_sandbox("status", code=3)

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.environment["DOCKER_HOST"] = f"ssh://127.0.0.1:{port}"
        self.assert_error(self.run_sandbox("status", code=8), "docker-not-running", "Connection refused")

    def test_interrupt_while_the_server_is_silent(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        self.environment["DOCKER_HOST"] = f"ssh://127.0.0.1:{silent.getsockname()[1]}"
        accepted = []
        silent.settimeout(0.01)

        def connected():
            try:
                accepted.append(silent.accept())
            except TimeoutError:
                pass
            return bool(accepted)

        done = self.interrupt("status", wait_for=connected, number=signal.SIGINT)
        self.assertEqual(done.returncode, 130, done.stderr)
        accepted[0][0].close()


class Engine(Case):
    def test_no_docker_command(self):
        (self.server / "bin/docker").unlink()
        if shutil.which("docker", path="/usr/bin:/bin"):
            (self.server / "bin/docker").write_text("#!/bin/sh\necho 'docker: not found here' >&2\nexit 127\n")
            (self.server / "bin/docker").chmod(0o755)
        self.assert_error(self.run_sandbox("status", code=8), "ssh-command", "not found", "PATH")

    def test_socket_in_the_address(self):
        self.environment["DOCKER_HOST"] += self.engine.path
        self.run_sandbox("status", code=3)
        self.assertTrue(self.engine.requests)

    def test_start_exec_and_delete(self):
        """Several connections at once, streams in both directions, input that ends."""
        document = json.loads(self.run_sandbox("start", "--no-wait", "-o", "json").stdout)
        self.assertEqual(document["name"], "flyte-sandbox")
        self.run_sandbox("status")
        self.engine.commands["cat"] = Exec(echo=True)
        text = "some words and more\n" * 20000
        self.assertEqual(self.run_sandbox("exec", "-i", "cat", input=text).stdout, text.upper())
        self.engine.commands["true"] = Exec("x" * 300000)
        self.assertEqual(len(self.run_sandbox("exec", "true").stdout), 300000)
        self.engine.commands["false"] = Exec(code=3)
        self.run_sandbox("exec", "false", code=3)
        self.run_sandbox("delete", "--volume")
        self.assert_nothing_left()

    def behind_a_slow_line(self):
        """The ends of the server's packets come byte by byte, each while the launcher looks at what the one before has brought."""
        line = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(line.close)
        def carry(source, target, singly):
            while data := source.recv(65536):
                start = max(len(data) - singly, 0)
                target.sendall(data[:start])
                for at in range(start, len(data)):
                    target.sendall(data[at : at + 1])
            target.shutdown(socket.SHUT_WR)

        def serve():
            while True:
                try:
                    ends = line.accept()[0], socket.create_connection(("127.0.0.1", self.port))
                except OSError:
                    return
                for end in ends:
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.addCleanup(end.close)
                threading.Thread(target=carry, args=(*ends, 0), daemon=True).start()
                threading.Thread(target=carry, args=(*reversed(ends), 40), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        return line.getsockname()[1]

    def test_nothing_that_has_come_is_left_lying(self):
        """What comes in the moment before the session's thread waits is seen before the keepalive's answer, 30 s later, wakes it."""
        port = self.behind_a_slow_line()
        self.know(self.server / "host_key", port=port)
        self.environment["DOCKER_HOST"] = f"ssh://{getpass.getuser()}@127.0.0.1:{port}"
        for _ in range(16):
            self.run_sandbox("status", code=3, timeout=25)

    def test_nothing_to_forward_with_a_local_engine(self):
        self.engine.add_container()
        self.environment["DOCKER_HOST"] = f"unix://{self.engine.path}"
        self.assert_error(self.run_sandbox("forward", code=4), "forward-needless")


class Forward(Case):
    """The other machine is this one, and a port cannot be listened on twice: over there the sandbox is on 127.0.0.2."""

    def setUp(self):
        super().setUp()
        self.services = {}
        self.names = ("http", "kubernetes", "postgres", "s3")
        for name in self.names:
            service = self.listen_over_there()
            self.addCleanup(service.close)
            self.services[name] = service
            threading.Thread(target=self.answer, args=(service, name.encode()), daemon=True).start()
        self.ports = {name: service.getsockname()[1] for name, service in self.services.items()}
        self.arguments = ["start", "--bind", "127.0.0.2"]
        for name, port in self.ports.items():
            self.arguments += ["--port", f"{name}={port}"]

    def tearDown(self):
        """Whatever a test came to: no process of it forwards afterwards."""
        self.run_sandbox("delete", "--volume")
        self.assert_nobody_listens()
        super().tearDown()

    @staticmethod
    def listen_over_there():
        """At a port that nobody has over here: other programs of this machine take the same ones."""
        while True:
            service = socket.create_server(("127.0.0.2", 0))
            try:
                socket.create_server(("127.0.0.1", service.getsockname()[1])).close()
                return service
            except OSError:
                service.close()

    def answer(self, service, name):
        """Says its name, then back what it hears, upper case, to the end."""
        while True:
            try:
                connection, _ = service.accept()
            except OSError:
                return
            with connection:
                connection.sendall(name)
                while data := connection.recv(65536):
                    connection.sendall(data.upper())

    def talk(self, name, text=b"hello"):
        """Sends and reads at the same time: the other side answers while it listens, and what nobody reads stops it in the end."""
        with socket.create_connection(("127.0.0.1", self.ports[name]), timeout=60) as connection:

            def send():
                connection.sendall(text)
                connection.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
            sender.join()
            return answer

    def assert_nobody_listens(self):
        for port in self.ports.values():
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=5)

    def test_start_forwards_until_stop(self):
        document = json.loads(self.run_sandbox(*self.arguments, "-o", "json").stdout)
        self.assertEqual(document["endpoints"]["console"], f"http://localhost:{self.ports['http']}/console")
        for name in self.names:
            self.assertEqual(self.talk(name), name.encode() + b"HELLO")
        # More than fits anywhere on the way, several at once.
        large = os.urandom(1 << 21).hex().encode()
        names = self.names * 3
        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            for name, answer in zip(names, pool.map(lambda name: self.talk(name, large), names)):
                self.assertEqual(answer, name.encode() + large.upper())
        # Each connection gets the port that it asked for, when many come and go.
        names = self.names * 60
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for name, answer in zip(names, pool.map(self.talk, names)):
                self.assertEqual(answer, name.encode() + b"HELLO")
        # The one that is there stays.
        self.run_sandbox(*self.arguments)
        self.assertNotIn("forward", self.run_sandbox("status").stderr)
        self.assert_error(self.run_sandbox("forward", code=6), "forward-running")
        self.run_sandbox("stop")
        self.assert_nobody_listens()

    def test_delete_ends_it(self):
        self.run_sandbox(*self.arguments)
        self.assertEqual(self.talk("s3"), b"s3HELLO")
        self.run_sandbox("delete", "--volume")
        self.assert_nobody_listens()
        self.assertFalse((self.home / ".flyte/sandbox").exists())

    def test_port_is_taken_here(self):
        with socket.create_server(("127.0.0.1", self.ports["http"])):
            done = self.run_sandbox(*self.arguments, code=8)
        self.assert_error(done, "forward-failed", f"port {self.ports['http']}", "is taken by")

    def test_in_the_foreground(self):
        self.run_sandbox(*self.arguments, "--no-wait")
        self.assertIn("`sandbox forward`", self.run_sandbox("status").stderr)
        done = self.interrupt("forward", wait_for=self.listens)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_nobody_listens()

    def listens(self):
        try:
            return self.talk("postgres") == b"postgresHELLO"
        except OSError:
            return False


if __name__ == "__main__":
    unittest.main()
