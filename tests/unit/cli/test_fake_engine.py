"""The launcher, as a program, against the fake engine: life cycle, what the engine may answer, what goes wrong, interrupts."""

import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest

from fake_engine import READY, STARTING, Exec, FakeEngine, lines, service

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


class CommandLine(Case):
    def test_version_needs_no_engine(self):
        self.environment["DOCKER_HOST"] = "unix:///nonexistent"
        self.assertRegex(self.run_sandbox("version").stdout, r"^sandbox \d+\.\d+")
        self.assertRegex(self.run_sandbox("--version").stdout, r"^sandbox \d+\.\d+")
        self.assertIn("version", json.loads(self.run_sandbox("version", "-o", "json").stdout))
        self.assertEqual(self.engine.requests, [])

    def test_version_all(self):
        self.engine.add_container()
        document = json.loads(self.run_sandbox("version", "--all", "-o", "json").stdout)
        self.assertEqual(document["engine"]["api"], "1.41")
        self.assertEqual(document["image"], "flyte-sandbox:0.1.0")

    def test_suggestions(self):
        cases = [
            (["strat"], "unknown-verb", "did you mean 'start'"),
            (["teardown"], "unknown-verb", "did you mean 'delete'"),
            (["start", "--imag", "x"], "unknown-option", "--image"),
            (["--outptu", "json", "status"], "unknown-option", "--output"),
            (["-o", "jsn", "status"], "bad-value", "did you mean 'json'"),
            (["exec"], "missing-argument", "sandbox help exec"),
            (["stop", "now"], "extra-argument", "'now'"),
            (["start", "--port", "grpc=1"], "bad-value", "http, kubernetes, postgres and s3"),
            (["start", "--env", "novalue"], "bad-value", "K=V"),
            (["--name", "a/b", "status"], "bad-name", ""),
            (["build", "."], "missing-option", "--tag"),
            (["build", ".", "--tag", "No Name"], "bad-image-name", ""),
            (["help", "nothing"], "unknown-verb", ""),
            (["logs", "--tail", "few"], "bad-value", ""),
            (["stop", "-o", "env"], "bad-value", "it has text, json"),
            (["completion", "csh"], "bad-value", "bash, zsh and fish"),
        ]
        for arguments, identifier, text in cases:
            with self.subTest(arguments=arguments):
                self.assert_error(self.run_sandbox(*arguments, code=2), identifier, text)

    @unittest.skipUnless(shutil.which("readelf"), "no readelf here")
    def test_large_libraries_are_not_needed_at_the_start(self):
        """Each of these would cost every command milliseconds and megabytes; what links one has to load it (base/lazy.h)."""
        dynamic = subprocess.run(["readelf", "-d", BINARY], check=True, capture_output=True, text=True).stdout
        needed = set(re.findall(r"NEEDED.*\[(lib[^.\]]+)", dynamic))
        self.assertIn("libc", needed)
        self.assertEqual(needed & {"libcurl", "libarchive", "libssh2", "libssl", "libcrypto", "libpq", "libuv", "libnghttp2"}, set())

    def test_help(self):
        self.assertIn("start", self.run_sandbox("help").stdout)
        self.assertIn("usage", self.run_sandbox(code=2).stderr)
        self.assertIn("--image-file FILE", self.run_sandbox("help", "start").stdout)
        self.assertEqual(self.run_sandbox("start", "--help").stdout, self.run_sandbox("help", "start").stdout)
        self.assertTrue(self.run_sandbox("help", "--man").stdout.startswith(".TH SANDBOX 1"))
        for verb in self.run_sandbox("help", "--verbs").stdout.split():
            page = self.run_sandbox("help", "--man", verb).stdout
            self.assertTrue(page.startswith(f".TH SANDBOX-{verb.upper()} 1"))
            self.assertIn(".SH EXIT STATUS", page)

    def test_every_error_id_is_documented(self):
        guide = (ROOT / "docs/guide/errors.md").read_text(encoding="utf-8")
        sources = [*(ROOT / "sandbox/cli").rglob("*.c"), *(ROOT / "sandbox/docker").glob("*.c"), ROOT / "sandbox/base/http.c"]
        used = set()
        for source in sources:
            used |= set(re.findall(r'(?:ERR_[A-Z]+,|errno\w*\([^;]*?,|->id =)\s*"([a-z]+(?:-[a-z]+)*)"', source.read_text(encoding="utf-8")))
        self.assertIn("port-taken", used)
        # http.c's words for failed connections come out as docker-not-running and docker-permission.
        missing = {name for name in used if f"`{name}`" not in guide} - {"connect-failed", "connect-permission"}
        self.assertEqual(missing, set())

    def test_errors_are_one_table(self):
        """The guide and the manual have what the launcher's table has, and the table the exit codes of what the sources say."""
        table = self.run_sandbox("help", "--errors").stdout
        self.assertIn(table, (ROOT / "docs/guide/errors.md").read_text(encoding="utf-8"), "make it anew: sandbox help --errors")
        documented = {}
        for ids, codes in re.findall(r"^\| (`.*?`) \| ([\d, ]+) \|", table, re.MULTILINE):
            for name in re.findall(r"`([a-z0-9-]+)`", ids):
                self.assertNotIn(name, documented, "listed once")
                documented[name] = {int(code) for code in codes.split(", ")}
        manual = self.run_sandbox("help", "--man").stdout.partition(".SH ERRORS")[2].replace("\\-", "-")
        for name in documented:
            self.assertRegex(manual, rf"\.B .*\b{name}\b")
        exit_codes = (ROOT / "sandbox/cli/framework/exit_codes.h").read_text(encoding="utf-8")
        numbers = {name: int(value) for name, value in re.findall(r"EXIT_CODE_(\w+) = (\d+)", exit_codes)}
        function = (ROOT / "sandbox/cli/framework/exit_codes.c").read_text(encoding="utf-8").partition("int exit_code_of")[2]
        kinds = {}
        for cases, code in re.findall(r"((?:\s*case ERR_\w+:)+)\s*return EXIT_CODE_(\w+)", function):
            kinds.update({kind: numbers[code] + (signal.SIGINT if code == "SIGNAL" else 0) for kind in re.findall(r"ERR_\w+", cases)})
        sources = [*(ROOT / "sandbox/cli").rglob("*.c"), *(ROOT / "sandbox/docker").glob("*.c")]
        seen = set()
        for source in sources:
            for kind, name in re.findall(r'(ERR_[A-Z_]+),\s*"([a-z0-9-]+)"', source.read_text(encoding="utf-8")):
                if name in documented:
                    seen.add(name)
                    self.assertIn(kinds.get(kind, 1), documented[name], f"{name} in {source.name}")
        self.assertGreater(len(seen), 60)

    def test_exit_codes_are_documented(self):
        guide = (ROOT / "docs/guide/errors.md").read_text(encoding="utf-8")
        manual = self.run_sandbox("help", "--man").stdout
        codes = re.findall(r"^\.B (\d+)$", manual.partition(".SH EXIT STATUS")[2].partition(".SH")[0], re.MULTILINE)
        self.assertEqual(codes, re.findall(r"^\| (\d+) \|", guide, re.MULTILINE))

    def test_guide_is_current(self):
        guide = ROOT / "docs/guide/cli.md"
        self.assertEqual(guide.read_text(encoding="utf-8"), self.run_sandbox("help", "--markdown").stdout, "make it anew: sandbox help --markdown")


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


