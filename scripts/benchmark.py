"""The figures of docs/performance.md, as medians, in a Markdown table on stdout. Run it through scripts/benchmark."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid

import grpc
from flyteidl.admin import execution_pb2, launch_plan_pb2, task_pb2, workflow_pb2
from flyteidl.core import identifier_pb2, interface_pb2, literals_pb2, tasks_pb2, types_pb2
from flyteidl.core import workflow_pb2 as core
from flyteidl.service.admin_pb2_grpc import AdminServiceStub
from flytekit.configuration import DefaultImages

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.sandbox import BINARY, Sandbox  # noqa: E402

CHAIN = 10
MAP = 100


def say(text):
    print(text, file=sys.stderr, flush=True)


def timed(function, *arguments, **options):
    began = time.monotonic()
    function(*arguments, **options)
    return time.monotonic() - began


def cpu_seconds(instance):
    """Of everything in the container since it started; unlike a time, it is hardly another on a busy machine."""
    read = "cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null || awk '/^usage_usec/ {print $2 * 1000}' /sys/fs/cgroup/cpu.stat"
    return float(instance.run("exec", "--", "sh", "-c", read).stdout) / 1e9


def measure_start(instance, runs):
    fresh, again, cpu = [], [], []
    for _ in range(runs):
        instance.run("delete", "--volume", check=False)
        fresh.append(timed(instance.run, "start", "--ports", "auto"))
        instance.run("stop")
        again.append(timed(instance.run, "start"))
        cpu.append(cpu_seconds(instance))
        say(f"start: fresh {fresh[-1]:.2f} s, again {again[-1]:.2f} s")
    return fresh, again, cpu


def chain_workflow():
    """Ten container tasks that run `true`, one after the other."""
    from flytekit import ContainerTask, Workflow

    workflow = Workflow(name="benchmark.chain")
    task = ContainerTask(name="benchmark.true", image=DefaultImages.default_image(), command=["true"])
    previous = None
    for _ in range(CHAIN):
        node = workflow.add_entity(task)
        if previous is not None:
            previous.runs_before(node)
        previous = node
    return workflow


def measure_executions(instance, runs):
    from flytekit.configuration import Config
    from flytekit.remote import FlyteRemote

    remote = FlyteRemote(Config.auto(str(instance.config_file)), "flytesnacks", "development")
    version = uuid.uuid4().hex
    chain = remote.register_workflow(chain_workflow(), version=version)
    first_pod, per_task, cpu = [], [], []
    for _ in range(runs):
        before = cpu_seconds(instance)
        execution = remote.execute(chain, inputs={}, wait=False)
        per_task.append(wait_for(instance, execution.id.name) / CHAIN)
        cpu.append((cpu_seconds(instance) - before) / CHAIN)
        say(f"chain: {per_task[-1]:.3f} s a task")
        first_pod.append(first_pod_seconds(instance, execution.id.name))
        say(f"first pod: {first_pod[-1]:.2f} s")
    return first_pod, per_task, cpu


def map_plan(client):
    """A map over a list of integers whose elements are container tasks that run `true`, by the messages themselves: flytekit maps Python
    functions only, and their interpreter would be what is measured. Registers it; the launch plan's id."""
    version, integer = uuid.uuid4().hex, types_pb2.LiteralType(simple=types_pb2.INTEGER)
    inputs = interface_pb2.VariableMap(variables={"x": interface_pb2.Variable(type=types_pb2.LiteralType(collection_type=integer))})
    interface = interface_pb2.TypedInterface(inputs=inputs)

    def identifier(kind):
        return identifier_pb2.Identifier(resource_type=kind, project="flytesnacks", domain="development", name="benchmark.map", version=version)

    task, workflow, plan = identifier(identifier_pb2.TASK), identifier(identifier_pb2.WORKFLOW), identifier(identifier_pb2.LAUNCH_PLAN)
    template = tasks_pb2.TaskTemplate(type="container", interface=interface, metadata=tasks_pb2.TaskMetadata(),
                                      container=tasks_pb2.Container(image=DefaultImages.default_image(), command=["true"]))
    client.CreateTask(task_pb2.TaskCreateRequest(id=task, spec=task_pb2.TaskSpec(template=template)))
    element = core.Node(id="element", metadata=core.NodeMetadata(name="true"), task_node=core.TaskNode(reference_id=task))
    binding = literals_pb2.Binding(var="x", binding=literals_pb2.BindingData(promise=types_pb2.OutputReference(node_id="", var="x")))
    node = core.Node(id="n0", metadata=core.NodeMetadata(name="map"), inputs=[binding],
                     array_node=core.ArrayNode(node=element, parallelism=0, min_success_ratio=1.0))
    client.CreateWorkflow(workflow_pb2.WorkflowCreateRequest(id=workflow, spec=workflow_pb2.WorkflowSpec(template=core.WorkflowTemplate(
        id=workflow, metadata=core.WorkflowMetadata(), metadata_defaults=core.WorkflowMetadataDefaults(), interface=interface, nodes=[node]))))
    parameters = {"x": interface_pb2.Parameter(var=inputs.variables["x"], required=True)}
    client.CreateLaunchPlan(launch_plan_pb2.LaunchPlanCreateRequest(id=plan, spec=launch_plan_pb2.LaunchPlanSpec(
        workflow_id=workflow, default_inputs=interface_pb2.ParameterMap(parameters=parameters))))
    return plan


