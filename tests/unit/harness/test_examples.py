"""The C header and the CI's script with the fake engine."""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "cli"))

from launcher import BINARY, ROOT, Case  # noqa: E402

HARNESS = ROOT / "examples/harness"


class Examples(Case):
    def run_it(self, *command, code=0, **more):
        done = subprocess.run(command, cwd=self.directory, env={**self.environment, **more}, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def test_header(self):
        program = f"{self.directory}/example"
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", program, str(HARNESS / "example.c")], check=True)
        done = self.run_it(program, FLYTE_SANDBOX_COMMAND=BINARY)
        self.assertRegex(done.stdout, r"^Flyte answers at localhost:\d+, its console at http://localhost:\d+/console\n$")
        create = self.engine.asked("POST", "/containers/create")[0]
        self.assertEqual(create[2]["name"], "flyte-sandbox-c-example")
        self.assertIn(b"dev.sandbox.owner", create[3])
        self.assert_nothing_left()
        self.engine.images.clear()
        self.assertIn("image-missing", self.run_it(program, code=1, FLYTE_SANDBOX_COMMAND=BINARY).stderr)

    @unittest.skipUnless(shutil.which("c++"), "there is no C++ compiler")
    def test_header_in_cpp(self):
        source = pathlib.Path(self.directory, "example.cc")
        source.write_text(f'#include "{HARNESS}/flyte_sandbox.h"\nint main() {{ struct flyte_sandbox s; return flyte_sandbox_start(&s, "x"); }}\n')
        subprocess.run(["c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(source)], check=True)

    def test_header_refuses_what_is_no_name(self):
        """A name that is too long would be cut, and then be somebody else's."""
        source = pathlib.Path(self.directory, "names.c")
        source.write_text('#define _POSIX_C_SOURCE 200809L\n#include "flyte_sandbox.h"\n'
                          "int main(int count, char **names) { struct flyte_sandbox s; return count == 2 ? flyte_sandbox_start(&s, names[1]) : 1; }\n")
        program = f"{self.directory}/names"
        subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-I", str(HARNESS), "-o", program, str(source)], check=True)
        for name in ("", "a b", "a'; true", "x" * 64):
            self.run_it(program, name, code=2, FLYTE_SANDBOX_COMMAND=BINARY)
        self.assertEqual(self.engine.asked("POST", "/containers/create"), [])

    def test_script(self):
        self.environment.update(SANDBOX=BINARY, JOB="j1")
        done = self.run_it(str(HARNESS / "ci.sh"), "sh", "-c", 'echo "$SANDBOX_NAME $FLYTE_PLATFORM_URL"')
        self.assertRegex(done.stdout, r"^flyte-sandbox-j1 localhost:\d+\n$")
        self.assert_nothing_left()

    def test_script_with_a_command_that_fails(self):
        self.environment.update(SANDBOX=BINARY, JOB="j2")
        self.run_it(str(HARNESS / "ci.sh"), "sh", "-c", "exit 9", code=9)
        self.assertTrue(pathlib.Path(self.directory, "sandbox-j2.tar.gz").exists())
        self.assert_nothing_left()

    def test_script_that_does_not_learn_the_addresses(self):
        launcher = pathlib.Path(self.directory, "launcher")
        launcher.write_text(f'#!/bin/sh\ncase " $* " in *" env "*) exit 7;; esac\nexec "{BINARY}" "$@"\n')
        launcher.chmod(0o755)
        done = self.run_it(str(HARNESS / "ci.sh"), "echo", "it ran", code=7, SANDBOX=str(launcher), JOB="j3")
        self.assertNotIn("it ran", done.stdout)
        self.assert_nothing_left()

    def test_script_whose_sandbox_does_not_start(self):
        self.engine.images.clear()
        done = self.run_it(str(HARNESS / "ci.sh"), "true", code=3, SANDBOX=BINARY)
        self.assertIn("image-missing", done.stderr)
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
