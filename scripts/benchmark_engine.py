"""The engine's figures in docs/performance.md, in a Markdown table on stdout. Run it through scripts/benchmark-engine.

Everything runs on this machine, without containers: Postgres in a temporary directory, the control plane, and
tests/support/pod_double.c, which accepts pods, reports them as ended at once and keeps the objects in memory. What is measured is
therefore what the engine adds to the tasks.
"""

import argparse
import concurrent.futures
import functools
import os
import pathlib
import sys
import tempfile
import time
import uuid

import grpc
from flyteidl.admin import common_pb2, execution_pb2, launch_plan_pb2, task_pb2, workflow_pb2
from flyteidl.core import identifier_pb2, interface_pb2, literals_pb2, tasks_pb2, types_pb2
from flyteidl.core import workflow_pb2 as core
from flyteidl.service.admin_pb2_grpc import AdminServiceStub

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.engine_stack import DOMAIN, FINAL, PROJECT, NotThere, Stack, Takeover, execute, percentile, register_chain  # noqa: E402

BINARIES = ROOT / "out/benchmark/bin"
INTEGER = types_pb2.LiteralType(simple=types_pb2.INTEGER)
DEADLINE_S = 1800


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- Entities ----


def integer(value):
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=value)))


def variables(**types):
    return interface_pb2.VariableMap(variables={k: interface_pb2.Variable(type=t) for k, t in types.items()})


def promise(var, node, output):
    return literals_pb2.Binding(
        var=var, binding=literals_pb2.BindingData(promise=types_pb2.OutputReference(node_id=node, var=output)))


def list_of(element):
    return types_pb2.LiteralType(collection_type=element)


class Entities:
    def __init__(self, admin):
        self.admin = admin
        self.version = uuid.uuid4().hex

    def id(self, kind, name):
        return identifier_pb2.Identifier(resource_type=kind, project=PROJECT, domain=DOMAIN, name=name, version=self.version)

    def task(self, name, input_type, output_type):
        template = tasks_pb2.TaskTemplate(
            type="python-task",
            metadata=tasks_pb2.TaskMetadata(runtime=tasks_pb2.RuntimeMetadata(type=1, version="1.16.31", flavor="python")),
            interface=interface_pb2.TypedInterface(inputs=variables(i=input_type), outputs=variables(o0=output_type)),
            container=tasks_pb2.Container(image="none", args=["--output-prefix", "{{.outputPrefix}}"]))
        template.metadata.generates_deck.value = False
        identifier = self.id(identifier_pb2.TASK, name)
        self.admin.CreateTask(task_pb2.TaskCreateRequest(id=identifier, spec=task_pb2.TaskSpec(template=template)))
        return identifier

    def workflow(self, name, nodes, input_type, output_type, output):
        template = core.WorkflowTemplate(
            metadata=core.WorkflowMetadata(), metadata_defaults=core.WorkflowMetadataDefaults(),
            interface=interface_pb2.TypedInterface(inputs=variables(x=input_type), outputs=variables(o0=output_type)),
            nodes=nodes, outputs=[promise("o0", output, "o0")])
        identifier = self.id(identifier_pb2.WORKFLOW, name)
        template.id.CopyFrom(identifier)
        self.admin.CreateWorkflow(
            workflow_pb2.WorkflowCreateRequest(id=identifier, spec=workflow_pb2.WorkflowSpec(template=template)))
        plan = self.id(identifier_pb2.LAUNCH_PLAN, name)
        expected = interface_pb2.ParameterMap(
            parameters={"x": interface_pb2.Parameter(var=interface_pb2.Variable(type=input_type), required=True)})
        self.admin.CreateLaunchPlan(launch_plan_pb2.LaunchPlanCreateRequest(
            id=plan, spec=launch_plan_pb2.LaunchPlanSpec(workflow_id=identifier, default_inputs=expected)))
        return plan

    @functools.cache
    def chain(self, length):
        task = self.task(f"benchmark.chain{length}.task", INTEGER, INTEGER)
        nodes = [core.Node(id=f"n{k}", metadata=core.NodeMetadata(name="t"), task_node=core.TaskNode(reference_id=task),
                           inputs=[promise("i", f"n{k - 1}", "o0") if k else promise("i", "", "x")]) for k in range(length)]
        return self.workflow(f"benchmark.chain{length}", nodes, INTEGER, INTEGER, f"n{length - 1}")

    @functools.cache
    def map(self, concurrency):
        name = f"benchmark.map{concurrency}"
        task = self.task(f"{name}.task", list_of(INTEGER), list_of(INTEGER))
        inner = core.Node(id="inner", metadata=core.NodeMetadata(name="t"), task_node=core.TaskNode(reference_id=task))
        array = core.ArrayNode(node=inner, parallelism=concurrency, min_success_ratio=1.0)
        node = core.Node(id="n0", metadata=core.NodeMetadata(name="map"), array_node=array, inputs=[promise("i", "", "x")])
        return self.workflow(name, [node], list_of(INTEGER), list_of(INTEGER), "n0")

    def execute(self, plan, value, labels=None):
        return self.admin.CreateExecution(execution_pb2.ExecutionCreateRequest(
            project=PROJECT, domain=DOMAIN,
            spec=execution_pb2.ExecutionSpec(launch_plan=plan, metadata=execution_pb2.ExecutionMetadata(),
                                             labels=common_pb2.Labels(values=labels or {})),
            inputs=literals_pb2.LiteralMap(literals={"x": value}))).id.name


