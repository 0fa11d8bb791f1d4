"""The tutorials, as they stand: every block is run, a block that `fails` has to fail, and every line of the text below a block is in its output."""

import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PAGES = sorted(page for page in (ROOT / "docs" / "tutorials").glob("*.md") if page.name != "README.md")
BLOCK = re.compile(r"^```(sh|text)( fails)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def steps(page):
    """(script, fails, expected lines) for each block of commands."""
    found = []
    for kind, fails, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "sh":
            found.append((text, bool(fails), []))
        else:
            found[-1][2].extend(text.splitlines())
    return found


def test_there_are_tutorials():
    assert PAGES and all(len(steps(page)) >= 5 and sum(bool(expected) for _, _, expected in steps(page)) >= 5 for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_tutorial(sandbox, tmp_path, page):
    shutil.copytree(ROOT / "docs" / "tutorials", tmp_path / "docs" / "tutorials")
    # A copy of the tree in which the commands change files; what is to be on the PATH is.
    prelude = f'sandbox() {{ "{sandbox.binary}" "$@"; }}\nPATH="{pathlib.Path(sys.executable).parent}:$PATH"\n'
    directory = tmp_path
    for script, fails, expected in steps(page):
        script = script.replace(". .venv/bin/activate\n", "")
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", f"{prelude}{script}\npwd >'{tmp_path}/directory'"], cwd=directory, text=True,
                              env=sandbox.environment(SANDBOX_NAME=sandbox.name), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        assert (done.returncode != 0) == fails, f"{script}\n{done.stdout}"
        for line in expected:
            assert line in done.stdout, f"{script}\nlacks: {line}\n{done.stdout}"
        if not fails:
            directory = (tmp_path / "directory").read_text(encoding="utf-8").strip()