class Start(Case):
    def test_from_nothing(self):
        for seed in range(4):
            with self.subTest(seed=seed):
                self.engine.random.seed(seed)
                done = self.run_sandbox("start", *FREE_PORTS)
                rows = [line.split() for line in done.stdout.splitlines()]
                self.assertEqual(rows[0], ["SERVICE", "STATUS", "NAMESPACE", "ENDPOINT"])
                self.assertEqual([row[:3] for row in rows[1:4]], [["postgres", "ready", "flyte"], ["kubernetes", "ready", "kube-system"], ["controlplane", "ready", "flyte"]])
                self.assertIn("/console", done.stdout)
                self.assertIn("export FLYTECTL_CONFIG=$HOME/.flyte/config-sandbox.yaml", done.stdout)
                self.assertNotIn("containerd", done.stdout)
                self.assertEqual(self.engine.running(), ["flyte-sandbox"])
                self.run_sandbox("delete", "--volume")
                self.assert_nothing_left()

    def test_json_is_all_of_stdout(self):
        document = json.loads(self.run_sandbox("start", *FREE_PORTS, "-o", "json").stdout)
        self.assertEqual((document["schemaVersion"], document["name"], document["state"], document["ready"]), (1, "flyte-sandbox", "running", True))
        self.assertEqual({service["name"] for service in document["services"]}, {"postgres", "kubernetes", "controlplane"})
        self.assertEqual(set(document["endpoints"]), {"console", "grpc", "kubernetes", "s3", "postgres"})
        self.assertEqual(document["timings"]["kubernetes"], 2700)

    def test_twice(self):
        self.run_sandbox("start", *FREE_PORTS)
        done = self.run_sandbox("start")
        self.assertIn("is running", done.stderr)
        self.assertIn("controlplane", done.stdout)
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 1)

    def test_specification(self):
        self.run_sandbox("start", *FREE_PORTS, "--port", "http=31999", "--env", "A=b", "--memory", "2048")
        body = json.loads(self.engine.asked("POST", "/containers/create")[0][3])
        host = body["HostConfig"]
        self.assertNotIn("Privileged", host)
        self.assertEqual(host["PortBindings"]["30080/tcp"], [{"HostIp": "127.0.0.1", "HostPort": "31999"}])
        self.assertEqual(host["Memory"], 2048 << 20)
        self.assertIn("A=b", body["Env"])
        self.assertEqual(host["RestartPolicy"], {"Name": "no"})
        # Only what has become ready shall come back by itself.
        self.assertEqual(self.engine.find("flyte-sandbox")["HostConfig"]["RestartPolicy"], {"Name": "on-failure", "MaximumRetryCount": 1})

    def test_stop_and_start_keep_container_and_ports(self):
        self.run_sandbox("start", *FREE_PORTS)
        before = self.engine.find("flyte-sandbox")["HostConfig"]["PortBindings"]
        self.run_sandbox("stop")
        self.assertEqual(self.engine.running(), [])
        self.run_sandbox("stop")
        self.run_sandbox("start", *FREE_PORTS)
        self.assertEqual(self.engine.find("flyte-sandbox")["HostConfig"]["PortBindings"], before)
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 1)

    def test_new_image_makes_the_container_anew(self):
        self.run_sandbox("start", *FREE_PORTS)
        self.run_sandbox("stop")
        self.engine.images["flyte-sandbox:0.1.0"] = "sha256:new"
        self.run_sandbox("start", *FREE_PORTS)
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 2)
        self.assertEqual(self.engine.asked("DELETE", "/volumes/"), [])

    def test_paused(self):
        self.engine.add_container(status="paused")
        self.run_sandbox("start")
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])

    def test_instances(self):
        self.run_sandbox("start", "--name", "ci1")
        self.run_sandbox("start", "--name", "ci2")
        self.assertEqual(sorted(self.engine.running()), ["flyte-sandbox-ci1", "flyte-sandbox-ci2"])
        bindings = [json.dumps(self.engine.find(name)["HostConfig"]["PortBindings"], sort_keys=True) for name in self.engine.running()]
        self.assertNotEqual(*bindings)
        self.assertTrue((self.home / ".flyte/config-sandbox-ci1.yaml").exists())

    def test_slow_readiness_is_followed(self):
        events = [service("postgres", "starting", 5432), *STARTING[:2], service("kubernetes", "failed", 6443, "kube-system", "exit 1"), *READY]
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(events))
        done = self.run_sandbox("start", *FREE_PORTS)
        self.assertIn("waits for the API server", done.stdout)
        self.assertIn("exit 1", done.stdout)

    def test_first_contact_takes_a_while(self):
        """PID 1 has not opened its socket yet; the engine complains on stdout; then it works."""
        answers = [Exec(stderr="sandbox-init: cannot reach PID 1\n", code=1), Exec(stdout="cannot exec in a stopped state\n", code=126), Exec(lines(READY))]
        original = self.engine.result_of

        def result_of(command):
            return answers.pop(0) if command[:3] == ["sandbox-init", "status", "--follow"] and len(answers) > 1 else original(command)

        answers[1].code = 1
        self.engine.result_of = result_of
        self.run_sandbox("start", *FREE_PORTS)
        self.assertEqual(len(answers), 1)

    def test_events(self):
        done = self.run_sandbox("start", *FREE_PORTS, "--events")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([event["step"] for event in events if event["type"] == "step"], ["checks", "ports", "image", "container", "services", "clients"])
        self.assertEqual([event["service"]["name"] for event in events if event["type"] == "service"], ["postgres", "kubernetes", "controlplane"])
        self.assertEqual((events[-1]["type"], events[-1]["result"]["state"]), ("result", "running"))
        self.assertTrue(all(event["schemaVersion"] == 1 and event["command"] == "start" for event in events))
        self.assertTrue(any(event["type"] == "message" and "ready after" in event["text"] for event in events))
        self.assertEqual(done.stderr, "")

    def test_events_of_a_failure(self):
        self.engine.images.clear()
        done = self.run_sandbox("start", *FREE_PORTS, "--events", code=3)
        last = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual((last["type"], last["error"]["id"], last["check"]), ("error", "image-missing", "image"))

    def test_dry_run(self):
        done = self.run_sandbox("start", "--dry-run", "--ports", "auto", "--port", "http=31995", "--env", "A=b")
        self.assertIn("http on 127.0.0.1:31995", done.stdout)
        document = json.loads(self.run_sandbox("start", "--dry-run", *FREE_PORTS, "-o", "json", "--image", "other:1").stdout)
        self.assertEqual((document["dryRun"], document["imagePresent"], document["before"], document["container"]["Image"]), (True, False, "absent", "other:1"))
        self.assert_nothing_left()
        self.assertEqual(self.engine.asked("POST", ""), [])

    def test_wait_for_the_api(self):
        """The control plane answers; the rest may take its time."""
        events = [service("controlplane", "starting", 30080), service("controlplane", "ready", 30080), service("kubernetes", "starting")]
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(events), hang=True)
        self.engine.files.clear()
        self.run_sandbox("start", *FREE_PORTS, "--wait", "api")
        self.assertTrue((self.home / ".flyte/config-sandbox.yaml").exists())
        self.assertFalse((self.home / ".kube/config").exists())
        self.assertEqual(self.engine.asked("POST", "/update$"), [])

    def first_task(self, answers):
        """Flyte's API behind the sandbox's port: `answers` by method and path's end."""
        asked = []

        class Api(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                asked.append((self.command, self.path, json.loads(body) if body else None))
                status, value = answers[self.command, self.path.split("/")[3]]
                data = json.dumps(value.pop(0) if isinstance(value, list) else value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.engine.image_labels = {"dev.sandbox.task-image": "task:1"}
        self.engine.add_container()
        self.engine.find("flyte-sandbox")["HostConfig"]["PortBindings"]["30080/tcp"][0]["HostPort"] = str(server.server_address[1])
        return asked

    def test_wait_for_a_first_task(self):
        running, done = {"closure": {"phase": "RUNNING"}}, {"closure": {"phase": "SUCCEEDED"}}
        asked = self.first_task({("POST", "tasks"): (409, {"message": "there"}), ("POST", "executions"): (200, {"id": {"name": "f1"}}), ("GET", "executions"): (200, [running, done])})
        self.assertIn("a first task has run", self.run_sandbox("start", "--wait", "first-task").stderr)
        self.assertEqual(asked[0][2]["spec"]["template"]["container"], {"image": "task:1", "command": ["true"]})
        self.assertEqual(asked[1][2]["spec"]["launch_plan"], asked[0][2]["id"])
        self.assertEqual([path for _, path, _ in asked[2:]], ["/api/v1/executions/flytesnacks/development/f1"] * 2)

    def test_first_task_that_fails(self):
        execution = {("POST", "tasks"): (200, {}), ("POST", "executions"): (200, {"id": {"name": "f1"}})}
        self.first_task({**execution, ("GET", "executions"): (200, {"closure": {"phase": "FAILED", "error": {"message": "no room"}}})})
        self.assert_error(self.run_sandbox("start", "--wait", "first-task", code=1), "first-task", "FAILED: no room")
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])
        self.first_task({**execution, ("GET", "executions"): (200, {"closure": {"phase": "QUEUED"}})})
        self.assert_error(self.run_sandbox("start", "--wait", "first-task", "--timeout", "1s", code=9), "first-task", "still QUEUED")
        self.first_task({("POST", "tasks"): (400, {"message": "malformed"})})
        self.assert_error(self.run_sandbox("start", "--wait", "first-task", code=1), "first-task", "malformed")
        self.first_task({("POST", "tasks"): (200, {}), ("POST", "executions"): (400, {"message": "no such project"})})
        self.assert_error(self.run_sandbox("start", "--wait", "first-task", code=1), "first-task", "no such project")
        self.engine.image_labels = {}
        self.assert_error(self.run_sandbox("start", "--wait", "first-task", code=11), "first-task", "brings no image")

    def test_no_wait(self):
        self.engine.commands["sandbox-init status --follow --json"] = Exec(hang=True)
        self.run_sandbox("start", *FREE_PORTS, "--no-wait")
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])


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


class Clients(Case):
    def test_files(self):
        kube = self.home / ".kube/config"
        kube.parent.mkdir()
        kube.write_text("# mine\napiVersion: v1\ncurrent-context: prod\ncontexts:\n- name: prod\n  context: {cluster: prod, user: me}\n")
        before = kube.read_text()
        self.run_sandbox("start", "--port", "http=31998", "--port", "kubernetes=31997", *FREE_PORTS)
        merged = kube.read_text()
        self.assertTrue(merged.startswith("# mine\n"))
        self.assertIn("- name: prod\n  context: {cluster: prod, user: me}\n", merged)
        self.assertIn("server: https://127.0.0.1:31997", merged)
        self.assertIn("current-context: flyte-sandbox\n", merged)
        own = (self.home / ".flyte/sandbox/kubeconfig").read_text()
        self.assertIn("server: https://127.0.0.1:31997", own)
        config = (self.home / ".flyte/config-sandbox.yaml").read_text()
        self.assertIn("endpoint: dns:///localhost:31998", config)
        self.run_sandbox("delete")
        self.assertEqual(kube.read_text().replace('current-context: ""', "current-context: prod").replace("clusters: []\nusers: []\n", ""), before)
        self.assertFalse((self.home / ".flyte/sandbox").exists())
        self.assertFalse((self.home / ".flyte/config-sandbox.yaml").exists())

    def test_keep_context(self):
        kube = self.home / "kube"
        kube.write_text("current-context: prod\n")
        self.environment["KUBECONFIG"] = f"{kube}:/nonexistent"
        self.run_sandbox("start", *FREE_PORTS, "--keep-context")
        self.assertIn("current-context: prod", kube.read_text())
        self.assertIn("name: flyte-sandbox", kube.read_text())

    def test_restart_leaves_the_current_context(self):
        self.run_sandbox("start", *FREE_PORTS)
        kube = self.home / ".kube/config"
        kube.write_text(kube.read_text().replace("current-context: flyte-sandbox", "current-context: other"))
        self.run_sandbox("stop")
        self.run_sandbox("start", *FREE_PORTS)
        self.assertIn("current-context: other", kube.read_text())

    def test_foreign_configuration_is_kept(self):
        (self.home / ".flyte").mkdir()
        (self.home / ".flyte/config-sandbox.yaml").write_text("admin: {endpoint: elsewhere}\n")
        done = self.run_sandbox("start", *FREE_PORTS)
        self.assertIn("kept as", done.stderr)
        self.assertEqual((self.home / ".flyte/config-sandbox.yaml.before-sandbox").read_text(), "admin: {endpoint: elsewhere}\n")

    def test_broken_kubeconfig(self):
        """Nothing of the user's is overwritten, and the sandbox stays."""
        kube = self.home / ".kube/config"
        kube.parent.mkdir()
        kube.write_text("a: [")
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=12), "malformed-yaml", "clients cannot be configured")
        self.assertEqual(kube.read_text(), "a: [")
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])
        self.assertFalse((self.home / ".kube/config.lock").exists())


