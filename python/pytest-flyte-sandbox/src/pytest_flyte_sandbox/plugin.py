"""
Fixtures:

flyte_sandbox  (session)  the instance, shared by all workers of pytest-xdist
flyte_project  (test)     the name of a new project, archived after the test
flyte_env      (test)     the clients' variables, set in os.environ; a dict
flyte_remote   (test)     flytekit's FlyteRemote for flyte_project; needs flytekit

The instance of a test run belongs to the run: its process is the owner, so that even a run that is killed leaves nothing behind. An instance
named by --flyte-sandbox-name is somebody else's: it is started when it does not run, and never deleted.
"""

import hashlib
import os

import pytest

from .sandbox import FlyteSandbox


def pytest_addoption(parser):
    group = parser.getgroup("flyte sandbox")
    group.addoption("--flyte-sandbox-name", metavar="NAME", help="use this instance, and keep it; otherwise each test run has one of its own")
    group.addoption("--flyte-sandbox-keep", action="store_true", help="keep the instance of this test run for a look; `sandbox delete --volume` deletes it")
    group.addoption("--flyte-sandbox-command", metavar="PATH", default=os.environ.get("SANDBOX_BINARY", "sandbox"), help="the launcher [default: sandbox]")
    group.addoption("--flyte-sandbox-start", metavar="OPTION", action="append", default=[], help="option of `sandbox start`, may be repeated: --flyte-sandbox-start=--memory=4096")


def _is_worker(config):
    return hasattr(config, "workerinput")


def _run_process(config):
    """The process of the whole run: with xdist the controller, whose children the workers are."""
    return os.getppid() if _is_worker(config) else os.getpid()


def _instance_name(config):
    named = config.getoption("--flyte-sandbox-name")
    if named:
        return named
    # The same for all workers of a run, another for each run.
    run = config.workerinput["testrunuid"] if _is_worker(config) else getattr(config, "_flyte_sandbox_run", str(os.getpid()))
    return "test-" + hashlib.sha256(run.encode()).hexdigest()[:12]


def pytest_configure(config):
    config._flyte_sandbox_used = False  # by a worker of this controller
    # xdist's controller knows the run's id as its workers do.
    config._flyte_sandbox_run = getattr(getattr(config, "option", None), "testrunuid", None) or str(os.getpid())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """xdist: a worker is about to be made."""
    node.config._flyte_sandbox_run = node.workerinput["testrunuid"]


@pytest.fixture(scope="session")
def flyte_sandbox(request):
    config = request.config
    sandbox = FlyteSandbox(_instance_name(config), config.getoption("--flyte-sandbox-command"))
    options = list(config.getoption("--flyte-sandbox-start"))
    lasting = config.getoption("--flyte-sandbox-name") or config.getoption("--flyte-sandbox-keep")
    if not lasting:
        options += ["--owner-pid", str(_run_process(config))]
    if _is_worker(config):
        config.workeroutput["flyte_sandbox"] = True
    sandbox.start(*options, "--keep-context")
    if not _is_worker(config) and not lasting:
        request.addfinalizer(sandbox.delete)
    return sandbox


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """xdist: a worker has ended. One that crashed tells nothing, and the owner's end deletes what it has used."""
    node.config._flyte_sandbox_used |= bool(getattr(node, "workeroutput", {}).get("flyte_sandbox"))


def pytest_sessionfinish(session):
    """xdist's controller deletes what its workers have used; without xdist the fixture does."""
    config = session.config
    lasting = config.getoption("--flyte-sandbox-name") or config.getoption("--flyte-sandbox-keep")
    if config._flyte_sandbox_used and not lasting:
        FlyteSandbox(_instance_name(config), config.getoption("--flyte-sandbox-command")).delete()


@pytest.fixture
def flyte_project(flyte_sandbox, request):
    # Flyte's limits for an identifier: a DNS label.
    identifier = "t-" + hashlib.sha256(f"{request.node.nodeid} {os.getpid()} {id(request)}".encode()).hexdigest()[:16]
    flyte_sandbox.create_project(identifier)
    yield identifier
    flyte_sandbox.archive_project(identifier)


@pytest.fixture
def flyte_env(flyte_sandbox, monkeypatch):
    environment = flyte_sandbox.environment
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.fixture
def flyte_remote(flyte_env, flyte_project):
    configuration = pytest.importorskip("flytekit.configuration")
    remote = pytest.importorskip("flytekit.remote")
    config = configuration.Config.auto(config_file=flyte_env["FLYTECTL_CONFIG"])
    return remote.FlyteRemote(config, default_project=flyte_project, default_domain="development")