# ---- Scenarios ----


def statements_of(postgres):
    """What the control planes asked of Postgres, without the statements of this script."""
    return int(postgres.query(
        "select coalesce(sum(calls), 0) from pg_stat_statements where query !~* 'pg_stat_statements|finished_for_benchmark'"))


class Bench:
    def __init__(self, stack):
        self.postgres, self.double, self.plane = stack.postgres, stack.double, stack.plane
        self.postgres.query("create extension pg_stat_statements")
        channel = grpc.insecure_channel(f"127.0.0.1:{self.plane.port}")
        grpc.channel_ready_future(channel).result(60)
        self.entities = Entities(AdminServiceStub(channel))
        self.rows = []

    def reset(self):
        self.double.forget()
        self.postgres.query("select pg_stat_statements_reset()")
        self.cpu = self.plane.cpu_seconds()

    def statements(self):
        return statements_of(self.postgres)

    def top(self):
        return self.postgres.query(
            "select calls || ' ' || round(total_exec_time) || 'ms ' || left(regexp_replace(query, '\\s+', ' ', 'g'), 110) "
            "from pg_stat_statements order by total_exec_time desc limit 12")

    def finished(self):
        return int(self.postgres.query(f"select count(*) /* finished_for_benchmark */ from executions where phase in {FINAL}"))

    def wait(self, count):
        deadline = time.monotonic() + DEADLINE_S
        while (finished := self.finished()) < count:
            if time.monotonic() > deadline:
                sys.exit(f"only {finished} of {count} executions have finished")
            time.sleep(0.2)
        bad = self.postgres.query("select phase || ' ' || coalesce(convert_from(error, 'LATIN1'), '') from executions "
                                  f"where phase in {FINAL} and phase <> 'SUCCEEDED' limit 1")
        if bad:
            sys.exit(f"an execution ended badly: {bad}")

    def create(self, plan, count, value):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: self.entities.execute(plan, value), range(count)))

    def row(self, what, value, detail=""):
        say(f"{what}: {value} {detail}")
        self.rows.append(f"| {what} | {value} | {detail} |")

    def latencies(self, what, stats):
        if latencies := stats["latencies_us"]:
            self.row(f"{what}: a pod's end to the next pod's creation",
                     f"p50 {percentile(latencies, .5) / 1000:.1f} ms, p99 {percentile(latencies, .99) / 1000:.1f} ms",
                     f"{len(latencies)} times, at most {max(latencies) / 1000:.1f} ms")

    def chain(self, executions, length):
        plan = self.entities.chain(length)
        done = self.finished()
        self.reset()
        for number in range(executions):
            self.entities.execute(plan, integer(1))
            self.wait(done + number + 1)
        stats = self.double.stats()
        self.latencies(f"chain of {length} tasks, alone", stats)
        self.row(f"chain of {length}: database statements per node",
                 f"{self.statements() / executions / (length + 2):.1f}", "start and end node and creation by the API included")
        say(self.top())

    def map(self, size, concurrency):
        plan = self.entities.map(concurrency)
        done = self.finished()
        self.reset()
        value = literals_pb2.Literal(
            collection=literals_pb2.LiteralCollection(literals=[integer(k) for k in range(size)]))
        began = time.monotonic()
        self.entities.execute(plan, value)
        self.wait(done + 1)
        seconds = time.monotonic() - began
        what = f"map of {size:,}, {concurrency or 'no limit'} at a time"
        stats = self.double.stats()
        self.row(what, f"{seconds:.1f} s", f"{size / seconds:.0f} elements/s, {(self.plane.cpu_seconds() - self.cpu) / size * 1000:.2f} "
                 f"ms of CPU and {self.statements() / size:.1f} statements each")
        self.latencies(what, stats)
        say(self.top())

    def queue(self, count):
        plan = self.entities.chain(1)
        done = self.finished()
        self.reset()
        began = time.monotonic()
        self.create(plan, count, integer(1))
        created = time.monotonic() - began
        self.wait(done + count)
        seconds = time.monotonic() - began
        self.row(f"{count:,} executions of one task, created at once", f"{seconds:.1f} s",
                 f"created in {created:.1f} s; {count / seconds:.0f} executions/s, "
                 f"{(self.plane.cpu_seconds() - self.cpu) / count * 1000:.2f} ms of CPU and "
                 f"{self.statements() / count:.1f} statements each")
        say(self.top())

    def idle(self, count):
        """Executions whose pod runs: nothing happens, everything is remembered."""
        plan = self.entities.chain(1)
        done = self.finished()
        self.double.run_ms(-1)
        before = self.plane.memory()
        self.create(plan, count, integer(1))
        deadline = time.monotonic() + DEADLINE_S
        while int(self.postgres.query("select count(*) from task_executions where phase = 'RUNNING'")) < count:
            if time.monotonic() > deadline:
                sys.exit("the executions do not begin")
            time.sleep(0.2)
        cpu = self.plane.cpu_seconds()
        time.sleep(5)
        self.row(f"memory per idle execution, {count:,} of them", f"{(self.plane.memory() - before) / count / 1024:.1f} KiB",
                 f"PSS of the control plane {self.plane.memory() / 2**20:.0f} MiB, "
                 f"{(self.plane.cpu_seconds() - cpu) / 5 * 100:.1f} % of a CPU")
        self.double.run_ms(0)
        self.wait(done + count)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    scenarios = ["chain", "map", "queue", "idle", "replicas"]
    parser.add_argument("--only", action="append", choices=scenarios, help="only this (repeatable)")
    parser.add_argument("--map", action="append", metavar="SIZE:CONCURRENCY", help="default: 1000:0, 1000:50 and 5000:100")
    parser.add_argument("--executions", type=int, default=10000, help="for queue and idle")
    parser.add_argument("--workers", type=int, default=4, help="of the engine")
    parser.add_argument("--replicas", type=int, default=3, help="of which one is killed, for replicas")
    arguments = parser.parse_args()
    only = arguments.only or scenarios
    os.environ["GRPC_VERBOSITY"] = "ERROR"
    rows = []
    try:
        if set(only) - {"replicas"}:
            rows += alone(only, arguments)
        if "replicas" in only:
            rows += replicas(arguments)
    except (NotThere, AssertionError) as e:
        sys.exit(str(e))
    print("\n".join(["| What | Figure | Detail |", "|---|---|---|", *rows]))