class Images(Case):
    def setUp(self):
        super().setUp()
        self.engine.images.clear()

    def test_missing(self):
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=3), "image-missing", "flyte-sandbox:0.1.0", "--image-file")
        self.assert_nothing_left()

    def test_pull(self):
        self.run_sandbox("start", *FREE_PORTS, "--image", "ghcr.io/acme/sandbox:7")
        query = self.engine.asked("POST", "/images/create")[0][2]
        self.assertEqual((query["fromImage"], query["tag"]), ("ghcr.io/acme/sandbox", "7"))

    def test_pull_from_registry_prefix(self):
        self.environment["SANDBOX_REGISTRY"] = "registry.example/team"
        self.run_sandbox("start", *FREE_PORTS)
        self.assertEqual(self.engine.asked("POST", "/images/create")[0][2]["fromImage"], "registry.example/team/flyte-sandbox")
        self.assertIn("flyte-sandbox:0.1.0", self.engine.images)

    def test_error_inside_a_successful_answer(self):
        for message, code in (("manifest unknown", 3), ("unauthorized: no", 7), ("i/o timeout", 8)):
            with self.subTest(message=message):
                self.engine.pull_answer = [{"status": "Pulling"}, {"errorDetail": {"message": message}, "error": message}]
                self.assert_error(self.run_sandbox("start", *FREE_PORTS, "--image", "ghcr.io/a/b", code=code), "image-pull", message)
                self.assert_nothing_left()

    def test_pull_refused_at_once(self):
        self.engine.faults["POST /images/create"] = (500, "dial tcp 127.0.0.1:1: connect: connection refused")
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, "--image", "ghcr.io/a/b", code=8), "image-pull", "connection refused")

    def test_malformed_progress(self):
        def garbage(handler):
            handler.begin_chunks()
            handler.chunks(b'{"status":"Pulling"}\nnonsense\n')
            handler.end_chunks()

        self.engine.faults["POST /images/create"] = garbage
        self.run_sandbox("start", *FREE_PORTS, "--image", "ghcr.io/a/b", code=12)
        self.assert_nothing_left()

    def test_pull_breaks_off(self):
        def broken(handler):
            handler.begin_chunks()
            handler.chunks(b'{"status":"Pulling"}\n{"sta')
            return False

        self.engine.faults["POST /images/create"] = broken
        self.run_sandbox("start", *FREE_PORTS, "--image", "ghcr.io/a/b", code=8)
        self.assert_nothing_left()

    def test_load(self):
        archive = pathlib.Path(self.directory, "image.tar")
        archive.write_bytes(os.urandom(300000))
        self.run_sandbox("start", *FREE_PORTS, "--image-file", str(archive))
        self.assertEqual(self.engine.asked("POST", "/images/load")[0][3], archive.read_bytes())

    def test_load_under_another_name(self):
        archive = pathlib.Path(self.directory, "image.tar")
        archive.write_bytes(b"x")
        self.engine.load_answer = [{"stream": "Loaded image: other:1\n"}]
        self.environment["SANDBOX_IMAGE_FILE"] = str(archive)
        self.run_sandbox("start", *FREE_PORTS)
        self.assertEqual(self.engine.images["flyte-sandbox:0.1.0"], "sha256:cccc")

    def test_load_fails(self):
        archive = pathlib.Path(self.directory, "image.tar")
        archive.write_bytes(b"x")
        self.engine.load_answer = [{"errorDetail": {"message": "unexpected EOF"}}]
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, "--image-file", str(archive), code=8), "image-file", "unexpected EOF")
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, "--image-file", "/nonexistent.tar", code=3), "image-file")
        self.assert_nothing_left()

    def build_script(self, text):
        scripts = pathlib.Path(self.directory, "tree/scripts")
        scripts.mkdir(parents=True)
        (scripts / "build-image").write_text("#!/bin/sh\n" + text)
        (scripts / "build-image").chmod(0o755)
        self.environment["SANDBOX_SOURCE"] = str(scripts.parent)

    def test_build_script_fails(self):
        self.build_script("echo compiling; exit 3\n")
        done = self.run_sandbox("start", *FREE_PORTS, code=1)
        self.assert_error(done, "image-build", "exit code 3", "compiling")
        self.assertEqual(done.stdout, "")
        self.assert_nothing_left()

    def test_build_script_interrupted(self):
        mark = pathlib.Path(self.directory, "mark")
        self.build_script(f"trap 'echo stopped >{mark}; exit 1' TERM\necho running >{mark}\nwhile :; do sleep 0.05; done\n")
        done = self.interrupt("start", *FREE_PORTS, wait_for=mark.exists)
        self.assertEqual(done.returncode, 130)
        self.assertEqual(mark.read_text(), "stopped\n")
        self.assert_nothing_left()


