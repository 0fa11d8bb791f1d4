"""What the shells offer, asked of the shells themselves."""

import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import time
import unittest

from launcher import BINARY, Case

# What zsh would list goes into a file, with a line of its own at the end.
ZSHRC = """
fpath=($HOME $fpath)
autoload -Uz compinit && compinit -u
compadd() { local -a found; builtin compadd -O found "$@"; print -rl -- $found >>$HOME/offered; builtin compadd "$@" }
probe() { _main_complete; print -r -- . >>$HOME/offered }
zle -C probe list-choices probe
bindkey '^I' probe
"""
ATTRIBUTES = {"task-resource-attribute", "cluster-resource-attribute", "execution-queue-attribute", "execution-cluster-label", "plugin-override", "workflow-execution-config"}


class Completion(Case):
    def setUp(self):
        super().setUp()
        self.environment["PATH"] = f"{os.path.dirname(os.path.abspath(BINARY))}:{os.environ['PATH']}"

    def script(self, shell, name):
        path = self.home / name
        path.write_text(self.run_sandbox("completion", shell).stdout)
        return path

    def bash(self, *words):
        listed = " ".join(f"'{word}'" for word in ("sandbox", *words))
        command = f"source {self.script('bash', 'sandbox.bash')}; COMP_WORDS=({listed}); COMP_CWORD={len(words)}; _sandbox; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        return set(subprocess.run(["bash", "-c", command], env=self.environment, capture_output=True, text=True, check=True).stdout.split())

    def fish(self, *words):
        command = f"source {self.script('fish', 'sandbox.fish')}; complete -C '{' '.join(('sandbox', *words))}'"
        listed = subprocess.run(["fish", "--no-config", "-c", command], env=self.environment, capture_output=True, text=True, check=True).stdout
        return {line.partition("\t")[0] for line in listed.splitlines()}

    def zsh(self, *words):
        self.script("zsh", "_sandbox")
        (self.home / ".zshrc").write_text(ZSHRC)
        offered = self.home / "offered"
        offered.unlink(missing_ok=True)
        process, terminal = pty.fork()
        if process == 0:
            os.execvpe("zsh", ["zsh", "-d", "-i"], {**self.environment, "ZDOTDIR": str(self.home), "TERM": "dumb"})
        try:
            os.write(terminal, (" ".join(("sandbox", *words)) + "\t").encode())
            deadline = time.monotonic() + 60
            while not (offered.exists() and offered.read_text().endswith("\n.\n")):
                self.assertLess(time.monotonic(), deadline, "zsh lists nothing")
                if select.select([terminal], [], [], 0.02)[0]:
                    os.read(terminal, 65536)
        finally:
            os.close(terminal)
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        return set(offered.read_text().split()) - {"."}

    def check(self, complete):
        self.engine.add_container("flyte-sandbox-ci1")
        self.assertEqual(complete("st"), {"start", "status", "stop"})
        self.assertEqual(complete("--name", ""), {"flyte-sandbox-ci1"})
        self.assertEqual(complete("--name", "flyte-sandbox-ci1", "hel"), {"help"})
        self.assertEqual(complete("-n", "flyte-sandbox-ci1", "stop", "--ti"), {"--timeout"})
        self.assertEqual(complete("start", "--pull", ""), {"missing", "always", "never"})
        self.assertEqual(complete("-o", "json", "hel"), {"help"})
        self.assertEqual(complete("completion", "z"), {"zsh"})
        self.assertEqual(complete("help", "st"), {"start", "status", "stop"})
        self.assertEqual(complete("snapshot", ""), {"save", "restore", "list"})
        self.assertEqual(complete("get", "task"), {"task", "task-resource-attribute"})
        self.assertEqual(complete("delete", ""), {"execution"} | ATTRIBUTES)
        self.assertLessEqual({"disk", "dns"}, complete("doctor", "d"))
        self.engine.add_container()
        self.assertEqual(complete("logs", "post"), {"postgres"})

    def test_bash(self):
        self.check(self.bash)

    @unittest.skipUnless(shutil.which("zsh"), "no zsh here")
    def test_zsh(self):
        self.check(self.zsh)

    @unittest.skipUnless(shutil.which("fish"), "no fish here")
    def test_fish(self):
        self.check(self.fish)

    def test_every_option_is_there(self):
        for shell, form in (("bash", " --{}"), ("zsh", "--{}"), ("fish", " -l {}")):
            script = self.run_sandbox("completion", shell).stdout
            for option in ("name", "image-file", "owner-pid", "override-name", "build-arg"):
                self.assertIn(form.format(option), script, shell)

    def test_what_is_offered_is_known(self):
        """The words that shells offer are listed beside the code that understands them."""
        script = pathlib.Path(self.script("bash", "sandbox.bash")).read_text()
        offered = dict(re.findall(r"^\t(\w+)\) if \(\(COMP_CWORD == i \+ 1\)\); then words='([^']*)'", script, re.MULTILINE))
        self.assertLessEqual({"get", "update", "delete", "create", "doctor", "config", "snapshot", "help"}, set(offered))
        for verb, words in offered.items():
            for word in words.split():
                with self.subTest(verb=verb, word=word):
                    # Nothing of Flyte answers here: what is known gets further than being understood.
                    done = subprocess.run([BINARY, verb, word, *(["--admin.endpoint", "127.0.0.1:1", "--timeout", "1s"] if verb in ("get", "update", "create", "register") else [])],
                                          env=self.environment, capture_output=True, text=True, timeout=60, check=False)
                    self.assertNotRegex(done.stderr, r"error\[(unknown-resource|bad-value|unknown-verb)\]")
