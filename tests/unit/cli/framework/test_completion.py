"""What the shells offer."""

import os
import pathlib
import shutil
import subprocess

from launcher import BINARY, Case


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