class Trouble(Case):
    def test_dies_while_starting(self):
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(STARTING[:2]), hang=True)
        self.engine.logs = [(2, b"cannot start: disk on fire\n")]
        process = subprocess.Popen([BINARY, "start", *FREE_PORTS], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertTrue(self.engine.waiting.wait(30))
        began = time.monotonic()
        self.engine.die(42)
        _, stderr = process.communicate(timeout=30)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(process.returncode, 1)
        self.assertIn("error[sandbox-died]", stderr)
        self.assertIn("exit code 42", stderr)
        self.assertIn("disk on fire", stderr)
        self.assert_nothing_left()
        bundle = self.bundle_of(stderr)
        self.assertIn(b"disk on fire", bundle["container.log"])
        self.assertEqual(json.loads(bundle["error.json"])["id"], "sandbox-died")
        self.assertEqual(json.loads(bundle["status.json"])["state"], "crashed")

    def bundle_of(self, stderr):
        """The files of the bundle that an error names."""
        path = re.search(r"^logs: (.*)$", stderr, re.MULTILINE).group(1)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)
        with tarfile.open(path) as archive:
            return {entry.name: archive.extractfile(entry).read() for entry in archive}

    def test_deadline(self):
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(STARTING[:2]), hang=True)
        self.engine.files["/var/lib/sandbox/log/kubernetes.log"] = "no API server\n"
        done = self.run_sandbox("start", *FREE_PORTS, "--timeout", "1s", "--env", "TOKEN=secret", code=9)
        self.assert_error(done, "start-timeout", "kubernetes (starting: waits for the API server)", "hint: sandbox logs kubernetes", "check: sandbox doctor memory")
        self.assertNotIn("postgres (", done.stderr)
        self.assert_nothing_left()
        bundle = self.bundle_of(done.stderr)
        self.assertEqual(bundle["services/log/kubernetes.log"], b"no API server\n")
        self.assertEqual({check["id"] for check in json.loads(bundle["doctor.json"])}, {"cgroup", "disk", "memory", "inotify", "modules", "dns", "ca", "clock"})
        self.assertIn("TOKEN=(left out)", json.loads(bundle["container.json"])["Config"]["Env"])
        self.assertNotIn(b"secret", b"".join(bundle.values()))

    def test_keep(self):
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(STARTING[:2]), hang=True)
        done = self.run_sandbox("start", *FREE_PORTS, "--timeout", "1s", "--keep", code=9)
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])
        self.assertIn("error.json", self.bundle_of(done.stderr))

    def test_failed_start_keeps_what_was_there_before(self):
        self.run_sandbox("start", *FREE_PORTS)
        self.run_sandbox("stop")
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(STARTING[:2]), hang=True)
        document = json.loads(self.run_sandbox("start", *FREE_PORTS, "--timeout", "1s", "-o", "json", code=9).stdout)
        self.assertEqual((document["error"]["id"], document["check"]), ("start-timeout", "memory"))
        self.assertTrue(os.path.exists(document["bundle"]))
        self.assertEqual((list(self.engine.containers), list(self.engine.volumes), self.engine.running()), (["flyte-sandbox"], ["flyte-sandbox"], []))

    def test_bundles_are_few_and_may_fail(self):
        directory = self.home / ".local/state/sandbox/bundles"
        directory.mkdir(parents=True, mode=0o700)
        for number in range(12):
            (directory / f"flyte-sandbox-20260101T0000{number:02}000000Z.tar.gz").write_text("")
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(STARTING[:2]), hang=True)
        self.engine.faults["GET /info"] = lambda handler: handler.info() if not os.path.exists(f"{self.directory}/broken") else handler.fail(500, "no information")
        self.run_sandbox("start", *FREE_PORTS, "--timeout", "1s", code=9)
        self.assertEqual(len(list(directory.iterdir())), 10)
        self.assertFalse((directory / "flyte-sandbox-20260101T000000000000Z.tar.gz").exists())
        self.engine.add_container()
        pathlib.Path(self.directory, "broken").write_text("")
        self.engine.faults["GET /logs"] = (500, "no logs")
        self.run_sandbox("logs", "--bundle", f"{self.directory}/b.tar.gz")
        with tarfile.open(f"{self.directory}/b.tar.gz") as archive:
            files = {entry.name: archive.extractfile(entry).read() for entry in archive}
        self.assertIn("no information", json.loads(files["engine.json"])["error"]["message"])
        self.assertIn(b"no logs", files["container.log"])
        self.assertIn(b"Could not find", files["services.txt"])
        self.assert_error(self.run_sandbox("logs", "--bundle", "/nonexistent/b", code=1), "bundle")
        # Where there is no place for it, the failure is told all the same.
        shutil.rmtree(directory)
        directory.write_text("")
        self.run_sandbox("delete")
        pathlib.Path(self.directory, "broken").unlink()
        done = self.run_sandbox("start", *FREE_PORTS, "--timeout", "1s", code=9)
        self.assertIn("the logs could not be kept", done.stderr)

    def test_failing_service(self):
        flapping = [service("postgres", status, 5432, message="exit 1") for _ in range(6) for status in ("starting", "failed")]
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(flapping), hang=True)
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=1), "service-failing", "postgres", "exit 1")

    def test_no_sandbox_image(self):
        self.engine.commands["sandbox-init status --follow --json"] = Exec(stdout="OCI runtime exec failed: not found\n", code=127)
        self.run_sandbox("start", *FREE_PORTS, "--timeout", "2s", code=9)

    def test_create_refused(self):
        self.engine.faults["POST /containers/create"] = (500, "no space left on device")
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=10), "disk-space", "no space left on device", "check: sandbox doctor disk")
        self.assert_nothing_left()

    def test_start_refused_keeps_state(self):
        """The volume was there before: it is not ours to take back."""
        self.run_sandbox("start", *FREE_PORTS)
        self.run_sandbox("delete")
        self.engine.faults["POST /start$"] = (500, "cgroups: cannot")
        self.run_sandbox("start", *FREE_PORTS, code=1)
        self.assertEqual((list(self.engine.containers), list(self.engine.volumes)), ([], ["flyte-sandbox"]))

    def test_engine_finds_the_port_taken(self):
        self.engine.add_container("other", labels={}, Ports=[{"PublicPort": 31996}])
        self.engine.faults["POST /start$"] = (500, "driver failed: Bind for 127.0.0.1:31996 failed: port is already allocated")
        done = self.run_sandbox("start", *FREE_PORTS, "--port", "http=31996", code=6)
        self.assert_error(done, "port-taken", "port 31996 (http)", "container 'other'")
        self.assertEqual(list(self.engine.containers), ["other"])

    def test_process_holds_the_port(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            done = self.run_sandbox("start", *FREE_PORTS, "--port", f"s3={port}", code=6)
        self.assert_error(done, "port-taken", f"port {port} (s3)", f"(pid {os.getpid()})")
        self.assert_nothing_left()

    def test_not_enough_disk(self):
        done = self.run_sandbox("start", *FREE_PORTS, "--min-disk", "100000", code=10)
        self.assert_error(done, "disk-space", "--min-disk")
        self.assert_nothing_left()

    def test_lost_race(self):
        """Another start made the container between our look and our create."""
        def somebody_else(handler):
            with handler.engine.lock:
                handler.engine.add_container()
                handler.engine.volumes["flyte-sandbox"] = {"Name": "flyte-sandbox", "Labels": {"dev.sandbox.instance": "flyte-sandbox"}}
            return handler.fail(409, 'Conflict. The container name "/flyte-sandbox" is already in use')

        self.engine.faults["POST /containers/create"] = somebody_else
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=6), "docker-error", "another `sandbox start`")
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])
        self.assertEqual(list(self.engine.volumes), ["flyte-sandbox"])

    def test_error_is_not_absence(self):
        self.engine.add_container()
        self.engine.faults["GET /containers/flyte-sandbox/json"] = (500, "database is locked")
        for arguments in (["start"], ["status"], ["stop"], ["delete", "--volume"]):
            with self.subTest(arguments=arguments):
                self.assert_error(self.run_sandbox(*arguments, code=1), "docker-error", "database is locked")
        self.assertEqual(self.engine.asked("POST", "/create"), [])
        self.assertEqual(self.engine.asked("DELETE", ""), [])

    def test_foreign_things(self):
        self.engine.add_container(labels={})
        self.assert_error(self.run_sandbox("start", code=6), "foreign-container", "docker rm -f")
        self.assert_error(self.run_sandbox("delete", code=6), "foreign-container")
        self.engine.containers.clear()
        self.engine.volumes["flyte-sandbox"] = {"Name": "flyte-sandbox", "Labels": None}
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=6), "foreign-volume")
        self.assert_error(self.run_sandbox("delete", "--volume", code=6), "foreign-volume")
        self.assertEqual(list(self.engine.volumes), ["flyte-sandbox"])

    def test_connection_lost(self):
        self.engine.faults["POST /containers/create"] = lambda handler: False
        self.run_sandbox("start", *FREE_PORTS, code=8)

    def test_error_as_a_document(self):
        document = json.loads(self.run_sandbox("stop", "-o", "json", code=3).stdout)
        self.assertEqual((document["schemaVersion"], document["command"], document["name"]), (1, "stop", "flyte-sandbox"))
        self.assertEqual({key: document["error"][key] for key in ("id", "kind", "exitCode", "hint")}, {"id": "sandbox-absent", "kind": "not-found", "exitCode": 3, "hint": "sandbox start"})
        self.assertEqual(json.loads(self.run_sandbox("-o", "json", "strat", code=2).stdout)["error"]["id"], "unknown-verb")
        self.assertEqual(self.run_sandbox("-o", "json", "exec", "true", code=125).stdout, "", "stdout belongs to the command")

    def test_answer_without_message(self):
        self.engine.faults["GET /containers/flyte-sandbox/json"] = lambda handler: handler.answer(502)
        self.assert_error(self.run_sandbox("status", code=1), "docker-error", "502")


class Interrupts(Case):
    def check(self, done, code=130):
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn("error[cancelled]", done.stderr)
        self.assert_nothing_left()

    def test_during_pull(self):
        self.engine.pull_hangs = True
        self.check(self.interrupt("start", *FREE_PORTS, "--image", "ghcr.io/a/b"))

    def test_while_waiting(self):
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(STARTING[:2]), hang=True)
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            with self.subTest(signal=number):
                self.engine.waiting.clear()
                done = self.interrupt("start", *FREE_PORTS, number=number)
                self.check(done, code)
                self.assertIn("nothing of this start is left", done.stderr)

    def test_during_each_step_of_creation(self):
        for step in ("POST /volumes/create", "POST /containers/create", "POST /containers/[^/]+/start"):
            with self.subTest(step=step):
                reached = []

                def slow(handler, reached=reached, step=step):
                    reached.append(True)
                    time.sleep(0.3)
                    for method, expression, function in handler.routes:
                        path = re.sub(r"^/v1\.\d+", "", handler.target.partition("?")[0])
                        found = re.fullmatch(expression, path)
                        if found and method == handler.method:
                            return function(handler, *found.groups())
                    return None

                self.engine.faults = {step: slow}
                self.check(self.interrupt("start", *FREE_PORTS, wait_for=lambda: reached))

    def test_what_was_there_before_stays(self):
        self.run_sandbox("start", *FREE_PORTS)
        self.run_sandbox("stop")
        self.engine.commands["sandbox-init status --follow --json"] = Exec(hang=True)
        done = self.interrupt("start", *FREE_PORTS)
        self.assertEqual(done.returncode, 130)
        self.assertEqual(list(self.engine.containers), ["flyte-sandbox"])
        self.assertEqual(list(self.engine.volumes), ["flyte-sandbox"])
        self.assertEqual(self.engine.running(), [])

    def test_running_sandbox_survives(self):
        self.run_sandbox("start", *FREE_PORTS)
        self.engine.commands["sandbox-init status --follow --json"] = Exec(hang=True)
        self.assertEqual(self.interrupt("start").returncode, 130)
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])


def answer_of(handler):
    """What the engine would answer without the fault."""
    path = re.sub(r"^/v1\.\d+", "", handler.target.partition("?")[0])
    for method, expression, function in handler.routes:
        found = re.fullmatch(expression, path)
        if found and method == handler.method:
            return function(handler, *found.groups())
    return None


class EveryStep(Case):
    """A start that is killed, and a disk that is full, at each of its requests to the engine."""

    STEPS = ("GET ^/info", "GET ^/images/", "GET ^/volumes/", "POST ^/volumes/create", "POST ^/containers/create", "POST ^/containers/[^/]+/start", "POST ^/exec/", "POST /wait$", "GET /archive$", "POST /update$")

    def test_killed(self):
        """Nothing stays locked, and the next start makes a sandbox of what there is."""
        for step in self.STEPS:
            for when in ("before", "after"):
                with self.subTest(step=step, when=when):
                    reached, release = threading.Event(), threading.Event()

                    def hold(handler, reached=reached, release=release, when=when):
                        if when == "after":
                            answer_of(handler)
                        reached.set()
                        release.wait(30)
                        return False

                    self.engine.faults = {step: hold}
                    process = subprocess.Popen([BINARY, "start", *FREE_PORTS], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    self.assertTrue(reached.wait(30), "the start gets there")
                    process.kill()
                    process.wait()
                    self.engine.faults = {}
                    release.set()
                    self.run_sandbox("start", *FREE_PORTS)
                    self.assertEqual(self.engine.running(), ["flyte-sandbox"])
                    self.run_sandbox("delete", "--volume")
                    self.assert_nothing_left()
                    self.assertEqual([name for name in os.listdir(self.home / ".kube") if name != "config"], [])

    def test_engine_without_room(self):
        full = (500, "write /var/lib/docker/x: no space left on device")
        for step in ("POST ^/volumes/create", "POST ^/containers/create", "POST ^/containers/[^/]+/start"):
            with self.subTest(step=step):
                self.engine.faults = {step: full}
                self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=10), "disk-space", "no space left on device", "check: sandbox doctor disk")
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


