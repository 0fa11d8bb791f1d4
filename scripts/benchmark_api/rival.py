"""What the control plane is compared with: grpcio, psycopg and botocore with the generated flyteidl messages; the same statements on the same
tables, the same two objects for the inputs of an execution.

usage: rival.py PORT DATABASE-URL. CreateExecution goes into a table of its own (made like `executions`), so that nothing runs what it creates."""

import sys
import threading
from concurrent import futures

import botocore.session
import grpc
import psycopg
from flyteidl.admin import execution_pb2
from flyteidl.core import execution_pb2 as core
from flyteidl.service import admin_pb2_grpc

WORKERS = 8
OBJECTS, BUCKET = "http://127.0.0.1:9000", "my-s3-bucket"

GET = """select e.project, e.domain, e.name, (select w.project from workflows w where w.id = e.workflow_id),
 (select w.domain from workflows w where w.id = e.workflow_id), (select w.name from workflows w where w.id = e.workflow_id),
 (select w.version from workflows w where w.id = e.workflow_id), e.spec, e.phase, e.state, e.principal, e.outputs_uri,
 coalesce(e.execution_created_at, e.created_at), e.started_at, e.updated_at, e.duration
 from executions e where e.project = %s and e.domain = %s and e.name = %s"""
PLAN = "select id, workflow_id, spec from launch_plans where project = %s and domain = %s and name = %s and version = %s"
INSERT = """insert into rival_executions (project, domain, name, launch_plan_id, workflow_id, spec, principal, inputs, user_inputs,
 execution_created_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, now()) on conflict (project, domain, name) do nothing returning id"""


class Admin(admin_pb2_grpc.AdminServiceServicer):
    def __init__(self, url):
        self.url = url
        self.local = threading.local()

    def connection(self):
        if not hasattr(self.local, "connection"):
            self.local.connection = psycopg.connect(self.url, prepare_threshold=0, autocommit=True)
            self.local.objects = botocore.session.Session().create_client(
                "s3", region_name="us-east-1", endpoint_url=OBJECTS, aws_access_key_id="minio", aws_secret_access_key="miniostorage")
        return self.local.connection

    def GetExecution(self, request, context):
        key = request.id
        row = self.connection().execute(GET, (key.project, key.domain, key.name), binary=True).fetchone()
        if not row:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such execution")
        execution = execution_pb2.Execution()
        execution.id.project, execution.id.domain, execution.id.name = row[:3]
        execution.spec.ParseFromString(row[7])
        closure = execution.closure
        closure.workflow_id.project, closure.workflow_id.domain, closure.workflow_id.name, closure.workflow_id.version = row[3:7]
        closure.phase = core.WorkflowExecution.Phase.Value(row[8])
        for field, value in ((closure.created_at, row[12]), (closure.started_at, row[13]), (closure.updated_at, row[14])):
            if value:
                field.FromDatetime(value)
        if row[15]:
            closure.duration.FromTimedelta(row[15])
        return execution

    def CreateExecution(self, request, context):
        plan = request.spec.launch_plan
        row = self.connection().execute(PLAN, (plan.project, plan.domain, plan.name, plan.version), binary=True).fetchone()
        if not row:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such launch plan")
        inputs = request.inputs.SerializeToString()
        for kind in ("inputs", "user_inputs"):
            self.local.objects.put_object(Bucket=BUCKET, Key=f"metadata/rival/{request.name}/{kind}", Body=inputs)
        with self.connection().transaction():
            made = self.connection().execute(INSERT, (request.project, request.domain, request.name, row[0], row[1],
                                                      request.spec.SerializeToString(), "user", inputs, inputs)).fetchone()
            if not made:
                context.abort(grpc.StatusCode.ALREADY_EXISTS, "there is one of that name")
        response = execution_pb2.ExecutionCreateResponse()
        response.id.project, response.id.domain, response.id.name = request.project, request.domain, request.name
        return response


def main(port, url):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop table if exists rival_executions")
        connection.execute("create table rival_executions (like executions including all)")
    server = grpc.server(futures.ThreadPoolExecutor(WORKERS))
    admin_pb2_grpc.add_AdminServiceServicer_to_server(Admin(url), server)
    server.add_insecure_port(f"0.0.0.0:{port}")
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(1)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop table if exists rival_executions")


if __name__ == "__main__":
    main(*sys.argv[1:])