def alone(only, arguments):
    with tempfile.NamedTemporaryFile(suffix=".pb") as outputs:
        outputs.write(literals_pb2.LiteralMap(literals={"o0": integer(1)}).SerializeToString())
        outputs.flush()
        with Stack(BINARIES, arguments.workers, ["shared_preload_libraries=pg_stat_statements"], ["--outputs", outputs.name]) as stack:
            bench = Bench(stack)
            if "chain" in only:
                bench.chain(20, 10)
            if "map" in only:
                for pair in arguments.map or ["1000:0", "1000:50", "5000:100"]:
                    size, _, concurrency = pair.partition(":")
                    bench.map(int(size), int(concurrency))
            if "queue" in only:
                bench.queue(arguments.executions)
            if "idle" in only:
                bench.idle(arguments.executions)
            say(stack.logs())
            return bench.rows


def replicas(arguments):
    rows = []
    for count in dict.fromkeys([1, arguments.replicas]):
        with Stack(BINARIES, arguments.workers, ["shared_preload_libraries=pg_stat_statements"]) as stack:
            rows.append(throughput(stack, count))
    with Stack(BINARIES, arguments.workers) as stack:
        latencies, share = Takeover(stack, arguments.replicas).run(executions=60, length=20, run_ms=20, deadline_s=DEADLINE_S)
        say(stack.logs())
        late = [latency for latency in latencies if latency > 0.5]
        rows.append(f"| one of {arguments.replicas} replicas is killed while 60 chains run, {share} of them its own: until the others "
                    f"go on with those | at most {max(latencies):.2f} s | {len(late)} pods came later than 0.5 s after the one before |")
    return rows


def throughput(stack, count):
    """What further replicas cost and give; on one machine they share its processors with Postgres and the double."""
    for _ in range(count - 1):
        stack.add()
    plan = register_chain(stack.plane, "throughput", 10)
    stack.postgres.query("create extension pg_stat_statements")
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: execute(stack.planes[number % count], plan), range(200)))
    deadline = began + DEADLINE_S
    while int(stack.postgres.query(f"select count(*) /* finished_for_benchmark */ from executions where phase in {FINAL}")) < 200:
        if time.monotonic() > deadline:
            raise AssertionError(stack.logs())
        time.sleep(0.1)
    seconds = time.monotonic() - began
    statements = statements_of(stack.postgres) / 200 / 12
    cpu = sum(plane.cpu_seconds() for plane in stack.planes) / 200 / 10 * 1000
    return (f"| 200 chains of 10 at once, {count} replica{'s' if count > 1 else ''} | {seconds:.1f} s | {2000 / seconds:.0f} tasks/s, "
            f"{statements:.1f} statements per node, {cpu:.2f} ms of CPU per task |")


if __name__ == "__main__":
    main()
