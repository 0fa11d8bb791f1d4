"""Which engine is spoken to, how, and in which version of its API."""

import json
import os
import pathlib
import shutil
import socket
import ssl
import stat
import subprocess
import threading
import unittest

from fake_engine import Exec
from launcher import BINARY, FREE_PORTS, Case


class Finding(Case):
    def test_no_engine(self):
        self.environment["DOCKER_HOST"] = f"unix://{self.directory}/absent.sock"
        self.assert_error(self.run_sandbox("status", code=8), "docker-not-running", "absent.sock", "DOCKER_HOST", "hint: start it")

    def test_socket_without_listener(self):
        path = f"{self.directory}/dead.sock"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        self.environment["DOCKER_HOST"] = f"unix://{path}"
        self.assert_error(self.run_sandbox("start", code=8), "docker-not-running")

    def test_no_permission(self):
        os.chmod(self.engine.path, 0)
        options = {}
        if os.geteuid() == 0:
            if not self.others_may_run_it():
                self.skipTest("the launcher is where other users cannot run it")
            os.chmod(self.directory, 0o755)
            options = {"user": 65534, "group": 65534, "extra_groups": []}
        self.assert_error(self.run_sandbox("status", code=7, **options), "docker-permission", "usermod -aG docker")

    def others_may_run_it(self):
        return all(path.stat().st_mode & stat.S_IXOTH for path in [pathlib.Path(BINARY), *pathlib.Path(BINARY).parents])

    def test_address_of_an_unknown_kind(self):
        self.environment["DOCKER_HOST"] = "npipe:////./pipe/docker_engine"
        self.assert_error(self.run_sandbox("status", code=11), "docker-transport", "ssh://USER@HOST")

    def test_context(self):
        del self.environment["DOCKER_HOST"]
        meta = self.home / ".docker/contexts/meta/0123"
        meta.mkdir(parents=True)
        (meta / "meta.json").write_text(json.dumps({"Name": "lab", "Endpoints": {"docker": {"Host": f"unix://{self.engine.path}"}}}))
        (self.home / ".docker/config.json").write_text('{"currentContext": "lab"}')
        self.run_sandbox("status", code=3)
        self.assertTrue(self.engine.asked("GET", "/containers/flyte-sandbox/json"))

    def listen(self, wrap=lambda connection: connection):
        """The same engine behind a TCP port; `wrap` puts TLS around each connection."""
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)

        def pump(source, target):
            try:
                while data := source.recv(65536):
                    target.sendall(data)
            except OSError:
                pass
            finally:
                for end in (source, target):
                    try:
                        end.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass

        def serve():
            while True:
                try:
                    client, _ = server.accept()
                    client = wrap(client)
                except ssl.SSLError:
                    continue
                except OSError:
                    return
                upstream = socket.socket(socket.AF_UNIX)
                upstream.connect(self.engine.path)
                self.addCleanup(client.close)
                self.addCleanup(upstream.close)
                threading.Thread(target=pump, args=(client, upstream), daemon=True).start()
                threading.Thread(target=pump, args=(upstream, client), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        self.environment["DOCKER_HOST"] = f"tcp://127.0.0.1:{server.getsockname()[1]}"

    def test_tcp(self):
        """Nothing of this machine (disk, ports) is looked at for an engine elsewhere."""
        self.listen()
        document = json.loads(self.run_sandbox("start", "-o", "json").stdout)
        self.assertEqual(document["endpoints"]["console"], "http://127.0.0.1:30080/console")

    def certificate(self, name):
        """A key and a certificate for 127.0.0.1 that signs itself."""
        key, certificate = f"{self.directory}/{name}-key.pem", f"{self.directory}/{name}.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
        return key, certificate

    @unittest.skipUnless(shutil.which("openssl"), "the openssl command makes the certificates")
    def test_tls(self):
        key, certificate = self.certificate("engine")
        client_key, client_certificate = self.certificate("client")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(client_certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        self.listen(lambda connection: context.wrap_socket(connection, server_side=True))
        certificates = pathlib.Path(self.directory, "certificates")
        certificates.mkdir()
        for source, name in ((certificate, "ca.pem"), (client_certificate, "cert.pem"), (client_key, "key.pem")):
            shutil.copy(source, certificates / name)
        self.environment.update(DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(certificates))
        self.engine.add_container()
        self.run_sandbox("status")
        self.engine.commands["echo hello"] = Exec("hello\n")
        self.assertEqual(self.run_sandbox("exec", "-i", "echo", "hello", input="").stdout, "hello\n")
        # An engine whose certificate another CA has signed is not talked to.
        shutil.copy(client_certificate, certificates / "ca.pem")
        self.engine.requests.clear()
        self.assert_error(self.run_sandbox("status", code=8), "connection-failed", "certificate")
        self.assertEqual(self.engine.requests, [])


class Versions(Case):
    def version_used(self):
        return {request[5] for request in self.engine.requests if request[5]}

    def test_newest_common(self):
        for engine, expected in (("1.41", 41), ("1.47", 47), ("1.52", 52), ("1.99", 52)):
            with self.subTest(engine=engine):
                self.engine.requests.clear()
                self.engine.api = self.engine.ping_version = engine
                self.run_sandbox("status", code=3)
                self.assertEqual(self.version_used(), {expected})

    def test_too_old(self):
        self.engine.api = "1.40"
        self.assert_error(self.run_sandbox("status", code=11), "docker-version", "1.40", "update Docker")

    def test_too_new(self):
        self.engine.api, self.engine.minimum = "1.70", "1.60"
        self.assert_error(self.run_sandbox("status", code=11), "docker-version", "1.60 to 1.70")

    def test_engine_replaced_meanwhile(self):
        """The ping told 1.47, then the engine speaks 1.44 only: asked once more, then it works."""
        fired = []

        def older(handler):
            if not fired:
                fired.append(True)
                return handler.fail(400, "client version 1.47 is too new. Maximum supported API version is 1.44")
            return handler.container_inspect("flyte-sandbox")

        self.engine.api = "1.47"
        self.engine.faults["GET /containers/flyte-sandbox/json"] = older
        self.run_sandbox("status", code=3)
        self.assertEqual(len(self.engine.asked("GET", "^/version$")), 1)

    def test_no_version_in_ping(self):
        self.engine.ping_version = None
        self.run_sandbox("status", code=3)
        self.assertEqual(self.version_used(), {41})

    def test_fixed_version(self):
        self.engine.api = "1.47"
        self.environment["DOCKER_API_VERSION"] = "1.43"
        self.run_sandbox("status", code=3)
        self.assertEqual(self.version_used(), {43})
        self.environment["DOCKER_API_VERSION"] = "1.30"
        self.assert_error(self.run_sandbox("status", code=12), "docker-version")

    def test_no_engine_behind_the_socket(self):
        self.engine.ping_version = None
        self.engine.faults["GET ^/version$"] = lambda handler: handler.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>") and None
        self.assert_error(self.run_sandbox("status", code=12), "malformed-json")


class Podman(Case):
    def test_start(self):
        """Its API passes over ReadonlyPaths, and 4.3 cannot change a restart policy."""
        self.engine.podman = True
        self.engine.faults["POST /update$"] = (404, "Not Found")
        self.run_sandbox("start", *FREE_PORTS)
        create = json.loads(self.engine.asked("POST", "^/containers/create")[0][3])
        self.assertIn("unmask=ALL", create["HostConfig"]["SecurityOpt"])
        self.run_sandbox("status")

    def test_docker_is_told_in_its_own_words(self):
        self.engine.faults["POST /update$"] = (404, "Not Found")
        self.run_sandbox("start", *FREE_PORTS, code=3)
        create = json.loads(self.engine.asked("POST", "^/containers/create")[0][3])
        self.assertNotIn("unmask=ALL", create["HostConfig"]["SecurityOpt"])
