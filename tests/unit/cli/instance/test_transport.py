"""What stands between the launcher and an engine on TCP: TLS that fails, each kind in words, proxies, and what is no engine."""

import http.server
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from fake_engine import Exec
from launcher import FREE_PORTS, Case


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def certificate(directory, name, *options):
    """A key and a certificate that signs itself."""
    key, path = f"{directory}/{name}-key.pem", f"{directory}/{name}.pem"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", path, *options)
    return key, path


def expired_certificate(directory):
    """`openssl req` makes none: it takes a small authority."""
    key, path, base = f"{directory}/expired-key.pem", f"{directory}/expired.pem", pathlib.Path(directory)
    (base / "index.txt").write_text("")
    (base / "serial").write_text("01\n")
    (base / "extensions").write_text("subjectAltName=IP:127.0.0.1\n")
    (base / "authority").write_text(f"[ca]\ndefault_ca=own\n[own]\ndatabase={base}/index.txt\nserial={base}/serial\nnew_certs_dir={base}\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n")
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=expired", "-keyout", key, "-out", f"{base}/request.pem")
    openssl("ca", "-batch", "-config", f"{base}/authority", "-selfsign", "-keyfile", key, "-in", f"{base}/request.pem", "-out", path, "-notext", "-extfile", f"{base}/extensions",
            "-startdate", "20200101000000Z", "-enddate", "20200102000000Z")
    return key, path


@unittest.skipUnless(shutil.which("openssl"), "the openssl command makes the certificates")
class Tls(Case):
    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.mkdtemp(prefix="sandbox-test-")
        cls.addClassCleanup(shutil.rmtree, cls.made)
        here = ("-addext", "subjectAltName=IP:127.0.0.1")
        cls.good = certificate(cls.made, "engine", "-days", "2", *here)
        cls.other = certificate(cls.made, "other", "-days", "2", *here)
        cls.elsewhere = certificate(cls.made, "elsewhere", "-days", "2", "-addext", "subjectAltName=IP:192.0.2.1,DNS:elsewhere")
        cls.expired = expired_certificate(cls.made)

    def engine_with(self, pair, asks_for=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair[1], pair[0])
        if asks_for:
            context.load_verify_locations(asks_for[1])
            context.verify_mode = ssl.CERT_REQUIRED
        self.listen(lambda connection: context.wrap_socket(connection, server_side=True))

    def trust(self, pair, client=None):
        directory = pathlib.Path(tempfile.mkdtemp(dir=self.directory))
        shutil.copy(pair[1], directory / "ca.pem")
        if client:
            shutil.copy(client[1], directory / "cert.pem")
            shutil.copy(client[0], directory / "key.pem")
        self.environment.update(DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(directory))

    def refused(self, *texts):
        """Before anything is asked of the engine."""
        done = self.run_sandbox("start", *FREE_PORTS, code=8)
        self.assert_error(done, "connection-failed", self.environment["DOCKER_HOST"], *texts, "check: sandbox doctor engine")
        self.assertEqual(self.engine.requests, [])

    def test_both_know_each_other(self):
        self.engine_with(self.good, asks_for=self.other)
        self.trust(self.good, client=self.other)
        self.engine.add_container()
        self.run_sandbox("status")
        self.engine.commands["echo hello"] = Exec("hello\n")
        self.assertEqual(self.run_sandbox("exec", "-i", "echo", "hello", input="").stdout, "hello\n")
        # The end of the input reaches the command, whose output then comes.
        self.engine.commands["cat"] = Exec(echo=True)
        for size in (0, 10, 300000):
            with self.subTest(size=size):
                self.assertEqual(self.run_sandbox("exec", "-i", "cat", input="abcde" * (size // 5)).stdout, "ABCDE" * (size // 5))

    def test_unknown_authority(self):
        self.engine_with(self.good)
        self.trust(self.other)
        self.refused("certificate", "hint: its certificate has to be for this address and valid, and signed by ca.pem")

    def test_expired(self):
        self.engine_with(self.expired)
        self.trust(self.expired)
        self.refused("certificate has expired")

    def test_another_host(self):
        self.engine_with(self.elsewhere)
        self.trust(self.elsewhere)
        self.refused("target host name '127.0.0.1'")

    def test_engine_wants_a_certificate_of_ours(self):
        self.engine_with(self.good, asks_for=self.other)
        self.trust(self.good)
        self.refused("an engine that asks for ours has to know cert.pem")

    def test_engine_does_not_know_ours(self):
        self.engine_with(self.good, asks_for=self.other)
        self.trust(self.good, client=self.elsewhere)
        self.refused("an engine that asks for ours has to know cert.pem")

    def test_engine_without_tls(self):
        self.listen()
        self.trust(self.good)
        self.refused("TLS")

    def test_tls_that_was_not_asked_for(self):
        self.engine_with(self.good)
        self.refused("for an engine with TLS set DOCKER_TLS_VERIFY=1")

    def test_no_file(self):
        self.engine_with(self.good)
        self.trust(self.good)
        (pathlib.Path(self.environment["DOCKER_CERT_PATH"]) / "ca.pem").write_text("no certificate\n")
        self.refused("ca.pem")


class Between(Case):
    def test_are_not_used(self):
        self.listen()
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            self.environment[name] = "http://127.0.0.1:1"
        self.environment.pop("no_proxy", None)
        self.environment.pop("NO_PROXY", None)
        self.run_sandbox("status", code=3)

    def answers(self, status, body=b"<html>Bad Gateway</html>"):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.environment["DOCKER_HOST"] = f"tcp://127.0.0.1:{server.server_address[1]}"

    def test_something_else_answers(self):
        """A proxy, or a program that has the engine's port: no word of it is taken for the engine's."""
        for status in (200, 302, 403, 404, 407, 502, 503):
            with self.subTest(status=status):
                self.answers(status)
                done = self.run_sandbox("status", code=8)
                self.assert_error(done, "docker-not-running", f"is no Docker engine: status {status}, '<html>Bad Gateway</html>'", "hint: check the address")

    def test_silence(self):
        """Who takes the connection and says nothing is given up; Ctrl-C does not wait for that."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.environment["DOCKER_HOST"] = f"tcp://127.0.0.1:{server.getsockname()[1]}"
            server.settimeout(0.01)
            accepted = []

            def connected():
                try:
                    accepted.append(server.accept())
                except TimeoutError:
                    pass
                return bool(accepted)

            done = self.interrupt("status", wait_for=connected)
            self.assertEqual(done.returncode, 130, done.stderr)
            self.assert_error(self.run_sandbox("status", code=9), "timeout", f"the Docker engine at {self.environment['DOCKER_HOST']} is silent", "it hangs")
            for connection, _ in accepted:
                connection.close()


if __name__ == "__main__":
    unittest.main()
