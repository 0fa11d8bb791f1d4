"""sandbox.yaml of the project and of the user: precedence, and mistakes with file and line."""

import json
import pathlib
import unittest

import jsonschema

from launcher import FREE_PORTS, ROOT, Case


class ConfigurationFiles(Case):
    def setUp(self):
        super().setUp()
        self.project = pathlib.Path(self.directory, "project")
        (self.project / "a/b").mkdir(parents=True)
        self.environment.pop("SANDBOX_MIN_DISK")
        self.user = self.home / ".config/sandbox/config.yaml"
        self.user.parent.mkdir(parents=True)

    def run_here(self, *arguments, **options):
        return self.run_sandbox(*arguments, cwd=self.project / "a/b", **options)

    def settings(self):
        document = json.loads(self.run_here("config", "view", "--origin", "-o", "json").stdout)
        return document["files"], {setting["name"]: (setting["value"], setting["origin"]) for setting in document["settings"]}

    def test_precedence(self):
        self.environment["SANDBOX_TRUST"] = str(self.project)
        (self.project / "sandbox.yaml").write_text("name: ci9\nstart:\n  memory: 1000\n  timeout: 5m\n  port: {http: 31801}\n  env: {A: b}\n  image-file: images/x.tar\n  min-disk: 0\n")
        self.user.write_text("# mine\nstart:\n  memory: 2000\n  ports: auto\n")
        self.environment["SANDBOX_TIMEOUT"] = "7m"
        files, settings = self.settings()
        self.assertEqual(files, [str(self.project / "sandbox.yaml"), str(self.user)])
        self.assertEqual(settings["name"], ("ci9", f"{self.project}/sandbox.yaml:1"))
        self.assertEqual(settings["start.memory"], ("2000", f"{self.user}:3"))
        self.assertEqual(settings["start.timeout"], ("7m", "$SANDBOX_TIMEOUT"))
        self.assertEqual(settings["start.port"], ("http=31801", f"{self.project}/sandbox.yaml:5"))
        self.assertEqual(settings["start.image-file"][0], str(self.project / "images/x.tar"))
        self.assertEqual(settings["start.pull"], ("missing", "default"))
        self.assertNotIn("start.registry", settings)
        self.run_here("start", "--memory", "3000", "--env", "C=d")
        body = json.loads(self.engine.asked("POST", "/containers/create")[0][3])
        self.assertEqual(body["HostConfig"]["Memory"], 3000 << 20)
        self.assertEqual(body["HostConfig"]["PortBindings"]["30080/tcp"][0]["HostPort"], "31801")
        self.assertEqual(body["Env"][-2:], ["A=b", "C=d"])
        self.assertEqual(self.engine.running(), ["flyte-sandbox-ci9"])
        self.run_here("--name", "other", "status", code=3)
        self.assertIn("OPTION", self.run_here("config", "view").stdout)

    def test_mistakes(self):
        file = self.project / "sandbox.yaml"
        cases = [
            ("name: x\nstart:\n  imag: y\n", 3, "start: 'imag' is no option of this verb", "did you mean 'image'?"),
            ("nam: x\n", 1, "'nam' is neither an option of every verb nor a verb", "did you mean 'name'?"),
            ("zzzzzzzzzzzzzz: x\n", 1, "neither", "lists them"),
            ("start: 5\n", 1, "start: not a mapping of options", ""),
            ("- a\n", 1, "not a mapping", ""),
            ("\nname: {a: b}\n", 2, "name: not a single value", ""),
            ("start:\n  env: {A: {b: c}}\n", 2, "env: not a list of texts", ""),
            ("start:\n\n  timeout: soon\n", 3, "'soon' is not a duration", ""),
            ("output: jsn\n", 1, "'jsn' is not one of", "did you mean 'json'?"),
        ]
        for text, line, message, hint in cases:
            with self.subTest(text=text):
                file.write_text(text)
                done = self.run_here("start", *FREE_PORTS, code=12)
                self.assert_error(done, "config-file", f"{file}, line {line}: ", message, hint)
        file.write_text("a: [\n")
        self.assert_error(self.run_here("status", code=12), "malformed-yaml", str(file))
        file.write_text("start:\n\tmemory: 5000\n")
        self.assert_error(self.run_here("status", code=12), "malformed-yaml", f"{file} is not valid YAML: line 2, column 1", "never with tabs")
        self.run_here("help")
        self.run_here("version")
        self.assertEqual(self.engine.requests, [])

    def test_what_a_project_may_not_say(self):
        """A foreign repository: nothing of it runs, is opened to others, is sent elsewhere, deleted or overwritten, until its file is trusted."""
        refused = [
            ("host: tcp://127.0.0.1:1\n", "host", ["status"]),
            ("trust: [/]\n", "trust", ["status"]),
            ("start:\n  source: .\n", "source", ["start"]),
            ("start:\n  image: evil:1\n", "image", ["start"]),
            ("start:\n  image-file: evil.tar\n", "image-file", ["start"]),
            ("start:\n  registry: evil.example\n", "registry", ["start"]),
            ("start:\n  bind: 0.0.0.0\n", "bind", ["start"]),
            ("start:\n  config: evil.yaml\n", "config", ["start"]),
            ("start:\n  env: {FLYTE_S3_PUBLIC_ENDPOINT: http://evil.example}\n", "env", ["start"]),
            ("start:\n  from: evil.sandbox\n", "from", ["start"]),
            ("start:\n  ttl: 1s\n", "ttl", ["start"]),
            ("start:\n  image: evil:1\n", "image", ["doctor"]),
            ("build:\n  secret: ['id=x,src=/etc/passwd']\n", "secret", ["build", ".", "--tag", "x"]),
            ("delete:\n  volume: true\n", "volume", ["delete"]),
            ("prune:\n  volumes: true\n", "volumes", ["prune"]),
            ("logs:\n  bundle: ../home/.profile\n", "bundle", ["logs"]),
            ("get:\n  execFile: ../home/.profile\n", "execFile", ["get", "task", "x"]),
            ("get:\n  admin.endpoint: evil.example:80\n", "admin.endpoint", ["get", "project"]),
            ("register:\n  config: evil.yaml\n", "config", ["register", "files", "x"]),
            ("update:\n  force: true\n", "force", ["update", "project"]),
            ("env:\n  override-name: console=PATH\n", "override-name", ["env"]),
        ]
        file = self.project / "sandbox.yaml"
        del self.environment["SANDBOX_SOURCE"]
        for text, option, verb in refused:
            with self.subTest(text=text):
                file.write_text(text)
                line = text.count("\n")
                self.assert_error(self.run_here(*verb, code=7), "untrusted-setting", f"{file}, line {line}: ", f"'{option}'", f"--trust {self.project}")
        self.assertEqual(self.engine.requests, [])
        # What the verb does not use does not keep it from its work, and what does no harm needs no trust.
        file.write_text("name: mine\nquiet: true\nstart: {image: evil:1, memory: 1000, ports: auto}\nstop: {timeout: 5s}\n")
        self.run_here("status", code=3)
        # One that the person names is the person's.
        self.run_here("start", "--image", "flyte-sandbox:0.1.0")
        body = json.loads(self.engine.asked("POST", "/containers/create")[0][3])
        self.assertEqual((body["Image"], body["HostConfig"]["Memory"]), ("flyte-sandbox:0.1.0", 1000 << 20))

    def test_trust(self):
        file = self.project / "sandbox.yaml"
        file.write_text("start: {image: 'other:1', env: {A: b, B: project}, ports: auto}\n")
        self.engine.images["other:1"] = "sha256:bbbb"
        shown = self.settings()[1]
        self.assertEqual(shown["start.image"], ("other:1", f"{file}:1 (not trusted)"))
        self.assertEqual(shown["start.ports"], ("auto", f"{file}:1"))

        def plan(*arguments, **options):
            return json.loads(self.run_here("start", "--dry-run", "-o", "json", *arguments, **options).stdout)["container"]

        link = pathlib.Path(self.directory, "link")
        link.symlink_to(self.project)
        for where in (self.project, self.project.parent, link, "../.."):
            with self.subTest(trust=where):
                self.assertEqual(plan("--trust", str(where))["Image"], "other:1")
        for where in (self.project / "a", self.home, f"{self.project}x", "/nonexistent"):
            with self.subTest(trust=where):
                self.assert_error(self.run_here("start", "--trust", str(where), code=7), "untrusted-setting")
        self.user.write_text("trust: [/nonexistent, ~/../project]\nstart: {env: {A: user}}\n")
        body = plan("--image", "flyte-sandbox:0.1.0", "--env", "C=d")
        self.assertEqual((body["Image"], body["Env"][-3:]), ("flyte-sandbox:0.1.0", ["A=user", "B=project", "C=d"]))
        self.assertEqual(self.settings()[1]["start.image"], ("other:1", f"{file}:1"))
        self.user.unlink()
        self.environment["SANDBOX_TRUST"] = str(self.project)
        self.assertEqual(plan()["Image"], "other:1")

    def test_doctor_takes_the_settings_of_start(self):
        self.user.write_text("start: {image: 'other:1'}\n")
        image = json.loads(self.run_here("doctor", "image", "-o", "json", code=3).stdout)["checks"][0]
        self.assertIn("other:1", image["evidence"])

    def test_verb(self):
        self.assert_error(self.run_here("config", "edit", code=2), "bad-value", "it can view and schema")
        (self.project / "sandbox.yaml").write_text("")
        self.user.write_text("start:\n")
        self.assertEqual(len(self.settings()[0]), 2)

    def test_schema(self):
        """The file of the repository is what the launcher prints, and both take and refuse the same documents."""
        self.environment["SANDBOX_TRUST"] = str(self.project)
        schema = json.loads(self.run_here("config", "schema").stdout)
        self.assertEqual(json.loads((ROOT / "docs/schemas/sandbox.schema.json").read_text(encoding="utf-8")), schema, "make it anew: sandbox config schema")
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        start = [
            ({"ports": "auto", "port": {"http": 8080}, "env": {"A": "b", "C": 1}, "keep": True, "memory": 3000, "timeout": "5m", "image": "x"}, True),
            ({"timeout": "2d"}, True),
            ({"env": ["A=b", "C=d"], "ttl": 90, "keep": "no"}, True),
            ({"env": "A=b", "timeout": "1h"}, True),
            ({}, True),
            (None, True),
            ([], False),
            (5, False),
            ({"imge": "x"}, False),
            ({"image": ["x"]}, False),
            ({"image": None}, False),
            ({"ports": "some"}, False),
            ({"keep": "perhaps"}, False),
            ({"keep": 2}, False),
            ({"memory": -1}, False),
            ({"memory": "much"}, False),
            ({"timeout": "soon"}, False),
            ({"timeout": -5}, False),
            ({"env": {"A": {"b": "c"}}}, False),
            ({"env": [["A=b"]]}, False),
            ({"env": None}, False),
        ]
        documents = [({"start": section}, good) for section, good in start]
        documents += [({"name": "ci1", "quiet": True}, True), ({"output": "json"}, True), ({"output": "jsn"}, False), ({"help": True}, False), ({"strat": {}}, False), ([], False)]
        for document, good in documents:
            with self.subTest(document=document):
                self.assertEqual(validator.is_valid(document), good, "the schema")
                # JSON is YAML.
                (self.project / "sandbox.yaml").write_text(json.dumps(document))
                done = self.run_here("--name", "flyte-sandbox", "start", "--dry-run", "-o", "text", code=0 if good else 12)
                if not good:
                    self.assert_error(done, "config-file", f"{self.project}/sandbox.yaml, line")


if __name__ == "__main__":
    unittest.main()