def measure_map(instance, runs):
    """A map of MAP real pods, at once as far as the node lets them: seconds for the whole, and the processor's for each element."""
    channel = grpc.insecure_channel(instance.endpoint("grpc"))
    client = AdminServiceStub(channel)
    plan = map_plan(client)
    numbers = [literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=i))) for i in range(MAP)]
    inputs = literals_pb2.LiteralMap(literals={"x": literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=numbers))})
    spec = execution_pb2.ExecutionSpec(launch_plan=plan, metadata=execution_pb2.ExecutionMetadata())
    whole, cpu = [], []
    for _ in range(runs):
        before = cpu_seconds(instance)
        name = client.CreateExecution(execution_pb2.ExecutionCreateRequest(
            project="flytesnacks", domain="development", spec=spec, inputs=inputs)).id.name
        whole.append(wait_for(instance, name))
        cpu.append((cpu_seconds(instance) - before) / MAP)
        say(f"map of {MAP}: {whole[-1]:.2f} s")
    return whole, cpu


def wait_for(instance, name):
    """The execution's duration by its own closure, in seconds; exits unless it succeeds."""
    url = f"http://{instance.endpoint('grpc')}/api/v1/executions/flytesnacks/development/{name}"
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        closure = json.load(urllib.request.urlopen(url, timeout=30))["closure"]
        if closure["phase"] == "SUCCEEDED":
            return float(closure["duration"].rstrip("s"))
        if closure["phase"] in ("FAILED", "ABORTED", "TIMED_OUT"):
            sys.exit(f"the execution {name} ended {closure['phase']}: {closure.get('error')}")
        time.sleep(0.05)
    sys.exit(f"the execution {name} did not end within 10 minutes")


def first_pod_seconds(instance, name):
    """From the execution's row to the start of its first container: the container runtime creates the log file then, and
    `true` writes nothing into it. Kubernetes' own
    times are whole seconds."""
    query = f"select extract(epoch from created_at) from executions where name = '{name}'"
    created = instance.run("exec", "--", "psql", "postgresql://postgres:postgres@127.0.0.1/flyte", "-Atc", query).stdout
    started = instance.run("exec", "--", "find", "/var/lib/sandbox/log/pods", "-path", f"*_{name}-n0-0_*", "-name", "0.log",
                           "-printf", "%T@\n").stdout
    return float(started) - float(created)


def memory_mib(instance):
    """PSS of every process in the container, from /proc/*/smaps_rollup."""
    rollups = instance.run("exec", "--", "sh", "-c", "cat /proc/[0-9]*/smaps_rollup 2>/dev/null; true").stdout
    return sum(int(line.split()[1]) for line in rollups.splitlines() if line.startswith("Pss:")) / 1024


