"""How long a page of each common list takes with a million executions: fills the database, asks the API, prints a Markdown table.

usage: benchmark_lists.py [--instance NAME] [--executions N] [--runs N] [--explain] [--keep]
       benchmark_lists.py --database URL --endpoint HOST:PORT …   for a control plane that runs elsewhere

The instance is one of its own, made for this and deleted afterwards unless --keep is given. The rows are like those that the engine leaves:
50 launch plans of one workflow each, three nodes and one task attempt an execution (for the newest tenth), one in ten executions with tags.
"""

import argparse
import pathlib
import re
import statistics
import sys
import tempfile
import time

import grpc
import psycopg
from flyteidl.admin import common_pb2, node_execution_pb2, task_execution_pb2
from flyteidl.core import identifier_pb2
from flyteidl.service import admin_pb2_grpc

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

PROJECT, DOMAIN = "flytesnacks", "development"
PLANS = 50

# Phases as a busy place has them: nearly all over, a hundred running, and those are the newest.
FILL = [
    """insert into workflows (project, domain, name, version, typed_interface, digest, closure)
       select %(project)s, %(domain)s, 'bench.wf' || i, 'v1', '', '', '' from generate_series(1, %(plans)s) i on conflict do nothing""",
    """insert into launch_plans (project, domain, name, version, workflow_id, spec, expected_inputs, expected_outputs, digest)
       select project, domain, name, version, id, '', '', '', '' from workflows where name like 'bench.wf%%' on conflict do nothing""",
    """insert into named_entities (resource_type, project, domain, name)
       select kind, project, domain, name from workflows, (values (2), (3)) kinds (kind) where name like 'bench.wf%%' on conflict do nothing""",
    """insert into executions (project, domain, name, launch_plan_id, workflow_id, spec, phase, state, principal, error_kind, error_code,
                               created_at, execution_created_at, started_at, ended_at, updated_at, duration {names})
       select %(project)s, %(domain)s, 'b' || substr(md5(i::text), 1, 18), l.id, l.workflow_id, '',
              case when i > %(count)s - 100 then 'RUNNING' when i %% 12 = 0 then 'FAILED' when i %% 97 = 0 then 'ABORTED' else 'SUCCEEDED' end,
              case when i %% 1000 = 0 then 1 else 0 end, 'user' || i %% 20, case when i %% 12 = 0 then 'USER' else '' end,
              case when i %% 12 = 0 then 'USER:ValueError' else '' end, at, at, at + interval '1 s',
              case when i > %(count)s - 100 then null else at + took end, at + took, case when i > %(count)s - 100 then null else took end {values}
       from generate_series(1, %(count)s) i
       cross join lateral (select now() - (%(count)s - i) * interval '30 s' as at, (i %% 600) * interval '0.7 s' as took) times
       join (select *, row_number() over (order by id) as number from launch_plans where name like 'bench.wf%%') l
         on l.number = case when i %% 100000 = 7 then %(plans)s else 1 + i %% (%(plans)s - 1) end
       order by i on conflict do nothing""",
    """insert into execution_tags (execution_id, key, value)
       select id, 'team', 'team' || id %% 20 from executions where id %% 10 = 0 on conflict do nothing""",
    """insert into execution_tags (execution_id, key, value)
       select id, 'eager-exec', 'parent' || id / 5000 from executions where id %% 5000 < 5 on conflict do nothing""",
    """insert into node_executions (execution_id, node_id, spec_node_id, phase, created_at, started_at, ended_at, duration)
       select e.id, node, node, 'SUCCEEDED', e.created_at, e.started_at, e.ended_at, e.duration
       from executions e, (values ('start-node'), ('n0'), ('end-node')) nodes (node)
       where e.id > %(count)s * 9 / 10 order by e.id on conflict do nothing""",
    """insert into task_executions (node_execution_id, execution_id, retry_attempt, project, domain, name, version, phase, created_at,
                                    task_execution_created_at)
       select n.id, n.execution_id, 0, %(project)s, %(domain)s, 'bench.task', 'v1', 'SUCCEEDED', n.created_at, n.created_at
       from node_executions n where n.node_id = 'n0' order by n.id on conflict do nothing""",
    "vacuum analyze",
]


def say(text):
    print(text, file=sys.stderr, flush=True)


def fill(database, count):
    columns = {row[0] for row in database.execute("select column_name from information_schema.columns where table_name = 'executions'")}
    named = "launch_plan_name" in columns
    began = time.monotonic()
    for statement in FILL:
        statement = statement.replace("{names}", ", launch_plan_name, workflow_name" if named else "")
        statement = statement.replace("{values}", ", l.name, l.name" if named else "")
        step = time.monotonic()
        database.execute(statement, {"project": PROJECT, "domain": DOMAIN, "plans": PLANS, "count": count})
        say(f"{statement.split('(')[0].strip()[:40]:40} {time.monotonic() - step:6.1f} s")
    say(f"filled in {time.monotonic() - began:.0f} s")


def executions(filters="", key="created_at", ascending=False, limit=100, token=""):
    sort = common_pb2.Sort(key=key, direction=common_pb2.Sort.ASCENDING if ascending else common_pb2.Sort.DESCENDING) if key else None
    return common_pb2.ResourceListRequest(id=common_pb2.NamedEntityIdentifier(project=PROJECT, domain=DOMAIN), limit=limit, token=token,
                                          filters=filters, sort_by=sort)


