"""The launcher against the real engine. Each test has instances of its own on free ports; the user's sandbox is not touched."""

import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from support.sandbox import Sandbox  # noqa: E402


def docker(*arguments, check=True, **options):
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, **options)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


def exists(kind, name):
    return subprocess.run(["docker", kind, "inspect", name], capture_output=True).returncode == 0


@pytest.fixture
def make(tmp_path_factory):
    """Instances by name, deleted with all they have at the end."""
    made = []

    def instance(name):
        sandbox = Sandbox(name, tmp_path_factory.mktemp("home"))
        sandbox.run("delete", "--volume")
        made.append(sandbox)
        return sandbox

    yield instance
    for sandbox in made:
        subprocess.run(["docker", "rm", "-f", sandbox.container], capture_output=True)
        subprocess.run(["docker", "volume", "rm", "-f", sandbox.container], capture_output=True)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One sandbox that runs, for tests that only look at it or leave it running."""
    sandbox = Sandbox("docker-tests", tmp_path_factory.mktemp("home"))
    sandbox.run("delete", "--volume")
    sandbox.run("start", timeout=600)
    yield sandbox
    sandbox.run("delete", "--volume")
    assert not exists("container", sandbox.container) and not exists("volume", sandbox.container)
