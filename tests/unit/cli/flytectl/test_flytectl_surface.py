"""What flytectl takes — verbs, resources and their other names, flags and whether they have a value — is taken by `sandbox` too. flytectl_surface.json says what that is: it is read out of
flytectl's own help by `tests/conformance/flytectl_compare.py --freeze`, which also compares what comes of it."""

import json
import os
import pathlib
import re
import subprocess
import unittest

BINARY = os.environ.get("SANDBOX_BINARY", "sandbox")
SURFACE = json.loads((pathlib.Path(__file__).parent / "flytectl_surface.json").read_text(encoding="utf-8"))
# What docs/guide/flyte.md says is left out.
LEFT_OUT_RESOURCES = {("register", "examples")}
LEFT_OUT_FLAGS = {("create", "project"): {"activate", "activateProject", "archive", "archiveProject", "force"}}
# Of the options of every verb of flytectl; the others are for logins, its log, its traces and a store that it would write to itself.
EVERYWHERE = {"admin.endpoint": "string", "admin.insecure": "bool", "admin.caCertFilePath": "string", "config": "string", "project": "string", "domain": "string"}
LETTERS = {"config": "c", "project": "p", "domain": "d", "output": "o"}


def run(*arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("DOCKER_", "SANDBOX_", "FLYTE"))}
    environment.update(HOME="/nonexistent", DOCKER_HOST="unix:///nonexistent", NO_COLOR="1")
    return subprocess.run([BINARY, *arguments], env=environment, cwd="/", capture_output=True, text=True, timeout=60, check=False)


def options_of(verb):
    """{name: (letter, whether it has a value)}"""
    found = re.findall(r"^  (?:-(\w), |    )--(\S+)(?: ([A-Z=]+))?", run("help", verb).stdout, re.M)
    return {name: (letter, bool(value)) for letter, name, value in found}


class Surface(unittest.TestCase):
    def test_flags(self):
        for verb, resources in SURFACE.items():
            ours = options_of(verb) if verb else {}
            for resource, known in resources.items():
                if not verb or (verb, resource) in LEFT_OUT_RESOURCES:
                    continue
                for flag, kind in known["flags"].items():
                    if flag in LEFT_OUT_FLAGS.get((verb, resource), ()):
                        continue
                    with self.subTest(verb=verb, resource=resource, flag=flag):
                        self.assertIn(flag, ours)
                        self.assertEqual(ours[flag][1], kind != "bool")

    def test_options_of_every_verb(self):
        for verb in set(SURFACE) - {"", "compile"}:
            ours = options_of(verb)
            for flag, kind in EVERYWHERE.items():
                with self.subTest(verb=verb, flag=flag):
                    self.assertEqual(SURFACE[""][""]["flags"][flag], kind)
                    self.assertEqual(ours.get(flag), (LETTERS.get(flag, ""), kind != "bool"))
            self.assertEqual(ours["output"], ("o", True))

    def test_names_of_resources(self):
        for verb, resources in SURFACE.items():
            for resource, known in resources.items():
                for name in known["names"] if resource and (verb, resource) not in LEFT_OUT_RESOURCES else ():
                    with self.subTest(verb=verb, name=name):
                        # There is no control plane here: what is known fails there, or at what it needs, and nothing is said of its name.
                        said = run(verb, name, *(["/nonexistent"] if verb == "register" else [])).stderr
                        self.assertIn("error[", said)
                        self.assertNotIn("unknown-resource", said)
                with self.subTest(verb=verb):
                    if verb not in ("", "compile"):
                        self.assertIn("unknown-resource", run(verb, "nosuch", "x").stderr)

    def test_formats_in_any_case(self):
        for form in ("TABLE", "JSON", "Yaml"):
            self.assertNotIn("bad-value", run("get", "project", "-o", form).stderr)
        self.assertIn("bad-value", run("get", "project", "-o", "DOT").stderr)


if __name__ == "__main__":
    unittest.main()
