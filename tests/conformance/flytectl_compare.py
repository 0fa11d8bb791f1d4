"""Runs upstream's flytectl and `sandbox` with the same arguments against one sandbox, and compares what comes of it.

usage: flytectl_compare.py [--flytectl FILE] [--instance NAME | --controlplane FILE] [--keep] [--only GROUP]... [--freeze]

Compared are: which flags and names of resources are taken (each that flytectl's help has), the columns and cells of tables, the content of JSON and YAML,
whether it ends well, files that are written, and what files of one make of the other. Where `sandbox` differs on purpose, DELIBERATE says why. --freeze writes what flytectl takes into tests/unit/cli/flytectl/flytectl_surface.json, which tests/unit/cli/flytectl/test_flytectl_surface.py holds `sandbox` to where
there is no Go.
"""

import argparse
import functools
import http.server
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid

import yaml
from common import ROOT, TASK_IMAGE, Conformance, Sandbox, client_environment, run, say
from flytectl_verbs import build_flytectl

SURFACE = ROOT / "tests" / "unit" / "cli" / "flytectl" / "flytectl_surface.json"
PROJECT, DOMAIN = f"cmp-{uuid.uuid4().hex[:6]}", "development"
PLACE = ["-p", PROJECT, "-d", DOMAIN]
VERBS = ["get", "create", "update", "delete", "register", "compile"]
# What flytectl has and `sandbox` has not, as docs/guide/flyte.md says.
LEFT_OUT = {("register", "examples")}

WORKFLOWS = '''
import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Optional, Union

from flytekit import ContainerTask, CronSchedule, FixedRate, LaunchPlan, Labels, task, workflow
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile
from flytekit.types.schema import FlyteSchema
from flytekit.types.structured import StructuredDataset


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


@dataclass
class Point:
    x: int = 1
    y: str = "why"


@task(cache=True, cache_version="7")
def kinds(i: int, f: float, s: str, b: bool, at: datetime, span: timedelta, color: Color, numbers: list[int], table: dict[str, float], nested: list[dict[str, int]],
          point: Point, loose: dict, maybe: Optional[int], either: Union[str, int], file: FlyteFile, folder: FlyteDirectory, frame: StructuredDataset, schema: FlyteSchema) -> int:
    """Takes one of everything.

    :param i: how many there are of it, told at length
    """
    return i


@workflow
def everything(i: int, f: float, s: str, b: bool, at: datetime, span: timedelta, color: Color, numbers: list[int], table: dict[str, float], nested: list[dict[str, int]],
               point: Point, loose: dict, maybe: Optional[int], either: Union[str, int], file: FlyteFile, folder: FlyteDirectory, frame: StructuredDataset, schema: FlyteSchema) -> int:
    return kinds(i=i, f=f, s=s, b=b, at=at, span=span, color=color, numbers=numbers, table=table, nested=nested, point=point, loose=loose, maybe=maybe, either=either,
                 file=file, folder=folder, frame=frame, schema=schema)


kinds_of_input = {"i": int, "f": float, "s": str, "b": bool, "at": datetime, "span": timedelta, "color": Color, "numbers": list[int], "table": dict[str, float],
                  "nested": list[dict[str, int]], "point": Point, "loose": dict, "maybe": Optional[int], "either": Union[str, int], "file": FlyteFile, "folder": FlyteDirectory,
                  "frame": StructuredDataset, "schema": FlyteSchema}
for name, kind in kinds_of_input.items():
    globals()[f"kind_{name}"] = ContainerTask(name=f"kind_{name}", image="IMAGE", command=["true"], inputs={"x": kind})
good = ContainerTask(name="good", image="IMAGE", command=["true"], inputs={"n": int})
bad = ContainerTask(name="bad", image="IMAGE", command=["false"])
slow = ContainerTask(name="slow", image="IMAGE", command=["sleep", "3000"])


@workflow
def inner(n: int = 1):
    good(n=n)


@workflow
def succeeds(n: int = 3, color: Color = Color.GREEN, words: list[str] = ["a", "b"], gone: Optional[str] = None):
    inner(n=n)
    good(n=n)


@workflow
def fails():
    bad()


@workflow
def hangs():
    slow()


plain = LaunchPlan.get_or_create(succeeds, "plans.fixed", fixed_inputs={"n": 5}, labels=Labels({"team": "ctl"}))
daily = LaunchPlan.get_or_create(succeeds, "plans.daily", schedule=CronSchedule(schedule="0 8 * * *"), auto_activate=True)
often = LaunchPlan.get_or_create(inner, "plans.often", schedule=FixedRate(duration=timedelta(hours=2)))
'''
ATTRIBUTES = {
    "task-resource-attribute": {"defaults": {"cpu": "150m", "memory": "120Mi"}, "limits": {"cpu": "2", "memory": "700Mi", "gpu": "1", "ephemeral_storage": "1Gi"}},
    "cluster-resource-attribute": {"attributes": {"projectQuotaCpu": "7"}},
    "execution-queue-attribute": {"tags": ["critical", "other"]},
    "execution-cluster-label": {"value": "here"},
    "plugin-override": {"overrides": [{"task_type": "spark", "plugin_id": ["spark"], "missing_plugin_behavior": 1}]},
    "workflow-execution-config": {"max_parallelism": 5, "security_context": {"run_as": {"k8s_service_account": "demo"}}, "labels": {"values": {"a": "b"}}},
}


