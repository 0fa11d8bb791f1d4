"""The table of docs/performance.md about single calls. Run it through scripts/benchmark-api."""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

import psycopg

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.sandbox import Sandbox  # noqa: E402

RIVAL_PORT = 31999
DATABASE = "postgresql://postgres:postgres@127.0.0.1:5432/flyte"
CALL_DEADLINE = "20s"
CONNECTIONS, CONCURRENCY = 4, 16


def say(text):
    print(text, file=sys.stderr, flush=True)


def register(instance):
    """A workflow whose only node sleeps for no time: its executions cost the engine a round or two each and Kubernetes nothing."""
    import grpc
    from flyteidl.admin import execution_pb2, launch_plan_pb2, workflow_pb2
    from flyteidl.core import identifier_pb2, interface_pb2, literals_pb2, types_pb2
    from flyteidl.service import admin_pb2_grpc

    version = f"v{uuid.uuid4().hex[:12]}"
    scope = {"project": "flytesnacks", "domain": "development", "name": "benchmark.nothing", "version": version}
    workflow = workflow_pb2.WorkflowCreateRequest()
    workflow.id.CopyFrom(identifier_pb2.Identifier(resource_type=identifier_pb2.WORKFLOW, **scope))
    template = workflow.spec.template
    template.id.CopyFrom(workflow.id)
    integer = interface_pb2.Variable(type=types_pb2.LiteralType(simple=types_pb2.INTEGER))
    template.interface.inputs.variables["x"].CopyFrom(integer)
    node = template.nodes.add(id="n0")
    node.metadata.name = "nothing"
    node.gate_node.sleep.duration.FromSeconds(0)
    plan = launch_plan_pb2.LaunchPlanCreateRequest()
    plan.id.CopyFrom(identifier_pb2.Identifier(resource_type=identifier_pb2.LAUNCH_PLAN, **scope))
    plan.spec.workflow_id.CopyFrom(workflow.id)
    plan.spec.default_inputs.parameters["x"].CopyFrom(interface_pb2.Parameter(var=integer, required=True))
    execution = execution_pb2.ExecutionCreateRequest(project="flytesnacks", domain="development")
    execution.spec.launch_plan.CopyFrom(plan.id)
    execution.spec.metadata.SetInParent()
    one = literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=1)))
    execution.inputs.literals["x"].CopyFrom(one)
    with grpc.insecure_channel(instance.endpoint("grpc")) as channel:
        admin = admin_pb2_grpc.AdminServiceStub(channel)
        admin.CreateWorkflow(workflow, timeout=60)
        admin.CreateLaunchPlan(plan, timeout=60)
        name = admin.CreateExecution(execution, timeout=60).id.name
    settle(instance)
    return {"resourceType": "LAUNCH_PLAN", **scope}, name


def write_descriptors(path):
    """AdminService and what it needs, for ghz: grpc-python's reflection does not find methods."""
    from flyteidl.service import admin_pb2
    from google.protobuf import descriptor_pb2

    found = {}

    def visit(file):
        if file.name not in found:
            found[file.name] = None
            for dependency in file.dependencies:
                visit(dependency)
            del found[file.name]  # behind what it depends on
            found[file.name] = file

    visit(admin_pb2.DESCRIPTOR)
    descriptors = descriptor_pb2.FileDescriptorSet()
    for file in found.values():
        file.CopyToProto(descriptors.file.add())
    path.write_bytes(descriptors.SerializeToString())


def ghz(address, call, data, seconds, descriptors):
    command = [os.environ["GHZ"], "--insecure", "--protoset", str(descriptors), "--call", f"flyteidl.service.AdminService.{call}", "-d", json.dumps(data), "--duration", f"{seconds}s",
               "--duration-stop", "wait", "-c", str(CONCURRENCY), "--connections", str(CONNECTIONS), "--timeout", CALL_DEADLINE, "-O", "json", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120)
    if done.returncode != 0:
        sys.exit(f"ghz: {done.stdout}{done.stderr}")
    report = json.loads(done.stdout)
    bad = {code: count for code, count in report["statusCodeDistribution"].items() if code != "OK"}
    if bad:
        sys.exit(f"{call}: {bad} {report.get('errorDistribution')}")
    latency = {point["percentage"]: point["latency"] / 1e6 for point in report["latencyDistribution"]}
    return {"rate": report["rps"], "p50": latency[50], "p99": latency[99]}


