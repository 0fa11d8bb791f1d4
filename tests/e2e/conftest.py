"""One fresh sandbox for all end-to-end tests: an instance of its own, on free ports, with a home directory of its own, so that neither the
user's sandbox nor the user's configuration is touched.

While developing, SANDBOX_TEST_INSTANCE=NAME uses the instance NAME as it is (started when it is not running) and leaves it running."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from ahead import Ahead, is_done, wanted_by  # noqa: E402
from support.sandbox import Sandbox  # noqa: E402

INSTANCE = os.environ.get("SANDBOX_TEST_INSTANCE", "")
NAME = INSTANCE or "e2e"


def pytest_configure(config):
    for mark in ("runs(workflow, inputs)", "starts(workflow, inputs)", "alone: see ahead.py", "first: before all others", "last: after all others"):
        config.addinivalue_line("markers", mark)


def pytest_collection_modifyitems(items):
    """What waits for a clock begins first and ends last; the others run in between."""
    items.sort(key=lambda item: bool(item.get_closest_marker("last")) - bool(item.get_closest_marker("first")))


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    instance = Sandbox(NAME, home)
    if not INSTANCE:
        instance.run("delete", "--volume", check=False)
    instance.run("start", "--ports", "auto", timeout=600)
    os.environ.update(instance.learn_endpoints())
    yield instance
    if not INSTANCE and os.environ.get("SANDBOX_TEST_KEEP", "0") == "0":
        instance.run("delete", "--volume", timeout=60)


@pytest.fixture(scope="session")
def remote(sandbox):
    from flytekit.configuration import Config
    from flytekit.remote import FlyteRemote

    return FlyteRemote(Config.auto(str(sandbox.config_file)), default_project="flytesnacks", default_domain="development")


@pytest.fixture(scope="session")
def pyflyte(sandbox):
    """Runs the stock client's command line and returns what it printed."""

    def run(*arguments, check=True, timeout=300):
        command = [str(pathlib.Path(sys.executable).parent / "pyflyte"), "--config", str(sandbox.config_file), *arguments]
        done = subprocess.run(command, env=sandbox.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)
        if check and done.returncode != 0:
            pytest.fail(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}")
        return done

    return run


@pytest.fixture(scope="session")
def version(pyflyte):
    """The version under which all workflows of tests/e2e/workflows are registered, by the stock command line with fast registration."""
    import uuid

    version = f"v-{uuid.uuid4().hex}"
    pyflyte("register", "--version", version, "--project", "flytesnacks", "--domain", "development",
            str(pathlib.Path(__file__).parent / "workflows"))
    return version


@pytest.fixture(scope="session")
def launch_workflow(remote, version):
    """Starts a registered workflow by its module and name; does not wait."""

    def start(workflow, **inputs):
        plan = remote.fetch_launch_plan(name=f"workflows.{workflow}", version=version)
        return remote.execute(plan, inputs=inputs, wait=False)

    return start


@pytest.fixture(scope="session")
def launch(launch_workflow):
    return lambda workflow, **inputs: launch_workflow(f"basics.{workflow}", **inputs)


@pytest.fixture(scope="session")
def ahead(request, remote):
    items = request.session.items
    if not any(wanted_by(item) for item in items):
        return Ahead([], None, remote)
    return Ahead(items, request.getfixturevalue("launch_workflow"), remote)


@pytest.fixture(autouse=True)
def turn(request, ahead):
    ahead.begin(request.node)


@pytest.fixture
def executions(request, ahead, finish):
    return [finish(execution) for execution in ahead.of(request.node, "runs")]


@pytest.fixture
def execution(executions):
    (only,) = executions
    return only


@pytest.fixture
def all_started(request, ahead):
    return ahead.of(request.node, "starts")


@pytest.fixture
def started(all_started):
    (only,) = all_started
    return only


@pytest.fixture(scope="session")
def finish(remote, ahead):
    """Waits for the end of an execution and loads its nodes: once, because the client takes much longer for that than for a look at the phase."""
    import time

    def wait(execution):
        deadline = time.monotonic() + 180
        while not is_done(remote, execution) and time.monotonic() < deadline:
            ahead.fill()
            time.sleep(0.1)
        return remote.wait(execution, timeout=1, poll_interval=1)

    return wait


@pytest.fixture(scope="session")
def eventually():
    """Waits until a condition holds, which has no event that could be waited for from here."""
    import time

    def wait(condition, seconds=60, what="the condition"):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{what} does not hold after {seconds} s"
            time.sleep(0.2)

    return wait


@pytest.fixture(scope="session")
def execute(launch, finish):
    return lambda workflow, **inputs: finish(launch(workflow, **inputs))


@pytest.fixture(scope="session")
def run_remotely(pyflyte, remote):
    """`pyflyte run --remote --wait` of a workflow in a file; the finished execution."""
    import re

    def run(*arguments, before=()):
        done = pyflyte("run", "--remote", "--wait", "--poll-interval", "1", *before, *arguments)
        name = re.search(r"executions/([a-zA-Z0-9]+)", done.stdout.replace("\n", ""))
        assert name, done.stdout
        return remote.sync_execution(remote.fetch_execution(name=name.group(1)))

    return run


@pytest.fixture(scope="session")
def kubectl(sandbox):
    """The real kubectl on this side of the container, with the kubeconfig that the launcher merged."""
    binary = sandbox.home / "kubectl"
    with open(binary, "wb") as out:
        subprocess.run([sandbox.binary, "--name", NAME, "exec", "--", "cat", "/usr/bin/k3s"], stdout=out, check=True, env=sandbox.environment())
    binary.chmod(0o755)

    def run(*arguments, check=True, as_json=False, timeout=60):
        extra = ["-o", "json"] if as_json else []
        done = subprocess.run(["kubectl", *arguments, *extra], executable=binary, env=sandbox.environment(), capture_output=True, text=True, timeout=timeout)
        if check and done.returncode != 0:
            pytest.fail(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return json.loads(done.stdout) if as_json else done.stdout

    return run


@pytest.fixture(scope="session")
def task_image():
    """The image that this flytekit asks for by default; the sandbox brings it along."""
    from flytekit.configuration import DefaultImages

    return DefaultImages.default_image()


@pytest.fixture
def apply(kubectl, sandbox):
    """Applies objects, and deletes them again afterwards."""
    made = []

    def run(*objects):
        for item in objects:
            path = sandbox.home / "object.json"
            path.write_text(json.dumps(item), encoding="utf-8")
            kubectl("apply", "-f", str(path))
            made.append((item["metadata"]["namespace"], item["kind"], item["metadata"]["name"]))

    yield run
    for namespace, kind, name in made:
        kubectl("-n", namespace, "delete", kind, name, "--ignore-not-found")
