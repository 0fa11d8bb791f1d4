"""Runs upstream's flytectl, unmodified, through the verbs that speak to the API, against a sandbox, and checks what each leaves behind.

usage: flytectl_verbs.py [--flytectl FILE] [--instance NAME | --controlplane FILE] [--keep] [--write]

Without --flytectl it is built from its Go module (tests/conformance/flytectl). Without --instance a fresh sandbox is started on the documented ports and deleted
afterwards. Steps build on one another: a project, a package registered in it, its entities in each output format, executions, attributes, and the end of all of it.
What is left out speaks to something else than the API: `demo` and `sandbox` (Docker), `register examples` and `upgrade` (GitHub), `compile` (nothing).
--write puts the table into docs/compatibility.md.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import uuid

from common import ROOT, TASK_IMAGE, Conformance, Sandbox, client_environment, one_line, run, say, write_section

MODULE = ROOT / "tests" / "conformance" / "flytectl"
PROJECT, DOMAIN = f"ctl-{uuid.uuid4().hex[:6]}", "development"
VERSION = "v1"
WORKFLOW = '''
from flytekit import LaunchPlan, task, workflow


@task
def add(x: int, y: int) -> int:
    return x + y


@workflow
def wf(x: int = 1, y: int = 2) -> int:
    return add(x=x, y=y)


plan = LaunchPlan.get_or_create(wf, "ctl.plan", default_inputs={"x": 3})
'''
# attribute files: what flytectl calls the kind, and the body below project and domain
ATTRIBUTES = {
    "task-resource-attribute": {"defaults": {"cpu": "150m", "memory": "120Mi"}, "limits": {"cpu": "2", "memory": "700Mi"}},
    "cluster-resource-attribute": {"attributes": {"projectQuotaCpu": "7"}},
    "execution-queue-attribute": {"tags": ["critical"]},
    "execution-cluster-label": {"value": "here"},
    "plugin-override": {"overrides": [{"task_type": "spark", "plugin_id": ["spark"], "missing_plugin_behavior": 1}]},
    "workflow-execution-config": {"max_parallelism": 5},
}


def build_flytectl():
    program = ROOT / "out" / "conformance" / "flytectl"
    if not program.exists():
        say("building flytectl from its module")
        program.parent.mkdir(parents=True, exist_ok=True)
        run("go", "build", "-o", program, "github.com/flyteorg/flyte/flytectl", cwd=MODULE)
    return program


class Steps:
    def __init__(self, program, sandbox, directory):
        self.program, self.directory = program, pathlib.Path(directory)
        self.environment = sandbox.environment()
        self.config = sandbox.config_file
        self.lines, self.failed = ["| Command | Result | Reason |", "|---|---|---|"], 0

    def call(self, *arguments):
        """(code, stdout, stderr)"""
        command = [str(self.program), "--config", str(self.config), *map(str, arguments)]
        done = subprocess.run(command, env=self.environment, cwd=self.directory, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout, done.stderr

    def step(self, *arguments, says="", check=None, fails=False):
        """One command: `says` has to be in its output, `check` gets its stdout and tells what is wrong, if anything. Returns stdout."""
        shown = " ".join(str(argument).replace(PROJECT, "PROJECT") for argument in arguments).replace(str(self.directory) + "/", "")
        code, out, talk = self.call(*arguments)
        problem = ""
        if (code != 0) != fails:
            problem = f"exit code {code}: {talk or out}"
        elif says and says not in out + talk:
            problem = f"says {out or talk}"
        elif check:
            try:
                problem = check(out) or ""
            except (ValueError, KeyError, IndexError, TypeError) as error:
                problem = f"{error!r}: {out}"
        self.failed += bool(problem)
        say(f"{'FAILED' if problem else 'ok':7} {shown} {problem}")
        self.lines.append(f"| `{one_line(shown)}` | {'failed' if problem else 'ok'} | {one_line(problem)} |")
        return out

    def write(self, name, content):
        path = self.directory / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path


def ids(out):
    found = json.loads(out)
    return [entry["id"] for entry in (found if isinstance(found, list) else [found])]


def expect(wanted, found):
    return "" if wanted == found else f"{found!r} instead of {wanted!r}"


def package(python, directory):
    """What `pyflyte package` makes of the workflow: serialized entities in an archive."""
    source = pathlib.Path(directory) / "source"
    source.mkdir()
    (source / "ctl.py").write_text(WORKFLOW, encoding="utf-8")
    run(python.parent / "pyflyte", "--pkgs", "ctl", "package", "--image", TASK_IMAGE, "--force", "--fast", "--output", "../package.tgz", cwd=source)
    return pathlib.Path(directory) / "package.tgz"


def projects(s):
    s.step("version", says='"App": "controlPlane"')
    s.step("create", "project", "--id", PROJECT, "--name", f"name of {PROJECT}", "--description", "made by flytectl", "--labels", "team=ctl", says="project created successfully")
    s.step("create", "project", "--id", PROJECT, "--name", PROJECT, fails=True, says="AlreadyExists")
    s.step("get", "project", PROJECT, "-o", "json", check=lambda out: expect("made by flytectl", (json.loads(out)[0] if out.lstrip()[0] == "[" else json.loads(out))["description"]))
    s.step("get", "project", "--filter.fieldSelector", f"project.identifier={PROJECT}", "-o", "yaml", says=PROJECT)
    s.step("update", "project", "--id", PROJECT, "--description", "changed", "--force", says="")
    s.step("update", "project", "--id", PROJECT, "--archive", "--force")
    s.step("update", "project", "--id", PROJECT, "--activate", "--force")


def registration(s, archive):
    place = ["--project", PROJECT, "--domain", DOMAIN]
    s.step("register", "files", "--archive", archive, *place, "--version", VERSION, says="Successfully registered file")
    s.step("register", "files", "--archive", archive, *place, "--version", VERSION, "--continueOnError", says="AlreadyExists")
    for kind, name in (("task", "ctl.add"), ("workflow", "ctl.wf"), ("launchplan", "ctl.plan")):
        s.step("get", kind, *place, says=name)
        s.step("get", kind, name, *place, "--latest", "-o", "json", check=lambda out, name=name: expect((name, VERSION), (ids(out)[0]["name"], ids(out)[0]["version"])))
        s.step("get", kind, name, *place, "--version", VERSION, "-o", "yaml", says=f"version: {VERSION}")
    s.step("get", "workflow", "ctl.wf", *place, "--latest", "-o", "dot", says="digraph")
    s.step("get", "launchplan", *place, "--filter.fieldSelector", "launch_plan.name=ctl.plan", "--filter.limit", "5", says="ctl.plan")
    s.step("update", "launchplan", "ctl.plan", *place, "--version", VERSION, "--activate", "--force")
    s.step("get", "launchplan", "ctl.plan", *place, "--version", VERSION, "-o", "json", says='"state": "ACTIVE"')
    s.step("update", "launchplan", "ctl.plan", *place, "--version", VERSION, "--deactivate", "--force")
    for kind, name in (("task", "ctl.add"), ("workflow", "ctl.wf"), ("launchplan", "ctl.plan")):
        s.step("update", f"{kind}-meta", name, *place, "--description", "told", "--force")
        s.step("update", f"{kind}-meta", name, *place, "--archive", "--force")
        s.step("update", f"{kind}-meta", name, *place, "--activate", "--force")


def finished(s, name, place):
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        _, out, _ = s.call("get", "execution", name, *place, "-o", "json")
        found = json.loads(out)
        phase = (found[0] if isinstance(found, list) else found)["closure"]["phase"]
        if phase in ("SUCCEEDED", "FAILED", "ABORTED"):
            return phase
        time.sleep(1)
    return "nothing within 300 s"


def executions(s):
    place = ["--project", PROJECT, "--domain", DOMAIN]
    file = s.directory / "exec.yaml"
    s.step("get", "launchplan", "ctl.plan", *place, "--version", VERSION, "--execFile", file)
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(text.replace("y: 0", "y: 4"), encoding="utf-8")
    out = s.step("create", "execution", *place, "--execFile", file, says="execution identifier")
    name = out.split('name:"')[-1].split('"')[0] if 'name:"' in out else ""
    s.step("get", "execution", *place, "--filter.limit", "10", "--filter.sortBy", "created_at", says=name)
    phase = finished(s, name, place)
    s.step("get", "execution", name, *place, "-o", "json", check=lambda out: expect("SUCCEEDED", phase))
    s.step("get", "execution", name, *place, "--details", says="n0")
    s.step("get", "execution", name, *place, "--details", "--nodeID", "n0", "-o", "json", says="n0")
    out = s.step("create", "execution", *place, "--relaunch", name, says="execution identifier")
    again = out.split('name:"')[-1].split('"')[0]
    s.step("delete", "execution", again, *place)
    s.step("get", "execution", again, *place, "-o", "json", check=lambda _: expect(True, finished(s, again, place) in ("ABORTED", "SUCCEEDED")))
    s.step("create", "execution", *place, "--recover", again, says="execution identifier")
    s.step("update", "execution", name, *place, "--archive", "--force")
    s.step("get", "execution", *place, "--filter.fieldSelector", "execution.state=1", says=name)
    task_file = s.directory / "task.yaml"
    s.step("get", "task", "ctl.add", *place, "--version", VERSION, "--execFile", task_file)
    s.step("create", "execution", *place, "--execFile", task_file, says="execution identifier")


def attributes(s):
    place = ["--project", PROJECT, "--domain", DOMAIN]
    for kind, body in ATTRIBUTES.items():
        file = s.write(f"{kind}.yaml", {"project": PROJECT, "domain": DOMAIN, **body})
        s.step("update", kind, "--attrFile", file, "--force")
        value = str(next(iter(body.values())))
        wanted = {"task-resource-attribute": "700Mi", "cluster-resource-attribute": "projectQuotaCpu", "execution-queue-attribute": "critical",
                  "execution-cluster-label": "here", "plugin-override": "spark", "workflow-execution-config": "5"}.get(kind, value)
        s.step("get", kind, *place, says=wanted)
        s.step("get", kind, *place, "--attrFile", s.directory / f"got-{kind}.yaml")
        s.step("delete", kind, *place)
    s.step("get", "task-resource-attribute", *place, fails=True, says="attribute not found")


def refusals(s):
    place = ["--project", PROJECT, "--domain", DOMAIN]
    s.step("get", "workflow", "nosuch", *place, "--version", VERSION, fails=True, says="NotFound")
    s.step("get", "execution", "nosuch", *place, fails=True, says="NotFound")
    s.step("delete", "execution", "nosuch", *place, fails=True, says="NotFound")


def run_all(program, sandbox, directory):
    archive = package(client_environment("smoke-venv", "flytekit==1.16.31", "pandas", "pyarrow", "pydantic", "joblib", "tabulate"), directory)
    s = Steps(program, sandbox, directory)
    projects(s)
    registration(s, archive)
    executions(s)
    attributes(s)
    refusals(s)
    s.step("update", "project", "--id", PROJECT, "--archive", "--force")
    return s


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flytectl", type=pathlib.Path)
    parser.add_argument("--instance", help="a running instance to use, which is left as it is but for a project")
    parser.add_argument("--controlplane", help="a control plane to run instead of the image's")
    parser.add_argument("--keep", action="store_true", help="leave the sandbox running")
    parser.add_argument("--write", action="store_true", help="write the table into docs/compatibility.md")
    options = parser.parse_args()
    program = options.flytectl.resolve() if options.flytectl else build_flytectl()
    with tempfile.TemporaryDirectory() as home:
        if options.instance:
            sandbox = Sandbox(options.instance, home)
            sandbox.learn_endpoints()
            steps = run_all(program, sandbox, home)
        else:
            with Conformance(home, options.controlplane, options.keep) as sandbox:
                steps = run_all(program, sandbox, home)
    count = len(steps.lines) - 2
    text = f"{count - steps.failed} of {count} commands did what they should.\n\n" + "\n".join(steps.lines)
    print(text)
    if options.write:
        write_section("flytectl", text)
    sys.exit(1 if steps.failed else 0)


if __name__ == "__main__":
    main()