def idle_percent(instance, seconds=60):
    """Of one core, by everything in the container while nothing runs."""
    before = cpu_seconds(instance)
    time.sleep(seconds)
    return (cpu_seconds(instance) - before) / seconds * 100


def image_mib(name):
    size = int(subprocess.run(["docker", "image", "inspect", "-f", "{{.Size}}", name], check=True, capture_output=True, text=True).stdout)
    return size / 2**20


def measure_launcher(runs):
    """Start to end of `--help`, and resident memory at its largest, of children that are measured one by one."""
    times = [timed(subprocess.run, [BINARY, "--help"], check=True, capture_output=True) * 1000 for _ in range(runs * 4)]
    return times


def measure_status(instance, runs):
    """`status` of a running sandbox: start to end, the launcher's own CPU time, and its resident memory at its largest, in MiB.
    By time(1), whose child starts small: of a child of this process the kernel would report what this process occupies."""
    times, cpu, resident = [], [], []
    for _ in range(runs * 4):
        command = ["/usr/bin/time", "-f", "%e %U %S %M", BINARY, "--name", instance.name, "status", "-q"]
        began = time.monotonic()
        ended = subprocess.run(command, env=instance.environment(), check=True, capture_output=True, text=True)
        times.append((time.monotonic() - began) * 1000)
        _, user, system, kib = ended.stderr.splitlines()[-1].split()
        cpu.append((float(user) + float(system)) * 1000)
        resident.append(int(kib) / 1024)
    return times, cpu, resident


def stripped_kib(binary):
    """As packages ship it: without its debugging information."""
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "-o", stripped.name, binary], check=True)
        return os.stat(stripped.name).st_size / 1024


def row(name, values, unit, digits=2):
    values = sorted(values)
    print(f"| {name} | {statistics.median(values):.{digits}f} {unit} | {values[0]:.{digits}f}–{values[-1]:.{digits}f} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", "--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as home:
        instance = Sandbox("benchmark", home)
        fresh, again, start_cpu = measure_start(instance, runs)
        os.environ.update(instance.learn_endpoints())
        idle, idle_cpu = memory_mib(instance), idle_percent(instance)
        first_pod, per_task, task_cpu = measure_executions(instance, runs)
        after = memory_mib(instance)
        whole_map, map_cpu = measure_map(instance, runs)
        image = instance.status()["image"]
        status, status_cpu, status_resident = measure_status(instance, runs)
        instance.run("delete", "--volume")
    launcher = measure_launcher(runs)
    print("| What | Median | Range |\n|---|---|---|")
    row("`start` from a present image with an empty volume to ready", fresh, "s")
    row("`stop`, then `start` to ready (the start)", again, "s")
    row("– CPU of everything until then", start_cpu, "s")
    row("first task pod: CreateExecution to its container's start", first_pod, "s")
    row(f"a task in a chain of {CHAIN} container tasks that run `true`", per_task, "s")
    row("– CPU of everything for each, Kubernetes and container runtime included", task_cpu, "s")
    row(f"a map of {MAP} container tasks that run `true`, real pods", whole_map, "s")
    row("– CPU of everything for each element", map_cpu, "s")
    row("idle memory, PSS of all processes", [idle], "MiB", 0)
    row(f"the same after {runs * CHAIN} task pods", [after], "MiB", 0)
    row("idle CPU, of one core", [idle_cpu], "%", 1)
    row("image, unpacked", [image_mib(image)], "MiB", 0)
    row("`sandbox --help`, start to end", launcher, "ms", 1)
    row("`sandbox status` of a running sandbox, start to end", status, "ms", 1)
    row("– the launcher's CPU time in it", status_cpu, "ms", 0)
    row("– its memory, resident", status_resident, "MiB", 1)
    row("size of the launcher, stripped", [stripped_kib(BINARY)], "KiB", 0)


main()