def resident_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def process_of(container, name):
    top = subprocess.run(["docker", "top", container, "-eo", "pid,comm"], capture_output=True, text=True, check=True).stdout
    return next(int(line.split()[0]) for line in top.splitlines()[1:] if line.split()[1].startswith(name))


def start_rival(container):
    inspected = subprocess.run(["docker", "inspect", "-f", "{{.State.Pid}}", container], capture_output=True, text=True, check=True)
    command = ["nsenter", "--net", "--target", inspected.stdout.strip(), sys.executable, str(pathlib.Path(__file__).with_name("rival.py")),
               str(RIVAL_PORT), DATABASE]
    rival = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if rival.stdout.readline().strip() != "ready":
        sys.exit("the other server did not start")
    return rival


def measure(options, instance):
    plan, execution = register(instance)
    inspected = subprocess.run(["docker", "inspect", "-f", "{{.NetworkSettings.IPAddress}}", instance.container], capture_output=True, text=True, check=True)
    address = inspected.stdout.strip()
    rival = start_rival(instance.container)
    servers = {"sandbox": (f"{address}:30080", process_of(instance.container, "flyte-controlpl")), "grpc-python": (f"{address}:{RIVAL_PORT}", rival.pid)}
    descriptors = instance.home / "admin.protoset"
    write_descriptors(descriptors)
    identifier = {"project": "flytesnacks", "domain": "development", "name": execution}
    results = {}
    try:
        for turn in range(options.rounds):
            for server, (target, pid) in servers.items():
                run = uuid.uuid4().hex[:8]
                create = {"project": "flytesnacks", "domain": "development", "name": f"b{run}-{{{{.RequestNumber}}}}",
                          "spec": {"launchPlan": plan, "metadata": {}},
                          "inputs": {"literals": {"x": {"scalar": {"primitive": {"integer": 1}}}}}}
                for call, data in (("GetExecution", {"id": identifier}), ("CreateExecution", create)):
                    if turn == 0:  # connections, prepared statements, clients of the object store
                        ghz(target, call, {**data, **({"name": f"w{run}-{{{{.RequestNumber}}}}"} if "name" in data else {})}, 3, descriptors)
                    figures = ghz(target, call, data, options.seconds, descriptors)
                    figures["memory"] = resident_mib(pid)
                    results.setdefault((call, server), []).append(figures)
                    say(f"{turn + 1}/{options.rounds} {call} {server}: " + " ".join(f"{key} {value:.1f}" for key, value in figures.items()))
                # What the engine has to do for the executions made just now is not to count against the other.
                settle(instance)
    finally:
        rival.stdin.close()
        rival.wait(timeout=30)
    return results


def settle(instance):
    deadline = time.monotonic() + 300
    query = ("select count(*) from executions e join launch_plans p on p.id = e.launch_plan_id where p.name = 'benchmark.nothing' "
             "and e.phase not in ('SUCCEEDED', 'FAILED', 'ABORTED', 'TIMED_OUT')")
    with psycopg.connect(f"postgresql://postgres:postgres@{instance.endpoint('postgres')}/flyte", autocommit=True) as connection:
        while left := connection.execute(query).fetchone()[0]:
            if time.monotonic() > deadline:
                sys.exit(f"{left} executions are still unfinished after 300 s")
            time.sleep(1)


def print_table(results):
    print("| Call | Server | calls/s | p50 | p99 | resident memory |\n|---|---|---|---|---|---|")
    for call in ("GetExecution", "CreateExecution"):
        medians = {server: {key: statistics.median(run[key] for run in results[call, server]) for key in ("rate", "p50", "p99", "memory")}
                   for server in ("sandbox", "grpc-python")}
        for server, m in medians.items():
            print(f"| {call} | {server} | {m['rate']:,.0f} | {m['p50']:.1f} ms | {m['p99']:.1f} ms | {m['memory']:.0f} MiB |")
        ours, theirs = medians["sandbox"], medians["grpc-python"]
        print(f"| {call} | ratio | {ours['rate'] / theirs['rate']:.1f} × | {ours['p50'] / theirs['p50']:.2f} × | {ours['p99'] / theirs['p99']:.2f} × "
              f"| {ours['memory'] / theirs['memory']:.2f} × |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--instance", help="use this running instance, and leave it running")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        instance = Sandbox(options.instance or "benchmark", home)
        if not options.instance:
            instance.run("delete", "--volume", check=False)
            instance.run("start", "--ports", "auto", timeout=600)
        results = measure(options, instance)
        if not options.instance:
            instance.run("delete", "--volume")
    print_table(results)


if __name__ == "__main__":
    main()
