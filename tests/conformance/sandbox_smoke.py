"""Runs what upstream runs against its bundled sandbox, unmodified, in a fresh sandbox, and waits for the end of each workflow.

usage: sandbox_smoke.py FLYTE [FLYTESNACKS] [--controlplane FILE] [-k TEXT] [--keep] [--write]

FLYTE is a checked-out tree of github.com/flyteorg/flyte at v1.16.8: its docker/sandbox-bundled/test has the three workflows of `make test`.
FLYTESNACKS is a checked-out tree of github.com/flyteorg/flytesnacks: the functional tests of upstream's workflow "single-binary" register the files
that flyte_tests.txt names and run the group "core" of flyte_tests_manifest.json. Upstream's own runner of that takes the manifest from the network.

Tasks run in images built on the sandbox's task image, with the packages that flytekit's own image has beside it or that an ImageSpec names; an ImageSpec's
image is built under the very name that flytekit computes. `busybox:latest` is pulled where there is a registry; else it is the task image, since all that is asked
of it is sh, cat and ls. --write puts the tables into docs/compatibility.md.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

from common import TASK_IMAGE, TASK_PACKAGES, Conformance, client_environment, collect_wheels, one_line, say, write_section

TESTS = pathlib.Path("docker/sandbox-bundled/test")
IMAGE = "smoke:1"
PACKAGES = [*TASK_PACKAGES, "tabulate"]
PROJECT, DOMAIN = "flytesnacks", "development"
DEADLINE_SECONDS = 900
SECRET = ["kubectl", "create", "secret", "generic", "user-info", "--namespace", f"{PROJECT}-{DOMAIN}", "--from-literal=user_secret=sosecret"]
SMOKES = [
    ("wf.py", ["--n", "500", "--mean", "42", "--sigma", "2"], ["--image", IMAGE]),
    ("raw_container_wf.py", [], []),
    ("secrets_wf.py", [], ["--image", IMAGE]),
]
DOCKERFILE = f"""FROM {TASK_IMAGE}
COPY wheels /wheels
RUN pip install --quiet --no-index --find-links /wheels {' '.join(PACKAGES)}
"""
# What runs one registered workflow to its end, as upstream's runner does, in the client's environment.
EXECUTE = """
import datetime, json, sys
from flytekit.configuration import Config
from flytekit.remote import FlyteRemote
name, version, inputs, seconds = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), float(sys.argv[4])
remote = FlyteRemote(Config.auto(), "flytesnacks", "development")
execution = remote.execute(remote.fetch_workflow(name=name, version=version), inputs=inputs)
print(execution.id.name)
execution = remote.wait(execution, timeout=datetime.timedelta(seconds=seconds), poll_interval=datetime.timedelta(seconds=1))
sys.exit(0 if execution.closure.phase == 4 else execution.closure.error.message)
"""
# The images that the tasks of a version want.
IMAGES = """
import sys
from flytekit.configuration import Config
from flytekit.models.common import NamedEntityIdentifier
from flytekit.models.filters import Equal
from flytekit.remote import FlyteRemote
client = FlyteRemote(Config.auto(), "flytesnacks", "development").client
tasks, _ = client.list_tasks_paginated(NamedEntityIdentifier("flytesnacks", "development"), limit=1000, filters=[Equal("version", sys.argv[1])])
print("\\n".join({task.closure.compiled_task.template.container.image for task in tasks if task.closure.compiled_task.template.container}))
"""


class Runs:
    """Results, one a line."""

    def __init__(self, what):
        self.lines, self.failed = [f"| {what} | Result | Seconds | Reason |", "|---|---|---|---|"], 0

    def run(self, name, command, environment, cwd=None):
        say(name)
        began = time.monotonic()
        try:
            done = subprocess.run([str(part) for part in command], env=environment, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  timeout=DEADLINE_SECONDS + 60, check=False)
            passed, output = done.returncode == 0, done.stdout
        except subprocess.TimeoutExpired as late:
            passed, output = False, f"not done after {late.timeout:.0f} s: {(late.stdout or b'').decode(errors='replace')}"
        self.failed += not passed
        if not passed:
            print(output, file=sys.stderr)
        reason = "" if passed else one_line(output.strip()[-200:])
        self.lines.append(f"| `{name}` | {'passed' if passed else 'failed'} | {time.monotonic() - began:.1f} | {reason} |")


def context_of(directory, name, dockerfile):
    context = pathlib.Path(directory) / name
    context.mkdir()
    (context / "Dockerfile").write_text(dockerfile, encoding="utf-8")
    return context


def prepare(sandbox, python, context):
    collect_wheels(python, context / "wheels", *PACKAGES)
    sandbox.build(context, IMAGE)
    pulled = sandbox.run("exec", "--", "ctr", "-n", "k8s.io", "images", "pull", "docker.io/library/busybox:latest", check=False, timeout=120)
    if pulled.returncode != 0:
        say("busybox cannot be pulled here")
        sandbox.build(context_of(context.parent, "busybox", f"FROM {TASK_IMAGE}\n"), "busybox:latest")
    sandbox.run("exec", "--", *SECRET)


def run_smokes(python, environment, tests, only):
    runs = Runs("Workflow")
    environment = {**environment, "FLYTECTL_CONFIG": str(tests / "config.yaml")}
    for file, inputs, options in SMOKES:
        if only in file:
            runs.run(file, [python.parent / "pyflyte", "run", "--remote", "--wait", "--poll-interval", "1", *options, tests / file, "wf", *inputs], environment)
    return runs


def images_of(python, environment, version):
    done = subprocess.run([str(python), "-c", IMAGES, version], env=environment, stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    return set(done.stdout.split()) - {IMAGE, TASK_IMAGE}


def register_examples(sandbox, python, environment, tree, context):
    version = f"smoke-{int(time.time())}"
    for file in (tree / "flyte_tests.txt").read_text(encoding="utf-8").split():
        say(f"registering {file}")
        done = subprocess.run([str(python.parent / "pyflyte"), "register", "--project", PROJECT, "--domain", DOMAIN, "--image", IMAGE, "--version", version,
                               str(tree / file)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
        if done.returncode != 0:
            sys.exit(f"cannot register {file}:\n{done.stdout}")
    for image in sorted(images_of(python, environment, version)):
        sandbox.build(context, image)
    return version


def run_examples(python, environment, tree, version, only):
    runs = Runs("Workflow of flytesnacks")
    manifest = json.loads((tree / "flyte_tests_manifest.json").read_text(encoding="utf-8"))
    for name, inputs in next(group["examples"] for group in manifest if group["name"] == "core"):
        if only in name:
            runs.run(name, [python, "-c", EXECUTE, name, version, json.dumps(inputs), str(DEADLINE_SECONDS)], environment)
    return runs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flyte", type=pathlib.Path)
    parser.add_argument("flytesnacks", type=pathlib.Path, nargs="?")
    parser.add_argument("--controlplane", help="a control plane to run instead of the image's")
    parser.add_argument("-k", default="", metavar="TEXT", help="only workflows whose name has this in it")
    parser.add_argument("--keep", action="store_true", help="leave the sandbox running")
    parser.add_argument("--reuse", action="store_true", help="use the sandbox that --keep left, and its images")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/compatibility.md")
    options = parser.parse_args()
    tests = options.flyte.resolve() / TESTS
    if not tests.is_dir():
        sys.exit(f"{options.flyte} has no {TESTS}: it must be a checked-out flyte at v1.16.8")
    tree = options.flytesnacks.resolve() if options.flytesnacks else None
    if tree and not (tree / "flyte_tests_manifest.json").is_file():
        sys.exit(f"{tree} has no flyte_tests_manifest.json: it must be a checked-out flytesnacks")
    python = client_environment("smoke-venv", "flytekit==1.16.31", *PACKAGES)
    with tempfile.TemporaryDirectory() as home, Conformance(home, options.controlplane, options.keep, options.reuse) as sandbox:
        context = context_of(home, "smoke", DOCKERFILE)
        if not options.reuse:
            prepare(sandbox, python, context)
        elif tree:
            collect_wheels(python, context / "wheels", *PACKAGES)
        environment = sandbox.client_environment(python)
        tables = [run_smokes(python, environment, tests, options.k)]
        if tree:
            version = register_examples(sandbox, python, environment, tree, context)
            tables.append(run_examples(python, environment, tree, version, options.k))
    text = "\n\n".join("\n".join(table.lines) for table in tables)
    print(text)
    if options.write:
        write_section("sandbox smoke", text)
    sys.exit(1 if any(table.failed for table in tables) else 0)


if __name__ == "__main__":
    main()
