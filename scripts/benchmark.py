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

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.sandbox import BINARY, Sandbox  # noqa: E402

CHAIN = 10


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
    from flytekit.configuration import DefaultImages

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
    base = f"http://{instance.endpoint('grpc')}/api/v1/executions/flytesnacks/development"
    first_pod, per_task, cpu = [], [], []
    for _ in range(runs):
        before = cpu_seconds(instance)
        execution = remote.execute(chain, inputs={}, wait=False)
        while True:
            closure = json.load(urllib.request.urlopen(f"{base}/{execution.id.name}"))["closure"]
            if closure["phase"] in ("SUCCEEDED", "FAILED", "ABORTED"):
                break
            time.sleep(0.05)
        if closure["phase"] != "SUCCEEDED":
            sys.exit(f"the chain ended {closure['phase']}: {closure.get('error')}")
        cpu.append((cpu_seconds(instance) - before) / CHAIN)
        per_task.append(float(closure["duration"].rstrip("s")) / CHAIN)
        say(f"chain: {per_task[-1]:.3f} s a task")
        first_pod.append(first_pod_seconds(instance, execution.id.name))
        say(f"first pod: {first_pod[-1]:.2f} s")
    return first_pod, per_task, cpu


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


def image_mib(name):
    size = int(subprocess.run(["docker", "image", "inspect", "-f", "{{.Size}}", name], check=True, capture_output=True, text=True).stdout)
    return size / 2**20


def measure_launcher(runs):
    """Start to end of `--help`, and resident memory at its largest, of children that are measured one by one."""
    times = [timed(subprocess.run, [BINARY, "--help"], check=True, capture_output=True) * 1000 for _ in range(runs * 4)]
    return times


def measure_status(instance, runs):
    """`status` of a running sandbox: start to end, the launcher's own CPU time, and its resident memory at its largest."""
    times, cpu, resident = [], [], []
    for _ in range(runs * 4):
        process = subprocess.Popen([BINARY, "--name", instance.name, "status", "-q"], env=instance.environment())
        began = time.monotonic()
        _, _, usage = os.wait4(process.pid, 0)
        times.append((time.monotonic() - began) * 1000)
        cpu.append((usage.ru_utime + usage.ru_stime) * 1000)
        resident.append(usage.ru_maxrss / 1024)
    return times, cpu, resident


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
        idle = memory_mib(instance)
        first_pod, per_task, task_cpu = measure_executions(instance, runs)
        after = memory_mib(instance)
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
    row("idle memory, PSS of all processes", [idle], "MiB", 0)
    row(f"the same after {runs * CHAIN} task pods", [after], "MiB", 0)
    row("image, unpacked", [image_mib(image)], "MiB", 0)
    row("`sandbox --help`, start to end", launcher, "ms", 1)
    row("`sandbox status` of a running sandbox, start to end", status, "ms", 1)
    row("the launcher's CPU time in it", status_cpu, "ms", 1)
    row("its memory, resident", status_resident, "MB", 1)
    row("size of the launcher", [pathlib.Path(BINARY).stat().st_size / 1024], "KiB", 0)


main()