def questions(database, count):
    name, id = database.execute("select name, id from executions where id <= %s order by id desc limit 1", (count,)).fetchone()
    day = database.execute("select to_char(max(created_at) - interval '1 day', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') from executions").fetchone()[0]
    parent = database.execute("select value from execution_tags where key = 'eager-exec' order by execution_id desc limit 1").fetchone()[0]
    execution = identifier_pb2.WorkflowExecutionIdentifier(project=PROJECT, domain=DOMAIN, name=name)
    node = identifier_pb2.NodeExecutionIdentifier(node_id="n0", execution_id=execution)
    yield "newest first, the console's and flytectl's first page", "ListExecutions", executions()
    yield "newest first, one (fetch latest)", "ListExecutions", executions(limit=1)
    yield "in the order of insertion (no sort_by)", "ListExecutions", executions(key="")
    yield "page 101 of those (token 10000)", "ListExecutions", executions(token="10000")
    yield "of one workflow that has many", "ListExecutions", executions("eq(workflow.name,bench.wf3)")
    yield "of one workflow that has ten", "ListExecutions", executions(f"eq(workflow.name,bench.wf{PLANS})")
    yield "of one launch plan, failed", "ListExecutions", executions("eq(launch_plan.name,bench.wf3)+eq(phase,FAILED)")
    yield "of a launch plan that is not there", "ListExecutions", executions("eq(launch_plan.name,nosuch)")
    yield "failed", "ListExecutions", executions("eq(phase,FAILED)")
    yield "running", "ListExecutions", executions("eq(phase,RUNNING)")
    yield "unfinished, three phases", "ListExecutions", executions("value_in(phase,UNDEFINED;QUEUED;RUNNING)")
    yield "of the last day, failed or aborted", "ListExecutions", executions(f"gte(created_at,{day})+value_in(phase,FAILED;ABORTED)")
    yield "by a tag that many have", "ListExecutions", executions("eq(execution_tag.key,team)+eq(execution_tag.value,team10)")
    yield "by a tag that nobody has", "ListExecutions", executions("eq(admin_tag.name,nosuch)")
    yield "children of an eager task", "ListExecutions", executions(
        f"value_in(execution_tag.key,eager-exec)+value_in(execution_tag.value,{parent})+value_in(phase,UNDEFINED;QUEUED;RUNNING)")
    yield "name contains three letters", "ListExecutions", executions("contains(execution_name,abc)")
    yield "name contains what none has", "ListExecutions", executions("contains(execution_name,no-such-name)")
    yield "archived", "ListExecutions", executions("eq(state,1)")
    yield "by user", "ListExecutions", executions("eq(user,user7)")
    yield "nodes of one execution", "ListNodeExecutions", node_execution_pb2.NodeExecutionListRequest(workflow_execution_id=execution, limit=100)
    yield "failed nodes of one execution", "ListNodeExecutions", node_execution_pb2.NodeExecutionListRequest(
        workflow_execution_id=execution, limit=100, filters="eq(phase,FAILED)")
    yield "attempts of one node", "ListTaskExecutions", task_execution_pb2.TaskExecutionListRequest(node_execution_id=node, limit=100)
    yield "workflows, by name", "ListNamedEntities", common_pb2.NamedEntityListRequest(
        resource_type=identifier_pb2.WORKFLOW, project=PROJECT, domain=DOMAIN, limit=100,
        sort_by=common_pb2.Sort(key="name", direction=common_pb2.Sort.ASCENDING))


def measure(admin, database, count, runs):
    for what, rpc, request in questions(database, count):
        call = getattr(admin, rpc)
        call(request, timeout=120)
        times = []
        for _ in range(runs):
            began = time.monotonic()
            answer = call(request, timeout=120)
            times.append((time.monotonic() - began) * 1000)
        rows = max(len(getattr(answer, field.name)) for field in answer.DESCRIPTOR.fields if field.is_repeated)
        yield what, rows, statistics.median(times), max(times)


def explain(database):
    """The plans of the slowest statements that Postgres remembers, when it was told to (auto_explain is not loaded by default)."""
    for query, calls, mean in database.execute(
            "select query, calls, mean_exec_time from pg_stat_statements where query like 'select e.id%' order by mean_exec_time desc limit 10"):
        say(f"{mean:8.1f} ms x {calls}: {re.sub(r'select .* from executions e', 'select … from executions e', query)}")


def run(database_url, endpoint, options):
    with psycopg.connect(database_url, autocommit=True) as database, grpc.insecure_channel(endpoint) as channel:
        if database.execute("select count(*) from executions where name like 'b%'").fetchone()[0] < options.executions:
            fill(database, options.executions)
        size = database.execute("select pg_size_pretty(pg_total_relation_size('executions'))").fetchone()[0]
        print(f"| List ({options.executions:,} executions, {size} with indices) | Rows | Median ms | Worst of {options.runs} |\n|---|---|---|---|")
        for what, rows, median, worst in measure(admin_pb2_grpc.AdminServiceStub(channel), database, options.executions, options.runs):
            print(f"| {what} | {rows} | {median:.1f} | {worst:.1f} |", flush=True)
        if options.explain:
            explain(database)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instance", default="benchmark-lists")
    parser.add_argument("--database")
    parser.add_argument("--endpoint")
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--explain", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    if options.database:
        run(options.database, options.endpoint, options)
        return
    from support.sandbox import Sandbox

    with tempfile.TemporaryDirectory() as home:
        instance = Sandbox(options.instance, home)
        instance.run("start", "--ports", "auto", timeout=600)
        try:
            run(f"postgresql://postgres:postgres@{instance.endpoint('postgres')}/flyte", instance.endpoint("grpc"), options)
        finally:
            if not options.keep:
                instance.run("delete", "--volume", check=False)


if __name__ == "__main__":
    main()
