"""Which engine is spoken to, how, and in which version of its API."""

import json
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import sys
import unittest

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

    def test_context_that_is_not_there(self):
        del self.environment["DOCKER_HOST"]
        self.environment["DOCKER_CONTEXT"] = "gone"
        self.assert_error(self.run_sandbox("status", code=3), "docker-context", "'gone'")

    @unittest.skipUnless(os.geteuid() == 0 and sys.platform == "linux" and shutil.which("unshare"), "hiding this machine's own engine needs root")
    def test_socket_in_its_usual_place(self):
        """The first that is alive: what another engine has left behind is passed over. This machine's own engine, if there is one, is not to be seen."""
        del self.environment["DOCKER_HOST"]
        del self.environment["XDG_RUNTIME_DIR"]
        hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && exec "$0" "$@"', BINARY]

        def run(*arguments):
            return subprocess.run([*hidden, *arguments], env=self.environment, capture_output=True, text=True, timeout=60, check=False)

        if subprocess.run([*hidden[:-1], "true"], capture_output=True, check=False).returncode:
            self.skipTest("file systems cannot be mounted here")
        nobody = run("status")
        self.assertEqual(nobody.returncode, 8, nobody.stderr)
        self.assert_error(nobody, "docker-not-running", "/var/run/docker.sock")
        left = self.home / ".docker/run/docker.sock"
        left.parent.mkdir(parents=True)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(left))
        alive = self.home / ".colima/default/docker.sock"
        alive.parent.mkdir(parents=True)
        alive.symlink_to(self.engine.path)
        self.engine.add_container()
        found = run("doctor", "engine")
        self.assertIn(f"unix://{alive}", found.stdout)
        self.assertIn("a socket found in its usual place", found.stdout)

    def test_tcp(self):
        """Nothing of this machine (disk, ports) is looked at for an engine elsewhere."""
        self.listen()
        document = json.loads(self.run_sandbox("start", "-o", "json").stdout)
        self.assertEqual(document["endpoints"]["console"], "http://127.0.0.1:30080/console")


class Versions(Case):
    def version_used(self):
        return {request[5] for request in self.engine.requests if request[5]}

    def test_newest_common(self):
        for engine, expected in (("1.40", 40), ("1.41", 41), ("1.47", 47), ("1.52", 52), ("1.99", 52)):
            with self.subTest(engine=engine):
                self.engine.requests.clear()
                self.engine.api = self.engine.ping_version = engine
                self.run_sandbox("status", code=3)
                self.assertEqual(self.version_used(), {expected})

    def test_too_old(self):
        self.engine.api = "1.39"
        self.assert_error(self.run_sandbox("start", code=11), "docker-version", "speaks API 1.39; this launcher needs one between 1.40 and 1.52", "update Docker")
        self.assert_nothing_left()

    def test_each_version_is_sent_what_it_knows(self):
        """HostConfig.CgroupnsMode is of 1.41; before, PID 1 makes the namespace. What is sent to older ones is otherwise the same."""
        sent = {}
        for version in ("1.40", "1.41", "1.52"):
            with self.subTest(version=version):
                self.engine.api = self.engine.ping_version = version
                self.run_sandbox("start", *FREE_PORTS)
                (request,) = self.engine.asked("POST", "/containers/create")
                self.assertEqual((request[5], sorted(request[2])), (int(version[2:]), ["name"]))
                sent[version] = json.loads(request[3])["HostConfig"]
                self.run_sandbox("stop")
                self.run_sandbox("start", *FREE_PORTS)
                self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 1, "the same engine: the container stays")
                self.run_sandbox("delete", "--volume")
                self.engine.requests.clear()
        self.assertNotIn("CgroupnsMode", sent["1.40"])
        self.assertEqual((sent["1.41"]["CgroupnsMode"], sent["1.52"]["CgroupnsMode"]), ("private", "private"))
        self.assertEqual(set(sent["1.41"]) - set(sent["1.40"]), {"CgroupnsMode"})

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
        for fixed, used in (("1.43", 43), ("v1.44", 44), ("1.40", 40), ("", 47)):
            with self.subTest(fixed=fixed):
                self.engine.requests.clear()
                self.environment["DOCKER_API_VERSION"] = fixed
                self.run_sandbox("status", code=3)
                self.assertEqual(self.version_used(), {used})

    def test_fixed_version_that_cannot_be(self):
        self.engine.api, self.engine.minimum = "1.47", "1.44"
        for fixed, code, message in (
            ("1.39", 12, "DOCKER_API_VERSION '1.39' is not one of 1.40 to 1.52"),
            ("1.53", 12, "DOCKER_API_VERSION '1.53' is not one of 1.40 to 1.52"),
            ("latest", 12, "DOCKER_API_VERSION 'latest' is not one of 1.40 to 1.52"),
            ("1.48", 11, "DOCKER_API_VERSION '1.48' is newer than the 1.47 of the engine at unix://"),
            ("1.43", 11, "client version 1.43 is too old. Minimum supported API version is 1.44"),
        ):
            with self.subTest(fixed=fixed):
                self.environment["DOCKER_API_VERSION"] = fixed
                done = self.run_sandbox("start", *FREE_PORTS, code=code)
                self.assert_error(done, "docker-version", message, "unset DOCKER_API_VERSION")
                self.assert_nothing_left()

    def test_no_engine_behind_the_socket(self):
        self.engine.ping_version = None
        self.engine.faults["GET ^/version$"] = lambda handler: handler.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>") and None
        self.assert_error(self.run_sandbox("status", code=8), "docker-not-running", "is no Docker engine: status 200, '<html>'")


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