class ExecAndLogs(Case):
    def setUp(self):
        super().setUp()
        self.engine.add_container()

    def test_exec(self):
        self.engine.commands["ls -l x"] = Exec("out\n" * 100, "err\n", 7)
        for seed in range(5):
            self.engine.random.seed(seed)
            done = self.run_sandbox("exec", "--", "ls", "-l", "x", code=7)
            self.assertEqual((done.stdout, done.stderr), ("out\n" * 100, "err\n"))

    def test_options_of_exec_end_at_the_command(self):
        self.engine.commands["env -i -e"] = Exec()
        self.run_sandbox("exec", "-u", "root", "-w", "/tmp", "-e", "A=b", "env", "-i", "-e")
        request = next(iter(self.engine.execs.values()))["request"]
        self.assertEqual((request["User"], request["WorkingDir"], request["Env"], request["AttachStdin"]), ("root", "/tmp", ["A=b"], False))

    def test_stdin(self):
        self.engine.commands["cat"] = Exec(echo=True, code=3)
        for size in (0, 10, 300000):
            with self.subTest(size=size):
                data = ("abcdefg\n" * (size // 8 + 1))[:size]
                done = self.run_sandbox("exec", "-i", "--", "cat", code=3, input=data)
                self.assertEqual(done.stdout, data.upper())

    def test_an_interrupt_ends_endless_output(self):
        flowing = threading.Event()

        def endless(handler):
            handler.wfile.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
            frames = (b"\1\0\0\0\0\0\x40\0" + b"y" * 0x4000) * 64
            try:
                while True:
                    handler.wfile.write(frames)
                    flowing.set()
            except OSError:
                return False

        self.engine.faults["POST /exec/.*/start"] = endless
        process = subprocess.Popen([BINARY, "exec", "-i", "--", "yes"], env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

        def look():
            while process.stdout.read(4096):
                pass

        reader = threading.Thread(target=look)
        reader.start()
        self.assertTrue(flowing.wait(30))
        process.send_signal(signal.SIGINT)
        try:
            code = process.wait(timeout=10)
        finally:
            process.kill()
            reader.join()
            process.stdin.close()
            process.stdout.close()
        self.assertEqual(code, 130)

    def test_stdin_refused(self):
        self.engine.faults["POST /exec/.*/start"] = (409, "container is paused")
        self.assert_error(self.run_sandbox("exec", "-i", "--", "cat", code=125, input="x"), "docker-error", "container is paused")

    def test_exec_needs_a_running_sandbox(self):
        self.engine.die(0)
        self.assert_error(self.run_sandbox("exec", "--", "ls", code=125), "sandbox-stopped", "hint: sandbox start")
        self.engine.containers.clear()
        self.assert_error(self.run_sandbox("exec", "-n", "x", "--", "ls", code=125), "sandbox-absent", "hint: sandbox start --name flyte-sandbox-x")

    def test_broken_stream(self):
        def broken(handler):
            handler.write(b"HTTP/1.1 200 OK\r\n\r\n\1\0\0\0\0\0\0\x10only a part")
            return False

        self.engine.faults["POST /exec/.*/start"] = broken
        done = self.run_sandbox("exec", "--", "ls", code=125)
        self.assertEqual(done.stdout, "only a part")
        self.assert_error(done, "docker-stream")

    def test_container_logs(self):
        done = self.run_sandbox("logs", "--tail", "5")
        self.assertEqual((done.stdout, done.stderr), ("log line one\n", "log line two\n"))
        self.assertEqual(self.engine.asked("GET", "/logs")[0][2]["tail"], "5")

    def test_service_logs(self):
        self.engine.commands["sandbox-init logs postgres --tail 200"] = Exec("pg\n")
        self.assertEqual(self.run_sandbox("logs", "postgres").stdout, "pg\n")
        self.assert_error(self.run_sandbox("logs", "postgress", code=3), "unknown-service", "did you mean 'postgres'")
        self.assert_error(self.run_sandbox("logs", "../../etc/passwd", code=3), "unknown-service")

    def test_logs_of_the_dead(self):
        self.engine.die(1)
        self.engine.files["/var/lib/sandbox/log/postgres.log"] = "a\nb\nc\n"
        self.assertEqual(self.run_sandbox("logs", "postgres", "--tail", "2").stdout, "b\nc\n")
        self.assertEqual(self.run_sandbox("logs", "postgres", "--tail", "9").stdout, "a\nb\nc\n")
        self.assertEqual(self.run_sandbox("logs", "postgres", "--tail", "all").stdout, "a\nb\nc\n")
        self.assertEqual(self.run_sandbox("logs", "postgres", "--tail", "0").stdout, "")
        self.assert_error(self.run_sandbox("logs", "minio", code=3), "unknown-service")

    def test_closed_pipe_is_no_failure(self):
        self.engine.logs = [(1, b"line\n" * 2000)] * 20
        done = subprocess.run(f"{BINARY} logs | head -n 1; echo ${{PIPESTATUS[0]}}", shell=True, executable="/bin/bash", env=self.environment, capture_output=True, text=True)
        self.assertEqual(done.stdout, "line\n0\n", done.stderr)


class Build(Case):
    def setUp(self):
        super().setUp()
        self.engine.add_container()
        self.engine.commands["sandbox-init start buildkit"] = Exec("buildkit ready\n")
        self.engine.commands["/bin/sh -c pid=*"] = Exec()
        self.engine.commands["/bin/sh -c echo*"] = Exec(stderr="#1 DONE\n")
        self.context = pathlib.Path(self.directory, "context")
        (self.context / "app").mkdir(parents=True)
        (self.context / "Dockerfile").write_text("FROM base\n")
        (self.context / "app/main.py").write_text("print()\n")
        (self.context / "secret.env").write_text("x")
        (self.context / ".dockerignore").write_text("*.env\n")

    def commands(self):
        return [state["request"]["Cmd"] for state in self.engine.execs.values()]

    def test_build(self):
        done = self.run_sandbox("build", str(self.context), "--tag", "app:1", "--build-arg", "A=b", "--target", "t", "--no-cache")
        self.assertEqual(done.stdout, "")
        path, entries = self.engine.uploads[0]
        self.assertEqual(path, "/var/lib/sandbox")
        top = next(name for name in entries if name.startswith("build/") and name.count("/") == 1)
        self.assertEqual(entries[f"{top}/context/app/main.py"], b"print()\n")
        self.assertEqual(entries[f"{top}/dockerfile/Dockerfile"], b"FROM base\n")
        self.assertNotIn(f"{top}/context/secret.env", entries)
        builder = self.commands()[1]
        directory = f"/var/lib/sandbox/{top}"
        for part in (
            f"context={directory}/context",
            f"dockerfile={directory}/dockerfile",
            "type=image,name=docker.io/library/app:1,unpack=true",
            "build-arg:A=b",
            "target=t",
            "--no-cache",
            "image-resolve-mode=local",
        ):
            self.assertIn(part, builder)
        cleanup = self.commands()[2]
        self.assertEqual((cleanup[2].endswith('rm -rf "$0"'), cleanup[3], cleanup[4]), (True, directory, ""))

    def test_failure(self):
        self.engine.commands["/bin/sh -c echo*"] = Exec(stderr="#1 RUN false\nerror: failed to solve: exit code: 9\n", code=4)
        done = self.run_sandbox("build", str(self.context), "--tag", "app", code=4)
        self.assert_error(done, "build-failed", "failed to solve: exit code: 9")
        self.assertEqual(len(self.commands()), 3, "the context is removed")
        quiet = self.run_sandbox("build", "-q", str(self.context), "--tag", "app", code=4)
        self.assertIn("#1 RUN false", quiet.stderr)

    def test_results_on_stdout(self):
        self.assertEqual(self.run_sandbox("build", "-q", str(self.context), "--tag", "app").stdout, "docker.io/library/app:latest\n")
        self.assertEqual(json.loads(self.run_sandbox("build", "-o", "json", str(self.context), "--tag", "app").stdout)["image"], "docker.io/library/app:latest")

    def test_mistakes(self):
        self.assert_error(self.run_sandbox("build", "/nonexistent", "--tag", "a", code=3), "context-missing")
        self.assert_error(self.run_sandbox("build", str(self.context), "-f", "No.dockerfile", "--tag", "a", code=3), "dockerfile-missing")
        (self.context / ".dockerignore").write_text("ok\n[\n")
        self.assert_error(self.run_sandbox("build", str(self.context), "--tag", "a", code=12), "dockerignore", "line 2")
        self.assertEqual(self.engine.uploads, [])

    def test_dockerfile_elsewhere(self):
        other = pathlib.Path(self.directory, "My.dockerfile")
        other.write_text("FROM other\n")
        other.with_name("My.dockerfile.dockerignore").write_text("app\n")
        self.run_sandbox("build", str(self.context), "-f", str(other), "--tag", "a")
        _, entries = self.engine.uploads[0]
        self.assertIn(b"FROM other\n", entries.values())
        self.assertFalse(any(name.endswith("main.py") for name in entries))
        self.assertTrue(any(name.endswith("secret.env") for name in entries))

    def test_builder_does_not_start(self):
        self.engine.commands["sandbox-init start buildkit"] = Exec(stderr="sandbox-init: no service 'buildkit'\n", code=1)
        self.assert_error(self.run_sandbox("build", str(self.context), "--tag", "a", code=1), "exec-failed", "no service 'buildkit'", "logs buildkit")

    def test_interrupt(self):
        self.engine.commands["/bin/sh -c echo*"] = Exec(stderr="#1 RUN sleep\n", hang=True)
        done = self.interrupt("build", str(self.context), "--tag", "a")
        self.assertEqual(done.returncode, 130)
        self.assertEqual(self.commands()[-1][4], "kill")

    def test_reload(self):
        program = pathlib.Path(self.directory, "program")
        program.write_bytes(b"\x7fELF")
        self.engine.commands["sandbox-init restart controlplane"] = Exec("controlplane ready\n")
        self.engine.commands["rm -f /var/lib/sandbox/override/flyte-controlplane"] = Exec()
        self.run_sandbox("reload", str(program))
        self.assertEqual(self.engine.uploads[0][1]["override/flyte-controlplane"], b"\x7fELF")
        self.engine.commands["sandbox-init restart controlplane"] = Exec(stderr="it fails", code=1)
        self.assert_error(self.run_sandbox("reload", str(program), code=1), "exec-failed", "hint: sandbox reload --reset")
        self.engine.commands["sandbox-init restart controlplane"] = Exec("controlplane ready\n")
        self.run_sandbox("reload", "--reset")
        self.assert_error(self.run_sandbox("reload", "/nonexistent", code=3), "not-found")

    def test_reload_of_what_is_no_program(self):
        self.assert_error(self.run_sandbox("reload", str(self.put_configuration("a: 1")), code=12), "no-program", "mine.yaml", "hint: a configuration is put in place with --config")
        self.assertEqual(self.engine.uploads, [])

    def put_configuration(self, text):
        file = pathlib.Path(self.directory, "mine.yaml")
        file.write_text(text, encoding="utf-8")
        return file

    def test_reload_of_the_configuration(self):
        file = self.put_configuration("flyteadmin: {}\n")
        self.engine.commands["sh -c p=*"] = Exec()
        self.engine.commands["mv /var/lib/sandbox/config/candidate/config.yaml /var/lib/sandbox/config/config.yaml"] = Exec()
        self.engine.commands["rm -f /var/lib/sandbox/config/config.yaml"] = Exec()
        self.run_sandbox("reload", "--config", str(file))
        self.assertEqual(self.engine.uploads[0][1]["config/candidate/config.yaml"], b"flyteadmin: {}\n")
        self.run_sandbox("reload", "--config", "--reset")
        self.assert_error(self.run_sandbox("reload", "--config", "/nonexistent", code=3), "not-found")

    def test_reload_of_a_wrong_configuration(self):
        file = self.put_configuration("a: 1\n")
        self.engine.commands["sh -c p=*"] = Exec(stderr="config.yaml, line 1: a: there is no such setting\n", code=1)
        done = self.run_sandbox("reload", "--config", str(file), code=12)
        self.assert_error(done, "bad-configuration", "mine.yaml: config.yaml, line 1: a: there is no such setting")


class Lifecycle(Case):
    """restart, pause, resume; and what several launchers do at once."""

    def setUp(self):
        super().setUp()
        self.run_sandbox("start", *FREE_PORTS)

    def status_of(self, name="flyte-sandbox"):
        return self.engine.find(name)["State"]["Status"]

    def test_pause_and_resume(self):
        self.assertEqual(json.loads(self.run_sandbox("pause", "-o", "json").stdout)["state"], "paused")
        self.assertEqual(self.status_of(), "paused")
        self.run_sandbox("pause")
        self.assert_error(self.run_sandbox("kubeconfig", code=4), "sandbox-paused")
        self.assertEqual(json.loads(self.run_sandbox("resume", "-o", "json").stdout)["state"], "running")
        self.assertEqual(self.status_of(), "running")
        self.run_sandbox("resume")
        self.run_sandbox("stop")
        self.assert_error(self.run_sandbox("pause", code=4), "sandbox-stopped", "sandbox start")
        self.assert_error(self.run_sandbox("resume", code=4), "sandbox-stopped")
        self.run_sandbox("delete")
        for verb in ("pause", "resume", "restart", "env", "kubeconfig", "open"):
            self.assert_error(self.run_sandbox(verb, code=3), "sandbox-absent")

    def test_restart(self):
        self.run_sandbox("restart")
        self.assertEqual((len(self.engine.asked("POST", "/stop$")), len(self.engine.asked("POST", "/start$")) - len(self.engine.asked("POST", "/exec/.*/start$"))), (1, 2))
        self.run_sandbox("pause")
        self.assertIn("restarted", self.run_sandbox("restart").stderr)
        self.run_sandbox("stop")
        self.assertEqual(json.loads(self.run_sandbox("restart", "-o", "json").stdout)["state"], "running")
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 1)

    def test_another_home_is_configured(self):
        """The same sandbox for another user, or another HOME: start tells its clients, too."""
        self.environment["HOME"] = other = os.path.join(self.directory, "other")
        os.mkdir(other)
        self.run_sandbox("start")
        for name in (".flyte/config-sandbox.yaml", ".flyte/sandbox/kubeconfig", ".kube/config"):
            self.assertTrue(pathlib.Path(other, name).exists(), name)
        self.assertIn("current-context: flyte-sandbox", pathlib.Path(other, ".kube/config").read_text())

    def test_starts_at_once_make_one_sandbox(self):
        self.run_sandbox("delete", "--volume")
        self.engine.requests.clear()
        command = [BINARY, "start", *FREE_PORTS, "-o", "json"]
        starts = [subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
        for process in starts:
            stdout, stderr = process.communicate(timeout=60)
            self.assertEqual((process.returncode, json.loads(stdout)["state"]), (0, "running"), stderr)
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 1)

    def test_locked(self):
        self.engine.commands["sandbox-init status --follow --json"] = Exec(hang=True)
        self.run_sandbox("stop")
        holder = subprocess.Popen([BINARY, "start", *FREE_PORTS], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            self.check_locked_by(holder)
        finally:
            holder.kill()
            holder.communicate(timeout=30)

    def check_locked_by(self, holder):
        self.assertTrue(self.engine.waiting.wait(30))
        done = self.run_sandbox("restart", "--timeout", "1s", code=6)
        self.assert_error(done, "instance-locked", f"`sandbox start` (pid {holder.pid})", "waiting: another launcher")
        self.engine.requests.clear()
        self.assertEqual(self.interrupt("restart", wait_for=lambda: self.engine.asked("GET", "^/_ping$")).returncode, 130)

    def test_lock_in_somebody_elses_place(self):
        runtime = pathlib.Path(self.directory, "runtime")
        runtime.mkdir()
        self.environment["XDG_RUNTIME_DIR"] = str(runtime)
        (runtime / "sandbox").write_text("")
        self.assert_error(self.run_sandbox("stop", code=7), "instance-lock", "not a directory of ours")
        self.environment["XDG_RUNTIME_DIR"] = "/nonexistent"
        self.assert_error(self.run_sandbox("stop", code=3), "instance-lock")

    def test_events(self):
        def event(action, seconds, **attributes):
            return {"Type": "container", "Action": action, "timeNano": seconds * 10**9, "Actor": {"ID": "c", "Attributes": {"name": "flyte-sandbox", "image": "i", **attributes}}}

        self.engine.events = [event("start", 1000), event("die", 1001, exitCode="137")]
        self.assertEqual(self.run_sandbox("events").stdout.splitlines(), ["1970-01-01T00:16:40.000000Z  flyte-sandbox  start", "1970-01-01T00:16:41.000000Z  flyte-sandbox  die (exit code 137)"])
        filters = json.loads(self.engine.asked("GET", "^/events")[0][2]["filters"])
        self.assertEqual(filters["label"], ["dev.sandbox.instance=flyte-sandbox"])
        self.assertIn("oom", filters["event"])
        documents = [json.loads(line) for line in self.run_sandbox("events", "--all", "-o", "json").stdout.splitlines()]
        self.assertEqual([(document["schemaVersion"], document["event"], document.get("exitCode")) for document in documents], [(1, "start", None), (1, "die", 137)])
        self.assertEqual(json.loads(self.engine.asked("GET", "^/events")[1][2]["filters"])["label"], ["dev.sandbox.instance"])
        self.assertEqual(self.interrupt("events", "--follow").returncode, 130)

    def test_open(self):
        browser = pathlib.Path(self.directory, "browser")
        browser.write_text(f"#!/bin/sh\necho \"$1\" >{self.directory}/opened\n")
        browser.chmod(0o755)
        self.environment["BROWSER"] = str(browser)
        url = self.run_sandbox("open", "--print").stdout.strip()
        self.assertRegex(url, r"^http://localhost:\d+/console$")
        self.assertFalse(os.path.exists(f"{self.directory}/opened"))
        self.run_sandbox("open")
        self.assertEqual(pathlib.Path(self.directory, "opened").read_text().strip(), url)
        self.assertEqual(json.loads(self.run_sandbox("open", "-o", "json").stdout)["url"], url)
        self.environment.update(BROWSER="/nonexistent", PATH="/nonexistent")
        self.assertIn(f"the address is {url}", self.run_sandbox("open").stderr)


class ClientEnvironment(Case):
    def setUp(self):
        super().setUp()
        self.engine.add_container()

    def test_for_a_shell(self):
        script = f'eval "$({BINARY} env)" && printf "%s\\n" "$FLYTE_PLATFORM_URL" "$FLYTECTL_CONFIG" "$FLYTE_AWS_ENDPOINT"'
        self.environment["HOME"] = str(self.home) + " it's"
        done = subprocess.run(["sh", "-c", script], env=self.environment, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.splitlines(), ["localhost:30080", f"{self.home} it's/.flyte/config-sandbox.yaml", "http://localhost:30002"])

    def test_env_file(self):
        values = dict(line.split("=", 1) for line in self.run_sandbox("status", "-o", "env", "--override-name", "console=NEXT_URL").stdout.splitlines())
        self.assertEqual((values["NEXT_URL"], values["SANDBOX_STATE"], values["SANDBOX_NAME"]), ("http://localhost:30080/console", "running", "flyte-sandbox"))
        self.assertNotIn("SANDBOX_CONSOLE_URL", values)
        self.assertNotIn("SANDBOX_STATE", self.run_sandbox("env", "-o", "env").stdout)
        self.assertEqual(json.loads(self.run_sandbox("env", "-o", "json").stdout)["env"]["SANDBOX_POSTGRES_URL"], "postgresql://postgres:postgres@localhost:30001/flyte")
        for wrong in ("console", "console=", "console=1A", "console=A-B"):
            self.assert_error(self.run_sandbox("env", "--override-name", wrong, code=2), "bad-value", "VALUE=VARIABLE")
        self.assert_error(self.run_sandbox("env", "--override-name", "consle=A", code=2), "bad-value", "did you mean 'console'")
        self.assert_error(self.run_sandbox("env", "--override-name", "zzzzzzzzz=A", code=2), "bad-value", "the values are name, config")

    def test_kubeconfig(self):
        self.assertIn("server: https://127.0.0.1:6443", self.run_sandbox("kubeconfig").stdout)
        self.assertEqual(json.loads(self.run_sandbox("kubeconfig", "-o", "json").stdout)["kubeconfig"]["current-context"], "flyte-sandbox")
        self.run_sandbox("kubeconfig", "--merge", "--current")
        self.assertIn("current-context: flyte-sandbox", (self.home / ".kube/config").read_text())
        self.engine.files.clear()
        self.run_sandbox("kubeconfig", code=3)


class Instances(Case):
    OVER = {"dev.sandbox.expires": "2026-01-01T00:00:00.000000Z"}

    def add(self, name, volume=True, container=True, **labels):
        all_labels = {"dev.sandbox.instance": name, **{f"dev.sandbox.{key}": value for key, value in labels.items()}}
        if container:
            self.engine.add_container(name, labels=all_labels)
        if volume:
            self.engine.volumes[name] = {"Name": name, "Labels": all_labels, "CreatedAt": "2026-01-01T00:00:00Z"}

    def test_list(self):
        self.assertEqual(json.loads(self.run_sandbox("list", "-o", "json").stdout)["instances"], [])
        self.assertIn("there is no sandbox", self.run_sandbox("list").stderr)
        self.add("flyte-sandbox-b")
        self.add("flyte-sandbox", expires="2999-01-01T00:00:00.000000Z")
        self.add("flyte-sandbox-gone", container=False)
        self.engine.add_container("somebody", labels={})
        self.engine.volumes["theirs"] = {"Name": "theirs", "Labels": None}
        rows = [line.split() for line in self.run_sandbox("list").stdout.splitlines()]
        self.assertEqual(rows[0], ["NAME", "STATE", "AGE", "IMAGE", "PORTS", "UNTIL"])
        self.assertEqual([row[:2] for row in rows[1:]], [["flyte-sandbox", "running"], ["flyte-sandbox-b", "running"], ["flyte-sandbox-gone", "absent"]])
        self.assertIn("http=30080", rows[1])
        self.assertEqual(rows[1][-1], "2999-01-01T00:00:00.000000Z")
        self.assertEqual(self.run_sandbox("list", "-o", "name").stdout.split(), ["flyte-sandbox", "flyte-sandbox-b", "flyte-sandbox-gone"])
        document = json.loads(self.run_sandbox("list", "--disk", "-o", "json").stdout)
        self.assertEqual([entry["diskBytes"] for entry in document["instances"]], [5 << 20] * 3)
        self.assertEqual(document["instances"][0]["ports"], {"http": 30080, "kubernetes": 6443, "postgres": 30001, "s3": 30002})
        self.assertIn("5 MiB", self.run_sandbox("list", "--disk").stdout)

    def test_list_is_not_absence(self):
        self.engine.faults["GET /containers/json"] = (500, "database is locked")
        self.assert_error(self.run_sandbox("list", code=1), "docker-error", "database is locked")
        self.engine.faults = {"GET ^/volumes$": (500, "no volumes today")}
        self.assert_error(self.run_sandbox("list", code=1), "docker-error", "no volumes today")
        self.engine.faults = {"GET ^/containers/.*/json": (500, "broken")}
        self.add("flyte-sandbox")
        self.assert_error(self.run_sandbox("prune", code=1), "docker-error", "broken")

    def test_prune(self):
        ended = subprocess.Popen(["true"])
        ended.wait()
        host, mine = socket.gethostname(), pathlib.Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19]
        self.add("flyte-sandbox-expired", expires="2026-01-01T00:00:00.000000Z")
        self.add("flyte-sandbox-ownerless", owner=f"{host} {ended.pid} 5")
        self.add("flyte-sandbox-reused", owner=f"{host} {os.getpid()} 5")
        self.add("flyte-sandbox-leftover", container=False, expires="2026-01-01T00:00:00.000000Z")
        self.add("flyte-sandbox-owned", owner=f"{host} {os.getpid()} {mine}")
        self.add("flyte-sandbox-elsewhere", owner="another-machine 1 5")
        self.add("flyte-sandbox-later", expires="2999-01-01T00:00:00.000000Z")
        self.add("flyte-sandbox-kept", container=False)
        self.add("flyte-sandbox")
        over = {"flyte-sandbox-expired", "flyte-sandbox-ownerless", "flyte-sandbox-reused", "flyte-sandbox-leftover"}
        everything = set(self.engine.volumes)
        document = json.loads(self.run_sandbox("prune", "--dry-run", "-o", "json").stdout)
        self.assertEqual((document["dryRun"], {entry["name"] for entry in document["removed"]}), (True, over))
        self.assertEqual(set(self.engine.volumes), everything)
        done = self.run_sandbox("prune")
        self.assertIn("removed 'flyte-sandbox-expired': expired at 2026-01-01", done.stderr)
        self.assertIn(f"its owner, process {ended.pid}, has ended", done.stderr)
        self.assertEqual(set(self.engine.volumes), everything - over)
        self.assertEqual(set(self.engine.containers), everything - over - {"flyte-sandbox-kept"})
        self.assertIn("nothing to remove", self.run_sandbox("prune").stderr)
        self.run_sandbox("prune", "--volumes")
        self.assertEqual(set(self.engine.volumes), everything - over - {"flyte-sandbox-kept"})

    def test_ttl(self):
        self.run_sandbox("start", *FREE_PORTS, "--ttl", "1h")
        labels = self.engine.find("flyte-sandbox")["Config"]["Labels"]
        self.assertEqual(labels["dev.sandbox.expires"], self.engine.volumes["flyte-sandbox"]["Labels"]["dev.sandbox.expires"])
        self.assertGreater(labels["dev.sandbox.expires"], time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 3500)))
        self.assertIn("nothing to remove", self.run_sandbox("prune").stderr)
        # A start without it makes the sandbox stay.
        self.run_sandbox("stop")
        self.run_sandbox("start", *FREE_PORTS)
        self.assertNotIn("dev.sandbox.expires", self.engine.find("flyte-sandbox")["Config"]["Labels"])

    def wait_until(self, condition, what):
        deadline = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def test_owner(self):
        owner = subprocess.Popen(["sleep", "600"])
        self.addCleanup(owner.wait)
        self.addCleanup(owner.kill)
        self.run_sandbox("start", *FREE_PORTS, "--owner-pid", str(owner.pid))
        self.assertTrue((self.home / ".flyte/config-sandbox.yaml").exists())
        self.run_sandbox("status")
        owner.kill()
        # Not waited for yet: a zombie has ended, too.
        self.wait_until(lambda: not self.engine.containers and not self.engine.volumes, "the owner's end removes the sandbox")
        self.wait_until(lambda: not (self.home / ".flyte/config-sandbox.yaml").exists(), "and what clients know of it")
        kube = self.home / ".kube/config"
        self.wait_until(lambda: "flyte-sandbox" not in kube.read_text() and not (kube.parent / "config.lock").exists(), "and kubectl")

    def test_owner_of_a_sandbox_that_was_made_anew(self):
        """The watcher of the first one must not remove the second one."""
        owner = subprocess.Popen(["sleep", "600"])
        self.run_sandbox("start", *FREE_PORTS, "--owner-pid", str(owner.pid))
        self.run_sandbox("delete", "--volume")
        self.run_sandbox("start", *FREE_PORTS)
        self.engine.requests.clear()
        owner.kill()
        owner.wait()
        self.wait_until(lambda: self.engine.asked("GET", "^/volumes$"), "the watcher looks")
        self.run_sandbox("status")
        self.assertEqual(self.engine.asked("DELETE", ""), [])

    def test_no_owner(self):
        self.assert_error(self.run_sandbox("start", "--owner-pid", "2147483647", code=3), "owner-absent")
        self.assert_nothing_left()


