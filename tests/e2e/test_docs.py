"""The commands that the README shows a user, run as they stand there."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.split("## Your own workflow")[1].split("## For those who work on it")[0]
BLOCKS = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)
TABLE = re.findall(r"^\| [^|]+ \| (`.*`) \|$", SECTION, re.MULTILINE)


def run(sandbox, script):
    """In the instance of the tests, with its client; stops at the first command that fails."""
    script = script.replace(".venv/bin/", f"{pathlib.Path(sys.executable).parent}/").replace("$HOME/.flyte/config-sandbox.yaml", str(sandbox.config_file))
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", f'sandbox() {{ "{sandbox.binary}" "$@"; }}\n{script}'], cwd=ROOT, text=True,
                          env=sandbox.environment(SANDBOX_NAME=sandbox.name), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("block", range(len(BLOCKS)))
def test_the_first_workflow_and_an_image_of_ones_own(sandbox, block):
    output = run(sandbox, BLOCKS[block])
    assert "has succeeded" in output


def harmless():
    """The table's commands, but for those that end the sandbox, start another one or never end."""
    commands = [command for row in TABLE for command in re.findall(r"`([^`]+)`", row)]
    return [c for c in commands if not re.search(r"sandbox (stop|delete|--name)|--follow", c)]


def test_the_readme_has_commands():
    assert len(BLOCKS) == 2 and len(harmless()) >= 4


@pytest.mark.parametrize("command", harmless())
def test_the_table_of_commands(sandbox, command):
    run(sandbox, command)
