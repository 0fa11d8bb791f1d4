"""Images built in the sandbox, and programs of its own put into it."""

import json
import pathlib

from fake_engine import Exec
from launcher import Case


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