class Completion(Case):
    def complete(self, *words):
        """What bash would offer for the last word."""
        script = pathlib.Path(self.directory, "completion.bash")
        script.write_text(self.run_sandbox("completion", "bash").stdout)
        self.environment["PATH"] = f"{os.path.dirname(os.path.abspath(BINARY))}:{os.environ['PATH']}"
        listed = " ".join(f"'{word}'" for word in ("sandbox", *words))
        command = f"source {script}; COMP_WORDS=({listed}); COMP_CWORD={len(words)}; _sandbox; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        return subprocess.run(["bash", "-c", command], env=self.environment, capture_output=True, text=True, check=True).stdout.split()

    def test_bash(self):
        self.engine.add_container("flyte-sandbox-ci1")
        self.assertIn("start", self.complete("st"))
        self.assertIn("status", self.complete("st"))
        self.assertEqual(self.complete("--name", ""), ["flyte-sandbox-ci1"])
        self.assertEqual(self.complete("-n", "flyte-sandbox-ci1", "stop", "--ti"), ["--timeout"])
        self.assertEqual(self.complete("start", "--pull", ""), ["missing", "always", "never"])
        self.assertEqual(self.complete("-o", "json", "hel"), ["help"])
        self.assertEqual(self.complete("completion", "z"), ["zsh"])
        self.engine.add_container()
        self.assertEqual(self.complete("logs", "post"), ["postgres"])

    def test_every_option_is_there(self):
        for shell, form in (("bash", " --{}"), ("zsh", "--{}"), ("fish", " -l {}")):
            script = self.run_sandbox("completion", shell).stdout
            for option in ("name", "image-file", "owner-pid", "override-name", "build-arg"):
                self.assertIn(form.format(option), script, shell)

    def test_other_shells_take_them(self):
        tested = 0
        for shell in ("bash", "zsh", "fish"):
            if shutil.which(shell):
                script = pathlib.Path(self.directory, shell)
                script.write_text(self.run_sandbox("completion", shell).stdout)
                subprocess.run([shell, "-n", str(script)], check=True)
                tested += 1
        self.assertTrue(tested)


