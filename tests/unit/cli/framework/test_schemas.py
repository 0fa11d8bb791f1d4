"""What every command prints with -o json, and what start --events prints, against docs/schemas/output.schema.json."""

import json
import pathlib
import unittest

import jsonschema

from fake_engine import STARTING, Exec, lines
from launcher import FREE_PORTS, ROOT, Case

SCHEMA = json.loads((ROOT / "docs/schemas/output.schema.json").read_text(encoding="utf-8"))
# Their stdout is another program's, or a text of its own, or Flyte's messages as flytectl prints them.
WITHOUT_DOCUMENT = {"exec", "help", "completion", "forward", "register", "get", "create", "update", "compile"}


class Schemas(Case):
    def setUp(self):
        super().setUp()
        self.seen = set()

    def check(self, *arguments, code=0, **options):
        for text in self.run_sandbox(*arguments, "-o", "json", code=code, **options).stdout.strip().split("\n{"):
            document = json.loads(text if text.startswith("{") else "{" + text)
            jsonschema.validate(document, SCHEMA, jsonschema.Draft202012Validator)
            self.seen.add(document["command"])
        return document

    def test_the_schema_is_one_and_refuses(self):
        jsonschema.Draft202012Validator.check_schema(SCHEMA)
        document = self.check("stop", code=3)
        for change in ({"schemaVersion": 2}, {"error": {"id": "Bad Id"}}, {"more": 1}):
            with self.assertRaises(jsonschema.ValidationError):
                jsonschema.validate({**document, **change}, SCHEMA, jsonschema.Draft202012Validator)

    def test_every_verb(self):
        self.engine.commands["sandbox-init start buildkit"] = Exec("buildkit ready\n")
        self.engine.commands["/bin/sh -c pid=*"] = Exec()
        self.engine.commands["/bin/sh -c echo*"] = Exec()
        self.check("version")
        self.check("start", *FREE_PORTS, "--dry-run")
        self.check("start", *FREE_PORTS, "--wait", "none")
        self.check("start", *FREE_PORTS)
        for verb in ("status", "list", "doctor", "env", "kubeconfig", "open", "restart", "pause", "resume", "prune"):
            self.check(verb)
        self.check("kubeconfig", "--merge")
        self.check("list", "--disk")
        self.check("version", "--all")
        self.check("config", "view", "--origin", "--all")
        self.check("config", "schema")
        self.check("snapshot", "list", self.directory)
        context = pathlib.Path(self.directory, "context")
        context.mkdir()
        (context / "Dockerfile").write_text("FROM base\n")
        self.check("build", str(context), "--tag", "a")
        attributes = {"name": "flyte-sandbox", "image": "i", "exitCode": "0"}
        self.engine.events = [{"Action": "die", "timeNano": 1, "Actor": {"Attributes": attributes}}] * 2
        self.check("events")
        self.engine.volumes["flyte-sandbox-x"] = {"Name": "flyte-sandbox-x", "Labels": {"dev.sandbox.instance": "flyte-sandbox-x"}}
        self.check("prune", "--volumes", "--dry-run")
        self.check("logs", "--bundle", f"{self.directory}/bundle.tar.gz")
        program = pathlib.Path(self.directory, "program")
        program.write_bytes(b"\x7fELF")
        self.engine.commands["sandbox-init restart controlplane"] = Exec("controlplane ready\n")
        self.engine.commands["rm -f /var/lib/sandbox/*"] = Exec()
        self.engine.commands["mv /var/lib/sandbox/*"] = Exec()
        self.engine.commands["sh -c p=*"] = Exec()
        self.assertEqual(self.check("reload", str(program))["program"], str(program))
        self.assertIsNone(self.check("reload", "--reset")["program"])
        self.assertEqual(self.check("reload", "--config", str(context / "Dockerfile"))["configuration"], str(context / "Dockerfile"))
        self.check("stop")
        self.check("delete")
        self.check("status", code=3)
        described = {branch["if"]["properties"]["command"]["const"] for branch in SCHEMA["else"]["allOf"]}
        self.assertEqual(self.seen, described, "each command that the schema describes was looked at")

    def test_every_verb_is_described(self):
        verbs = self.run_sandbox("help").stdout.partition("verbs:\n")[2].partition("\n\n")[0]
        names = {line.split()[0] for line in verbs.splitlines()}
        described = {branch["if"]["properties"]["command"]["const"] for branch in SCHEMA["else"]["allOf"]}
        ours = {name for name in names if (ROOT / f"sandbox/cli/verbs/{name}.c").exists()}
        self.assertEqual(ours - described - WITHOUT_DOCUMENT, set())

    def check_events(self, *arguments, code=0):
        event = {"$ref": "#/$defs/event", "$defs": SCHEMA["$defs"]}
        types = []
        for line in self.run_sandbox("start", "--events", *arguments, code=code).stdout.splitlines():
            jsonschema.validate(json.loads(line), event, jsonschema.Draft202012Validator)
            types.append(json.loads(line)["type"])
        return types

    def test_events(self):
        self.assertEqual(self.check_events(*FREE_PORTS)[-1], "result")
        self.run_sandbox("stop")
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(STARTING[:2]), hang=True)
        self.assertEqual(self.check_events(*FREE_PORTS, "--timeout", "1s", code=9)[-1], "error")


if __name__ == "__main__":
    unittest.main()
