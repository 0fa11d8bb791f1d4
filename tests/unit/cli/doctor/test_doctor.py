"""The checks of machine and engine."""

import json
import pathlib
import re
import shutil
import socket
import time

from launcher import FREE_PORTS, ROOT, Case


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
        self.engine.information["SecurityOptions"] = ["name=seccomp", "name=rootless"]
        self.expect("cgroup", "failure", "this Docker is rootless, and the machine has cgroup version 1", "DOCKER_HOST=unix:///var/run/docker.sock", code=11)
        self.expect_start_to_refuse("cgroup-unsuitable", 11, "cgroup")
        self.engine.information.update(CgroupVersion="2", PidsLimit=False)
        self.expect("cgroup", "failure", "its user lacks the cgroup controllers pids", "Delegate=", code=11)
        self.engine.information.update(PidsLimit=True, CgroupDriver="none")
        self.expect("cgroup", "failure", "cpu, memory, pids", code=11)
        self.engine.information.update(CgroupDriver="systemd")
        self.expect("cgroup", "warning", "delegated", "runs as root")
        del self.engine.information["CgroupVersion"], self.engine.information["SecurityOptions"]
        self.expect("cgroup", "skipped")

    def test_rootless_podman(self):
        """It says so in a field of its own; of limits Docker's fields tell what the machine has, not what its user may use (seen with 4.3)."""
        self.engine.podman = True
        self.engine.information.update(Rootless=True, CgroupVersion="1", CpuCfsQuota=True, MemoryLimit=True, PidsLimit=True)
        self.engine.controllers = []
        self.expect("cgroup", "failure", "this Podman is rootless, and the machine has cgroup version 1", "sudo systemctl start podman.socket", code=11)
        self.expect_start_to_refuse("cgroup-unsuitable", 11, "cgroup")
        self.engine.information["CgroupVersion"] = "2"
        self.engine.controllers = ["memory", "pids"]
        self.expect("cgroup", "failure", "lacks the cgroup controllers cpu", "Delegate=", code=11)
        self.engine.controllers = ["cpu", "io", "memory", "pids"]
        self.expect("cgroup", "warning", "no sandbox has been seen to run", "runs as root")
        self.engine.faults["GET /libpod/info"] = (500, "not today")
        self.expect("cgroup", "warning", "delegated")
        self.engine.information["Rootless"] = False
        self.expect("cgroup", "ok", "version 2")

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
