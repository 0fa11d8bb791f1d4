"""Command lines, help, and that every error and exit code is documented."""

import json
import re
import shutil
import signal
import subprocess
import unittest

from launcher import BINARY, ROOT, Case


class CommandLine(Case):
    def test_version_needs_no_engine(self):
        self.environment["DOCKER_HOST"] = "unix:///nonexistent"
        self.assertRegex(self.run_sandbox("version").stdout, r"^sandbox \d+\.\d+")
        self.assertRegex(self.run_sandbox("--version").stdout, r"^sandbox \d+\.\d+")
        self.assertIn("version", json.loads(self.run_sandbox("version", "-o", "json").stdout))
        self.assertEqual(self.engine.requests, [])

    def test_version_all(self):
        self.assertRegex(self.run_sandbox("version", "--all").stdout, r"(?s)^sandbox .*\nengine  .*, API 1\.41, at unix://.*\nimage   \(no sandbox\)\n$")
        self.engine.add_container()
        self.assertIn("\nimage   flyte-sandbox:0.1.0\n", self.run_sandbox("version", "--all").stdout)
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
            (["help", "strat"], "unknown-verb", "did you mean 'start'"),
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
        manual = self.run_sandbox("help", "--man").stdout
        self.assertTrue(manual.startswith(".TH SANDBOX 1") and manual.isascii())
        for verb in self.run_sandbox("help", "--verbs").stdout.split():
            page = self.run_sandbox("help", "--man", verb).stdout
            self.assertTrue(page.startswith(f".TH SANDBOX-{verb.upper()} 1"))
            self.assertIn(".SH EXIT STATUS", page)
            self.assertTrue(page.isascii(), "what is not, man leaves out where the locale is C")

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
