"""What the conformance scripts share: a sandbox of their own on the documented ports, an environment with somebody else's client, tables."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as tree

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.sandbox import Sandbox  # noqa: E402

INSTANCE = "conformance"
IMAGE = "localhost:30000/flytekit:dev"
TASK_IMAGE = "cr.flyte.org/flyteorg/flytekit:py3.11-1.16.31"
# What flytekit's own Dockerfile.dev puts beside it and the suites' tasks import.
TASK_PACKAGES = ["pandas", "pyarrow", "pydantic", "joblib"]
# The version that upstream's workflow pretends, so that a tree without its history can be installed.
PRETENDED = "1.999.0.dev0"


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def run(*command, **options):
    subprocess.run([str(part) for part in command], check=True, **options)


def client_environment(name, *packages, flytekit=None):
    """A venv below out/ with the packages; `flytekit` is a source tree to install, from a copy, so that it stays as it is."""
    venv = ROOT / "out" / name
    python = venv / "bin" / "python"
    stamp = venv / "installed"
    wanted = "\n".join([str(flytekit), *packages])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    say(f"making {venv.relative_to(ROOT)}")
    run(sys.executable, "-m", "venv", "--clear", venv)
    with tempfile.TemporaryDirectory() as copy:
        arguments = list(packages)
        if flytekit:
            copy_tree(flytekit, pathlib.Path(copy) / "flytekit")
            arguments.append(pathlib.Path(copy) / "flytekit")
        # Known versions of what flytekit needs: left to itself, pip goes back through every release of one for the other.
        constraints = pathlib.Path(copy) / "constraints.txt"
        known = (ROOT / "examples" / "constraints.txt").read_text(encoding="utf-8").splitlines()
        constraints.write_text("\n".join(line for line in known if not line.startswith("flytekit==")), encoding="utf-8")
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", constraints, *arguments,
            env={**os.environ, "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_FLYTEKIT": PRETENDED})
    stamp.write_text(wanted, encoding="utf-8")
    return python


def collect_wheels(python, directory, *packages, flytekit=None):
    """Packages, and a wheel of the tree, as files for an image: a build needs no network then, nor the certificates of a proxy."""
    environment = {**os.environ, "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_FLYTEKIT": PRETENDED}
    run(python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--dest", directory, *packages)
    if flytekit:
        with tempfile.TemporaryDirectory() as copy:
            copy_tree(flytekit, pathlib.Path(copy) / "flytekit")
            run(python, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--wheel-dir", directory,
                pathlib.Path(copy) / "flytekit", env=environment)


def copy_tree(source, target):
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(".git", "__pycache__", "docs", "*.pyc"))


class Conformance(Sandbox):
    """A fresh instance on the ports that Flyte's documentation names, deleted at the end; `reuse` takes what an earlier run kept."""

    def __init__(self, home, controlplane=None, keep=False, reuse=False):
        super().__init__(INSTANCE, home)
        self.controlplane, self.keep, self.reuse = controlplane, keep, reuse

    def __enter__(self):
        if not self.reuse:
            self.run("delete", "--volume", check=False)
        say("starting the sandbox")
        self.run("start", "--ports", "default", timeout=900)
        if self.controlplane:
            self.run("reload", str(self.controlplane))
        self.learn_endpoints()
        return self

    def __exit__(self, *problem):
        if not self.keep:
            self.run("delete", "--volume", check=False)

    def client_environment(self, python):
        """As upstream's workflow sets it."""
        return self.environment(PATH=f"{python.parent}{os.pathsep}{os.environ['PATH']}", FLYTEKIT_CI="1", FLYTEKIT_IMAGE=IMAGE,
                                FLYTECTL_CONFIG=str(self.config_file),
                                AWS_ENDPOINT_URL="http://localhost:30002", AWS_ACCESS_KEY_ID="minio", AWS_SECRET_ACCESS_KEY="miniostorage",
                                PYTHONDONTWRITEBYTECODE="1", FLYTE_SDK_RICH_TRACEBACKS="0")

    def build(self, context, tag):
        say(f"building {tag}")
        done = self.run("build", str(context), "--tag", tag, check=False, timeout=1800)
        if done.returncode != 0:
            sys.exit(f"cannot build {tag}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")


def read_junit(file):
    """(name, result, seconds, text) of each test; a result is passed, failed or skipped."""
    for case in tree.parse(file).getroot().iter("testcase"):
        result, text = "passed", ""
        for kind, name in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
            found = case.find(kind)
            if found is not None:
                result, text = name, found.get("message") or ""
        yield case.get("name") or "(the run itself)", result, float(case.get("time", 0)), text


def one_line(text, maximum=160):
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= maximum else line[: maximum - 1] + "…"


def write_section(name, text):
    """Replaces what stands between the marks of that name in docs/compatibility.md."""
    page = ROOT / "docs" / "compatibility.md"
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    content = page.read_text(encoding="utf-8")
    before, rest = content.split(begin, 1)
    after = rest.split(end, 1)[1]
    page.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}", encoding="utf-8")