def help_section(text, name):
    found = re.search(rf"^{name}:\n((?:[ \t].*\n|\n(?=[ \t]))*)", text, re.M)
    return found.group(1) if found else ""


def read_surface(program):
    """{verb: {resource: {"names": [...], "flags": {name: kind}}}}, from flytectl's help; a verb without resources has one called ""."""
    def help_of(*words):
        done = subprocess.run([program, *words, "--help"], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    def flags_of(text, section):
        found = re.findall(r"^\s+(?:-(\w), |    )--(\S+)(?: (string|strings|int32|int|stringToString))?  +", help_section(text, section), re.M)
        return {name: kind or "bool" for _, name, kind in found if name != "help"}

    surface = {"": {"": {"names": [""], "flags": flags_of(help_of(), "Flags")}}}
    for verb in VERBS:
        resources = re.findall(r"^  (\S+)", help_section(help_of(verb), "Available Commands"), re.M) or [""]
        surface[verb] = {}
        for resource in resources:
            text = help_of(verb, *([resource] if resource else []))
            names = [name.strip() for name in help_section(text, "Aliases").split(",") if name.strip()] or [resource]
            surface[verb][resource] = {"names": list(dict.fromkeys(names)), "flags": flags_of(text, "Flags")}
    return surface


class Both:
    def __init__(self, theirs, sandbox, directory):
        self.theirs, self.ours = str(theirs), sandbox.binary
        self.directory = pathlib.Path(directory)
        self.environment = sandbox.environment(FLYTECTL_CONFIG=str(sandbox.config_file))
        self.console = sandbox.endpoint("console")
        self.compared, self.failed = 0, 0

    def call(self, program, *arguments, answer=""):
        done = subprocess.run([program, *map(str, arguments)], env=self.environment, cwd=self.directory, capture_output=True, timeout=120, check=False, input=answer.encode())
        # Decoded here: Python's text mode would make line ends of carriage returns.
        done.stdout = done.stdout.decode()
        # Without flytectl's log, which is talk of its own.
        done.stderr = "".join(line for line in done.stderr.decode().splitlines(True) if not line.startswith('{"json":'))
        return done

    def must(self, program, *arguments):
        done = self.call(program, *arguments)
        if done.returncode != 0:
            sys.exit(f"{program} {' '.join(map(str, arguments))}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def report(self, what, problem):
        self.compared += 1
        reason = next((reason for pattern, reason in DELIBERATE.items() if re.search(pattern, what)), None)
        if problem and not reason:
            self.failed += 1
        say(f"{'differs' if problem and reason else 'FAILED' if problem else 'ok':7} {what}{f' ({reason})' if problem and reason else ''}{f': {problem}' if problem and not reason else ''}")

    def same(self, *arguments, form="table"):
        """Both say the same, and end as well or as badly."""
        options = [] if form == "table" else ["-o", form]
        theirs, ours = (self.call(program, *arguments, *options) for program in (self.theirs, self.ours))
        self.report(" ".join(map(str, [*arguments, *options])).replace(PROJECT, "PROJECT").replace(str(self.directory) + "/", ""), difference(theirs, ours, form))
        return theirs, ours


def cells(text):
    """A table as rows of cells; lines of one cell are joined. flytectl prints a carriage return of a message as it is, and `sandbox` a space."""
    rows, row = [], None
    for line in re.sub(r"\x1b\[[0-9;]*m", "", text).split("\n"):
        if line.startswith(" -") or not line.strip():
            row = None
        elif line.startswith("|"):
            parts = [part.strip() for part in line.strip().strip("|").split("|")]
            if row is None:
                row = parts
                rows.append(row)
            else:
                row[:] = [f"{a}\n{b}" if b else a for a, b in zip(row, parts)]
        else:
            rows.append([line.strip()])
    return rows


READERS = {"table": cells, "json": json.loads, "yaml": yaml.safe_load}


def first_difference(a, b, where=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted({*a, *b}, key=str):
            if key not in a or key not in b:
                return f"{where}/{key} only in {'flytectl' if key in a else 'sandbox'}: {str((a if key in a else b)[key])[:200]}"
            found = first_difference(a[key], b[key], f"{where}/{key}")
            if found:
                return found
        return ""
    if isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return f"{where}: {len(a)} in flytectl, {len(b)} in sandbox"
        return next(filter(None, (first_difference(x, y, f"{where}/{i}") for i, (x, y) in enumerate(zip(a, b)))), "")
    alike = type(a) is type(b) or {type(a), type(b)} == {int, float}
    return "" if a == b and alike else f"{where}: flytectl {a!r}, sandbox {b!r}"


def difference(theirs, ours, form):
    if (theirs.returncode == 0) != (ours.returncode == 0):
        return f"flytectl ended with {theirs.returncode}: {(theirs.stderr or theirs.stdout)[-300:]!r}, sandbox with {ours.returncode}: {(ours.stderr or ours.stdout)[-300:]!r}"
    if theirs.returncode != 0:
        return "" if not ours.stdout or form == "json" else f"stdout at a failure: {ours.stdout!r}"
    try:
        return first_difference(READERS[form](theirs.stdout), READERS[form](ours.stdout))
    except (ValueError, yaml.YAMLError) as error:
        return f"{error}: flytectl {theirs.stdout[:300]!r}, sandbox {ours.stdout[:300]!r}"


def prepare(b, directory):
    """A project with a package in it, two versions, and executions in every state."""
    python = client_environment("smoke-venv", "flytekit==1.16.31", "pandas", "pyarrow", "pydantic", "joblib", "tabulate")
    source = pathlib.Path(directory) / "source"
    source.mkdir()
    (source / "compared.py").write_text(WORKFLOWS.replace("IMAGE", TASK_IMAGE), encoding="utf-8")
    run(python.parent / "pyflyte", "--pkgs", "compared", "package", "--image", TASK_IMAGE, "--force", "--fast", "--output", "../package.tgz", cwd=source)
    archive = pathlib.Path(directory) / "package.tgz"
    b.must(b.theirs, "create", "project", "--id", PROJECT, "--name", "compared", "--description", "both, side by side", "--labels", "team=ctl")
    b.must(b.ours, "register", "files", archive, "--archive", *PLACE, "--version", "v1")
    b.must(b.theirs, "register", "files", "--archive", archive, *PLACE, "--version", "v2")
    names = {}
    for name in ("succeeds", "fails", "hangs"):
        file = b.directory / f"{name}.yaml"
        file.write_text(f"workflow: compared.{name}\nversion: v1\n", encoding="utf-8")
        names[name] = f"cmp{name}"
        b.must(b.ours, "create", "execution", *PLACE, "--execFile", file, names[name])
    for name in ("cmphangs2", "cmpaborted"):
        b.must(b.ours, "create", "execution", *PLACE, "--execFile", b.directory / "hangs.yaml", name)
    wait(b, names["succeeds"], "SUCCEEDED")
    wait(b, names["fails"], "FAILED")
    wait(b, names["hangs"], "RUNNING")
    b.must(b.theirs, "delete", "execution", "cmpaborted", *PLACE)
    wait(b, "cmpaborted", "ABORTED")
    return archive


def wait(b, name, phase):
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        found = json.loads(b.must(b.ours, "get", "execution", name, *PLACE, "-o", "json"))["closure"]["phase"]
        if found == phase:
            return
        time.sleep(0.5)
    sys.exit(f"'{name}' was {found} after 180 s, not {phase}")


def getting(b):
    for form in READERS:
        b.same("get", "project", PROJECT, form=form)
        b.same("get", "projects", "--filter.fieldSelector", f"project.identifier={PROJECT}", form=form)
        for kind, name in (("task", "compared.kinds"), ("task", "good"), ("workflow", "compared.everything"), ("launchplan", "compared.succeeds"), ("launchplan", "plans.fixed"),
                           ("launchplan", "plans.daily")):
            b.same("get", f"{kind}s", *PLACE, form=form)
            b.same("get", kind, *PLACE, name, form=form)
            b.same("get", kind, *PLACE, name, "--latest", form=form)
            b.same("get", kind, name, "--version", "v1", *PLACE, form=form)
        b.same("get", "launchplan", *PLACE, "--workflow", "compared.succeeds", form=form)
        b.same("get", "launchplan", *PLACE, "--filter.fieldSelector", "state=1", form=form)
        b.same("get", "launchplan", *PLACE, "--filter.fieldSelector", "name=plans.daily,version=v2", form=form)
        for kind in ("task", "workflow", "launchplan", "execution"):
            b.same("get", kind, *PLACE, "--filter.limit", "2", form=form)
            b.same("get", kind, *PLACE, "--filter.limit=2", "--filter.page=2", "--filter.sortBy=created_at", "--filter.asc", form=form)
        b.same("get", "execution", *PLACE, form=form)
        for name in ("cmpsucceeds", "cmpfails", "cmphangs", "cmpaborted"):
            b.same("get", "execution", *PLACE, name, form=form)
        b.same("get", "execution", *PLACE, "--filter.fieldSelector", "execution.phase in (FAILED;ABORTED)", form=form)
        b.same("get", "execution", *PLACE, "--filter.fieldSelector", "phase=SUCCEEDED,execution.duration<2000", form=form)
    for form in ("json", "yaml"):
        for name in ("cmpsucceeds", "cmpfails", "cmphangs", "cmpaborted"):
            b.same("get", "execution", *PLACE, name, "--details", form=form)
        b.same("get", "execution", *PLACE, "cmpsucceeds", "--nodeID", "n0", form=form)
        b.same("get", "execution", *PLACE, "cmpsucceeds", "--details", "--nodeID", "n1", form=form)
    for name in ("cmpsucceeds", "cmpfails"):
        b.same("get", "execution", *PLACE, name, "--details", form="table")
    for form in ("table", "json"):
        for arguments in (["execution", "nosuch"], ["workflow", "nosuch"], ["workflow", "nosuch", "--version", "v1"], ["task", "nosuch", "--latest"], ["launchplan", "nosuch"],
                          ["nosuch"], ["task-resource-attribute"], ["task", "--filter.fieldSelector", "name="], ["launchplan", "--workflow", "w", "--filter.fieldSelector", "name=a"]):
            b.same("get", *arguments, *PLACE, form=form)
        b.same("get", "project", "nosuch", form=form)
        b.same("get", "execution", "--admin.endpoint", "dns:///127.0.0.1:1", "--admin.insecure", *PLACE, form=form)
    for form in ("TABLE", "JSON", "Yaml"):
        theirs, ours = (b.call(program, "get", "project", PROJECT, "-o", form) for program in (b.theirs, b.ours))
        b.report(f"get project -o {form}", difference(theirs, ours, form.lower()))


def flags(b, surface):
    """Each flag that flytectl's help has for a resource is one of `sandbox`, and each name of a resource means the same."""
    ours = {verb: set(re.findall(r"--([\w.-]+)", b.must(b.ours, "help", verb))) for verb in VERBS}
    for verb, resources in surface.items():
        for resource, known in resources.items() if verb else ():
            if (verb, resource) in LEFT_OUT:
                continue
            for flag in known["flags"]:
                b.report(f"flag {verb} {resource} --{flag}", "" if flag in ours[verb] else "unknown to sandbox")


def text_of(done):
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).strip()


def same_change(theirs, ours):
    """Each shows what would change in its own way (flytectl the message, `sandbox` what the file has): here it counts whether something would."""
    if theirs.returncode or ours.returncode:
        return difference(theirs, ours, "table")
    said = [next((what for what in ("following changes are to be applied", "No changes detected") if what in done.stdout), done.stdout) for done in (theirs, ours)]
    return "" if said[0] == said[1] else f"flytectl {said[0]!r}, sandbox {said[1]!r}"


def updating(b):
    """What is said of a change that is not made, and what is there after one that is."""
    def dry(*arguments):
        theirs, ours = (b.call(program, "update", *arguments, "--dryRun") for program in (b.theirs, b.ours))
        b.report(" ".join(map(str, ["update", *arguments, "--dryRun"])).replace(PROJECT, "PROJECT").replace(str(b.directory) + "/", ""), same_change(theirs, ours))

    dry("launchplan", "plans.daily", "--version", "v1", *PLACE, "--activate")
    dry("launchplan", "plans.daily", "--version", "v1", *PLACE, "--deactivate")
    dry("launchplan", "plans.daily", *PLACE, "--activate")
    dry("launchplan", "plans.daily", "--version", "v1", *PLACE, "--activate", "--deactivate")
    dry("launchplan", "nosuch", "--version", "v1", *PLACE, "--activate")
    for kind, name in (("launchplan-meta", "plans.daily"), ("workflow-meta", "compared.succeeds"), ("task-meta", "compared.kinds")):
        dry(kind, name, *PLACE, "--description", "told")
        dry(kind, name, *PLACE, "--archive")
        dry(kind, name, *PLACE, "--activate")
        dry(kind, *PLACE, "--activate")
        dry(kind, name, *PLACE, "--activate", "--archive")
    dry("execution", "cmpsucceeds", *PLACE, "--archive")
    dry("execution", "cmpsucceeds", *PLACE, "--activate")
    dry("execution", "nosuch", *PLACE, "--activate")
    dry("project", "--id", PROJECT, "--description", "another")
    dry("project", "-p", PROJECT, "--archive")
    dry("project", "-p", PROJECT, "--archiveProject")
    dry("project", "-p", PROJECT, "--labels", "a=b,c=d", "--name", "renamed")
    dry("project", "-p", PROJECT)
    dry("project", "-p", PROJECT, "--id", PROJECT)
    dry("project", "--id", "nosuch", "--archive")
    (b.directory / "project.yaml").write_text(f"id: {PROJECT}\nname: from a file\ndescription: told\nlabels:\n  values:\n    x: y\n", encoding="utf-8")
    dry("project", "--file", b.directory / "project.yaml")
    for arguments in (["launchplan", "plans.daily", "--version", "v1", *PLACE, "--activate"], ["project", "-p", PROJECT, "--description", "changed"]):
        theirs = b.call(b.theirs, "update", *arguments, "--force")
        b.report("unchanged: " + " ".join(arguments).replace(PROJECT, "PROJECT"), "" if "No changes" in b.call(b.ours, "update", *arguments, "--force").stdout and theirs.returncode == 0 else "changes it again")


def attributes(b):
    for kind, body in ATTRIBUTES.items():
        for scope, place in (({"project": PROJECT, "domain": DOMAIN}, PLACE), ({"project": PROJECT}, ["-p", PROJECT]),
                             ({"project": PROJECT, "domain": DOMAIN, "workflow": "compared.inner"}, [*PLACE, "compared.inner"])):
            given = b.directory / "given.yaml"
            given.write_text(yaml.safe_dump({**scope, **body}), encoding="utf-8")
            what = f"{kind} {' '.join(scope)}"
            for program in (b.theirs, b.ours):
                b.call(program, "delete", kind, *place)
            b.report(f"update {what} --dryRun", same_change(*(b.call(program, "update", kind, "--attrFile", given, "--dryRun") for program in (b.theirs, b.ours))))
            done = {}
            for name, program in (("flytectl", b.theirs), ("sandbox", b.ours)):
                for other in (b.theirs, b.ours):
                    b.call(program, "delete", kind, *place)
                    said = b.call(program, "update", kind, "--attrFile", given, "--force")
                    found = b.call(other, "get", kind, *place, "-o", "json")
                    wrote = b.directory / f"made-by-{name}.yaml"
                    wrote.unlink(missing_ok=True)
                    b.call(program, "get", kind, *place, "--attrFile", wrote)
                    again = b.call(other, "update", kind, "--attrFile", wrote, "--force")
                    deleted = b.call(program, "delete", kind, "--attrFile", wrote)
                    done[name, other == b.ours] = (text_of(said).splitlines()[-1:], found.stdout and json.loads(found.stdout), wrote.exists() and yaml.safe_load(wrote.read_text()),
                                                   text_of(again), text_of(deleted).rstrip())
            first = next(iter(done.values()))
            b.report(f"update, get --attrFile, delete {what}", next((f"{key}: {first_difference(list(first), list(value))}" for key, value in done.items() if first != value), ""))


# Values for tasks "kind_…", each with one input; and such as do not fit.
VALUES = [("i", "3"), ("i", '"4"'), ("f", "2.5"), ("f", "3"), ("s", "text"), ("s", "two words"), ("s", "7"), ("b", "true"), ("b", '"false"'), ("at", "2024-01-02T03:04:05Z"),
          ("at", '"2024-01-02T03:04:05.250Z"'), ("span", "1h30m"), ("span", '"-2.5s"'), ("color", "green"), ("numbers", "[1, 2]"), ("numbers", "[]"), ("table", "{a: 1.5, b: 2}"),
          ("nested", "[{x: 1}, {}]"), ("point", "{x: 4, y: text}"), ("loose", "{deep: {list: [1, two, null, 2.5]}}"), ("maybe", "null"), ("maybe", "5"), ("either", "text"),
          ("either", "6"), ("file", "s3://my-s3-bucket/a.csv"), ("folder", "s3://my-s3-bucket/folder"), ("frame", "s3://my-s3-bucket/frame"), ("schema", "s3://my-s3-bucket/schema")]
WRONG = [("i", "text"), ("i", "1.5"), ("b", "7"), ("color", "blue"), ("numbers", "3"), ("numbers", "[1, two]"), ("at", "soon"), ("span", "long"), ("table", "[1]"), ("either", "[1]"), ("f", "[2]")]


def launching(b):
    def inputs_of(name, domain):
        with urllib.request.urlopen(f"http://{b.console}/api/v1/data/executions/{PROJECT}/{domain}/{name}", timeout=30) as answer:
            return json.load(answer)["full_inputs"]

    def launch(what, text, options=()):
        given, found = b.directory / "exec.yaml", {}
        domain = options[1] if "--targetDomain" in options else DOMAIN
        given.write_text(text, encoding="utf-8")
        for who, program in (("theirs", b.theirs), ("ours", b.ours)):
            name = f"x{uuid.uuid4().hex[:10]}"
            done = b.call(program, "create", "execution", *PLACE, "--execFile", given, name, *options)
            if done.returncode == 0:
                spec = json.loads(b.must(b.ours, "get", "execution", name, "-p", PROJECT, "-d", domain, "-o", "json"))["spec"]
                found[who] = {"inputs": inputs_of(name, domain), "spec": spec}
                b.call(b.ours, "delete", "execution", name, "-p", PROJECT, "-d", domain)
            else:
                found[who] = {"failed": done.stderr.strip()}
        both = "failed" in found["theirs"] and "failed" in found["ours"]
        b.report(f"create execution: {what}", "" if both else first_difference(found["theirs"], found["ours"]))
        return found

    for kind, value in VALUES + WRONG:
        launch(f"{kind} given {value}", f"task: kind_{kind}\nversion: v1\ninputs:\n  x: {value}\n")
    launch("an input that it has not", "task: kind_i\nversion: v1\ninputs:\n  x: 1\n  y: 1\n")
    launch("an input that is left out", "task: kind_i\nversion: v1\n")
    launch("account and environment", "task: kind_i\nversion: v1\nkubeServiceAcct: demo\nenvs: {LEVEL: debug}\ninputs: {x: 1}\n")
    for options in (["--kubeServiceAcct", "other"], ["--iamRoleARN", "role"], ["--overwriteCache"], ["--clusterPool", "pool"], ["--targetExecutionCluster", "here"],
                    ["--targetDomain", "staging"], ["--version", "v2"]):
        launch(" ".join(options), "workflow: compared.hangs\nversion: v1\n", options)
    launch("overwriteCache in the file", "workflow: compared.hangs\nversion: v1\noverwriteCache: true\n")
    launch("a task", "task: slow\nversion: v1\n")
    for kind, name in (*(("task", f"kind_{kind}") for kind in dict(VALUES)), ("launchplan", "compared.succeeds"), ("launchplan", "plans.fixed"), ("launchplan", "compared.inner")):
        wrote = []
        for who, program in (("theirs", b.theirs), ("ours", b.ours)):
            file = b.directory / f"{who}.yaml"
            file.unlink(missing_ok=True)
            done = b.call(program, "get", kind, name, *PLACE, "--latest", "--execFile", file)
            wrote.append(yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else done.stderr.strip())
            if file.exists():
                for reader in (b.theirs, b.ours):
                    done = b.call(reader, "create", "execution", *PLACE, "--execFile", file, "--dryRun")
                    b.report(f"{'flytectl' if reader == b.theirs else 'sandbox'} reads the file for {kind} {name} of {'flytectl' if who == 'theirs' else 'sandbox'}", done.stderr.strip() if done.returncode else "")
        b.report(f"get {kind} {name} --execFile", first_difference(*wrote))
    for arguments in (["--relaunch", "cmpsucceeds"], ["--recover", "cmpfails"], ["--relaunch", "nosuch"], [], ["--relaunch", "cmpsucceeds", "--dryRun"]):
        theirs, ours = (b.call(program, "create", "execution", *PLACE, *arguments) for program in (b.theirs, b.ours))
        strip = lambda done: re.sub(r'name:"[^"]*"', "", re.sub(r" +", " ", done.stdout))  # noqa: E731
        b.report("create execution " + " ".join(arguments), difference(theirs, ours, "table") if theirs.returncode or ours.returncode else "" if strip(theirs) == strip(ours) else f"{theirs.stdout!r}, {ours.stdout!r}")


def registering(b, archive):
    files = b.directory / "files"
    files.mkdir()
    run("tar", "-xzf", archive, "-C", files)
    plain = b.directory / "plain.tar"
    run("tar", "-cf", plain, "-C", files, ".")
    (b.directory / "empty.tgz").write_bytes(b"")
    (b.directory / "text.tgz").write_bytes(b"no archive at all, but some text\n" * 40)
    (b.directory / "cut.tgz").write_bytes(archive.read_bytes()[:-900])
    (b.directory / "zip.zip").write_bytes(b"PK")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(b.directory)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"

    def rows(done):
        return [[row[0].split("/")[-1], *row[1:]] if len(row) == 3 else row for row in cells(done.stdout)]

    def register(what, *arguments, versions=None):
        theirs, ours = (b.call(program, "register", "files", *PLACE, *arguments, *(["--version", versions[i]] if versions else []))
                        for i, program in enumerate((b.theirs, b.ours)))
        problem = difference(theirs, ours, "table") if theirs.returncode or ours.returncode else first_difference(rows(theirs), rows(ours))
        b.report(f"register {what}", problem)
        return theirs, ours

    def registered(what, kind, name, *versions):
        found = []
        for version in versions:
            found.append(json.loads(b.must(b.ours, "get", kind, name, *PLACE, "--version", version, "-o", "json").replace(f'"{version}"', '"VERSION"')))
            found[-1]["closure"].pop("createdAt", None)
            found[-1]["closure"].pop("updatedAt", None)
            # One version of a launch plan is active: the one that was registered last with --enableSchedule.
            found[-1]["closure"].pop("state", None)
            found[-1]["closure"].get("compiledTask", {}).get("template", {}).get("container", {}).pop("args", None)
        b.report(what, first_difference(*found))

    register("again", archive, "--archive", versions=("v2", "v1"))
    register("a plain tar", plain, "--archive", versions=("t1", "o1"))
    register("each file", *sorted(files.iterdir()), versions=("t2", "o2"))
    register("a pattern", f"{files}/*", versions=("t3", "o3"))
    register("a URL", f"{url}/package.tgz", "--archive", versions=("t4", "o4"))
    register("a URL with a query", f"{url}/package.tgz?raw=true", "--archive", versions=("t5", "o5"))
    register("two archives", archive, plain, "--archive", versions=("t6", "o6"))
    register("a dry run", archive, "--archive", "--dryRun", versions=("t7", "o7"))
    register("with everything", archive, "--archive", "--k8sServiceAccount", "robot", "--assumableIamRole", "role", "--outputLocationPrefix", "s3://my-s3-bucket/elsewhere",
             "--destinationDirectory", "/root", "--enableSchedule", "--force", versions=("t8", "o8"))
    register("with an old flag", archive, "--archive", "--k8ServiceAccount", "robot", "--continueOnError", "--sourceUploadPath", "s3://my-s3-bucket/x", versions=("t9", "o9"))
    for kind, name in (("task", "compared.kinds"), ("task", "good"), ("workflow", "compared.succeeds"), ("launchplan", "plans.daily"), ("launchplan", "plans.fixed")):
        for number in (2, 8):
            registered(f"{kind} {name} as registered, {number}", kind, name, f"t{number}", f"o{number}")
    for what in ("empty.tgz", "text.tgz", "cut.tgz", "zip.zip", "absent.tgz"):
        register(f"{what}", b.directory / what, "--archive", versions=("b", "b"))
    register("a directory", files, versions=("b", "b"))
    register("an archive as a file", archive, versions=("b", "b"))
    register("nothing that fits", f"{files}/*.nothing", versions=("b", "b"))
    register("a URL that is not there", f"{url}/nothing.tgz", "--archive", versions=("b", "b"))
    server.shutdown()
    theirs, ours = (b.call(program, "compile", "--file", archive) for program in (b.theirs, b.ours))
    b.report("compile", difference(theirs, ours, "table") if theirs.returncode or ours.returncode else first_difference(text_of(theirs).splitlines()[-4:], text_of(ours).splitlines()[-4:]))


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def removing(b):
    b.same("delete", "execution", "nosuch", *PLACE)
    b.same("delete", "execution", "cmphangs", *PLACE, "--dryRun")
    for program, name in ((b.theirs, "cmphangs"), (b.ours, "cmphangs2")):
        done = b.call(program, "delete", "executions", name, *PLACE)
        b.report(f"delete executions {name}", done.stderr if done.returncode else "")
    b.same("delete", "execution", *PLACE)
    for number, arguments in enumerate((["--name", "n"], ["--id", "I_D", "--name", "n"], ["--id", PROJECT, "--name", "n"], ["--id", "x", "-p", "x", "--name", "n"])):
        b.same("create", "project", *arguments)
        b.same("create", "projects", "--id", f"{PROJECT}{number}", "--name", "dry", "--dryRun")


# docs/guide/flyte.md, "Where the same command answers differently", tells the same.
DELIBERATE = {
    r"^flag create project --(activate|archive|activateProject|archiveProject|force)$": "flytectl takes them there and ignores them",
    r"^get tasks? (?!.*(-o (json|yaml)|--execFile))": "Go's form of a boolean in a table",
    r"^get workflow .*compared.everything(?! --(latest|version))": "flytectl asks for no order",
    r"^get launchplan (?!.*-o (json|yaml)).*(compared|plans)\.\w+": "paths of flytectl's columns that lead nowhere",
    r"^get execution .*--details$": "the tree",
    r"^get nosuch |^get project nosuch": "flytectl ends well",
    r"^delete execution -p": "flytectl ends well without a name",
    r"^create execution: (point|loose) ": "flytectl reads y, n, on as booleans and makes floats of integers in a struct",
    r"^create execution: either ": "flytectl takes the first variant that text can be made of",
    r"^create execution: --(overwriteCache|targetExecutionCluster)": "flytectl forgets the flag once it has read a file",
    r"^get task kind_(frame|schema) --execFile$": "flytectl has no default for these",
    r"^get task kind_at --execFile$": "the moment of the call",
    r"^register a dry run$": "flytectl looks up the workflow of a plan with a schedule, which a dry run has not registered",
    r"^compile$": "flytectl takes the code of a fast package for a message and fails",
    r"^update, get --attrFile, delete \S+ project$": "flytectl's get wants a domain",
    r"^register (nothing that fits|a directory|an archive as a file|two archives)": "see docs/guide/flyte.md",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flytectl", type=pathlib.Path)
    parser.add_argument("--instance", help="a running instance to use, which is left as it is but for a project")
    parser.add_argument("--controlplane", help="a control plane to run instead of the image's")
    parser.add_argument("--keep", action="store_true", help="leave the sandbox running")
    parser.add_argument("--freeze", action="store_true", help="write what flytectl takes, and compare nothing")
    parser.add_argument("--only", action="append", help="a group of comparisons: getting, updating, attributes, launching, registering, removing; may be repeated")
    options = parser.parse_args()
    program = options.flytectl.resolve() if options.flytectl else build_flytectl()
    if options.freeze:
        SURFACE.write_text(json.dumps(read_surface(program), indent=1) + "\n", encoding="utf-8")
        return
    with tempfile.TemporaryDirectory() as home:
        if options.instance:
            sandbox = Sandbox(options.instance, home)
            sandbox.learn_endpoints()
            failed = compare(program, sandbox, home, options.only)
        else:
            with Conformance(home, options.controlplane, options.keep) as sandbox:
                failed = compare(program, sandbox, home, options.only)
    sys.exit(1 if failed else 0)


def compare(program, sandbox, directory, only):
    b = Both(program, sandbox, directory)
    flags(b, read_surface(program))
    archive = prepare(b, directory)
    for group in (getting, updating, attributes, launching, registering, removing):
        if not only or group.__name__ in only:
            group(b, *([archive] if group is registering else []))
    print(f"{b.compared - b.failed} of {b.compared} as flytectl's, or different on purpose")
    return b.failed


if __name__ == "__main__":
    main()