class Doctor(Case):
    """The checks, with a machine made of files."""

    FILES = {
        "proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable:    8000000 kB\n",
        "proc/sys/fs/inotify/max_user_instances": "512\n",
        "proc/sys/fs/inotify/max_user_watches": "524288\n",
        "proc/filesystems": "nodev\ttmpfs\nnodev\toverlay\n\text4\n",
        "proc/sys/net/netfilter/nf_conntrack_max": "1\n",
        "proc/sys/net/bridge/x": "",
        "etc/resolv.conf": "# mine\nnameserver 192.0.2.1\n",
        "etc/ssl/cert.pem": "",
    }

    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.directory, "root")
        for name, text in self.FILES.items():
            self.put(name, text)
        self.environment.update(SANDBOX_DOCTOR_ROOT=str(self.root), SANDBOX_MIN_DISK="1")
        self.environment.pop("SSL_CERT_FILE", None)
        self.engine.information = {"CgroupVersion": "2", "CgroupDriver": "systemd", "MemTotal": 16 << 30, "SystemTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "SecurityOptions": ["name=seccomp"]}

    def put(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def checks(self, code=0, *arguments):
        document = json.loads(self.run_sandbox("doctor", *FREE_PORTS, "-o", "json", *arguments, code=code).stdout)
        self.assertEqual(document["healthy"], code == 0)
        return {check["id"]: check for check in document["checks"]}

    def expect(self, check, outcome, text="", fix="", code=0):
        found = self.checks(code)[check]
        self.assertEqual(found["outcome"], outcome, found)
        self.assertIn(text, found["evidence"])
        self.assertIn(fix, found["fix"] or "")

    def expect_start_to_refuse(self, identifier, code, check):
        """The same finding ends a start, which names the check."""
        done = self.run_sandbox("start", *FREE_PORTS, code=code)
        self.assert_error(done, identifier, f"check: sandbox doctor {check}")
        self.assert_nothing_left()

    def test_all_is_well(self):
        checks = self.checks()
        self.assertEqual(list(checks), ["engine", "permission", "cgroup", "disk", "memory", "inotify", "modules", "dns", "ca", "clock", "ports", "image"])
        self.assertEqual({check["outcome"] for check in checks.values()}, {"ok"}, checks)
        text = self.run_sandbox("doctor", *FREE_PORTS).stdout
        self.assertIn("engine      ok       Docker 99.0, API 1.41, at unix://", text)
        self.assertEqual(len(self.run_sandbox("doctor", "memory").stdout.splitlines()), 1)
        self.assertEqual(self.run_sandbox("doctor", *FREE_PORTS, "-q").stdout, "")
        self.assert_error(self.run_sandbox("doctor", "memry", code=2), "bad-value", "did you mean 'memory'")
        self.assert_error(self.run_sandbox("doctor", "zzzzzzzzzzz", code=2), "bad-value", "makes them all")
        self.run_sandbox("start", *FREE_PORTS, "--verbose")
        self.expect("ports", "skipped", "runs and has its ports")

    def test_engine(self):
        self.environment["DOCKER_HOST"] = "unix:///nonexistent.sock"
        self.expect("engine", "failure", "nonexistent.sock", "start it", code=8)
        self.expect("image", "skipped", "the engine has to answer first", code=8)
        self.environment["DOCKER_HOST"] = f"unix://{self.engine.path}"
        self.engine.faults["GET ^/version"] = (500, "confused")
        self.expect("engine", "failure", "confused", code=1)
        self.engine.faults = {"GET ^/info": (500, "confused")}
        self.expect("cgroup", "failure", "confused", code=1)
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=1), "docker-error", "confused")

    def test_cgroup(self):
        self.engine.information["CgroupVersion"] = "1"
        self.expect("cgroup", "ok", "version 1, driver systemd")
        self.engine.information["SecurityOptions"] = ["name=rootless"]
        self.expect("cgroup", "failure", "rootless and the machine has cgroup version 1", "unified_cgroup_hierarchy", code=11)
        self.expect_start_to_refuse("cgroup-unsuitable", 11, "cgroup")
        self.engine.information.update(CgroupVersion="2", PidsLimit=False)
        self.expect("cgroup", "failure", "lacks the cgroup controllers pids", "Delegate=", code=11)
        self.engine.information.update(PidsLimit=True, CgroupDriver="none")
        self.expect("cgroup", "failure", "cpu, memory, pids", code=11)
        self.engine.information.update(CgroupDriver="systemd")
        self.expect("cgroup", "ok", "delegated")
        del self.engine.information["CgroupVersion"], self.engine.information["SecurityOptions"]
        self.expect("cgroup", "skipped")

    def test_disk(self):
        self.environment["SANDBOX_MIN_DISK"] = "100000"
        self.expect("disk", "failure", "GB free", "--min-disk", code=10)
        self.expect_start_to_refuse("disk-space", 10, "disk")
        self.engine.root = "/nonexistent"
        self.expect("disk", "skipped", "a machine of its own")

    def test_memory(self):
        self.put("proc/meminfo", "MemAvailable: 1000000 kB\n")
        self.expect("memory", "warning", "976 MiB available", "more memory")
        self.run_sandbox("start", *FREE_PORTS, "--dry-run")
        self.engine.information["MemTotal"] = 256 << 20
        self.expect("memory", "failure", code=10)
        self.expect_start_to_refuse("memory-space", 10, "memory")
        (self.root / "proc/meminfo").unlink()
        self.engine.information["MemTotal"] = 16 << 30
        self.expect("memory", "ok", "16384 MiB in all")
        del self.engine.information["MemTotal"]
        self.expect("memory", "skipped")

    def test_kernel(self):
        self.put("proc/sys/fs/inotify/max_user_instances", "128\n")
        self.expect("inotify", "warning", "128 instances", "sudo sysctl")
        (self.root / "proc/sys/fs/inotify/max_user_instances").unlink()
        self.expect("inotify", "skipped")
        self.put("proc/filesystems", "\text4\n")
        shutil.rmtree(self.root / "proc/sys/net/bridge")
        self.expect("modules", "warning", "not seen: overlay bridge", "sudo modprobe -a overlay bridge")
        (self.root / "proc/filesystems").unlink()
        self.expect("modules", "skipped", "no Linux")

    def test_network(self):
        self.put("etc/resolv.conf", "nameserver 127.0.0.53\n")
        self.expect("dns", "warning", "only this machine itself", "daemon.json")
        self.put("etc/resolv.conf", "search here\n")
        self.expect("dns", "warning", "names no server")
        (self.root / "etc/resolv.conf").unlink()
        self.expect("dns", "warning", "is not there")
        (self.root / "etc/ssl/cert.pem").unlink()
        self.expect("ca", "warning", "no bundle", "ca-certificates")
        self.environment["SSL_CERT_FILE"] = "/nonexistent.pem"
        self.expect("ca", "warning", "which is not there")

    def test_clock(self):
        for seconds, outcome, code in ((-100, "warning", 0), (5000, "failure", 4)):
            self.engine.information["SystemTime"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
            self.expect("clock", outcome, "s apart", "set the clocks", code=code)
        self.expect_start_to_refuse("clock-skew", 4, "clock")
        self.engine.information["SystemTime"] = "soon"
        self.expect("clock", "skipped")

    def test_ports(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            found = self.checks(6, "--port", f"http={port}")["ports"]
        self.assertEqual(found["outcome"], "failure")
        self.assertIn(f"port {port} (http) is taken by process", found["evidence"])

    def test_image(self):
        self.engine.images.clear()
        self.expect("image", "failure", "nothing says where it comes from", "--image-file", code=3)
        self.expect_start_to_refuse("image-missing", 3, "image")
        for option, value, text in (("--image-file", "/some.tar", "loads it from '/some.tar'"), ("--registry", "r.example/x", "pulls it from r.example/x"), ("--image", "ghcr.io/a/b:1", "from its registry"), ("--source", str(ROOT), "builds it with")):
            found = self.checks(0, option, value)["image"]
            self.assertEqual(found["outcome"], "warning")
            self.assertIn(text, found["evidence"])
        self.engine.faults["GET ^/images/"] = (500, "broken store")
        self.expect("image", "failure", "broken store", code=1)

    def test_every_error_of_start_has_a_check(self):
        """Errors that a start can end with because of the machine name a check that exists."""
        source = (ROOT / "sandbox/cli/doctor/checks.c").read_text(encoding="utf-8")
        pairs = re.findall(r'\{ "([a-z-]+)", "([a-z]+)" \}', source)
        self.assertLessEqual({check for _, check in pairs}, set(self.checks()))
        for identifier in ("docker-not-running", "docker-permission", "disk-space", "port-taken", "image-missing", "image-pull", "start-timeout", "sandbox-died", "service-failing"):
            self.assertIn(identifier, dict(pairs))


class Delete(Case):
    def test_volume_stays_unless_asked(self):
        self.run_sandbox("start", *FREE_PORTS)
        self.run_sandbox("delete")
        self.assertEqual(list(self.engine.volumes), ["flyte-sandbox"])
        self.run_sandbox("delete", "--volume")
        self.assert_nothing_left()
        done = self.run_sandbox("delete", "-o", "json")
        self.assertEqual(json.loads(done.stdout)["state"], "absent")

    def test_stop_of_nothing(self):
        self.assert_error(self.run_sandbox("stop", code=3), "sandbox-absent")


if __name__ == "__main__":
    unittest.main()
