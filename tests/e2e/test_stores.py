"""The object store and the database, seen by ordinary clients from outside."""

import botocore.session
import psycopg
from botocore.config import Config

from ahead import runs


def s3_client(sandbox):
    return botocore.session.get_session().create_client(
        "s3", endpoint_url=f"http://{sandbox.endpoint('s3')}", aws_access_key_id="minio", aws_secret_access_key="miniostorage",
        region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))


@runs("basics.pass_value", x=4)
def test_objects_have_flytes_layout(execution, sandbox):
    root = f"metadata/propeller/flytesnacks-development-{execution.id.name}/"
    listing = s3_client(sandbox).list_objects_v2(Bucket="my-s3-bucket", Prefix=root)
    keys = {entry["Key"][len(root):] for entry in listing["Contents"]}
    assert {"start-node/data/0/outputs.pb", "n0/data/inputs.pb", "n0/data/0/outputs.pb", "n1/data/inputs.pb", "n1/data/0/outputs.pb"} <= keys
    inputs = s3_client(sandbox).list_objects_v2(Bucket="my-s3-bucket", Prefix=f"metadata/flytesnacks/development/{execution.id.name}/")
    assert {entry["Key"].rsplit("/", 1)[-1] for entry in inputs["Contents"]} == {"inputs", "user_inputs"}


@runs("basics.doubling", x=6)
def test_psql_finds_the_execution(execution, sandbox):
    host, port = sandbox.endpoint("postgres").split(":")
    with psycopg.connect(host=host, port=int(port), user="postgres", password="postgres", dbname="flyte", connect_timeout=5) as connection:
        row = connection.execute("select phase, project, domain from executions where name = %s", (execution.id.name,)).fetchone()
    assert row == ("SUCCEEDED", "flytesnacks", "development")


@runs("basics.doubling", x=6)
def test_the_console_and_rest_answer_on_the_same_port(execution, sandbox):
    import json
    import urllib.request

    base = f"http://{sandbox.endpoint('grpc')}"
    assert b"<title>" in urllib.request.urlopen(f"{base}/console/", timeout=5).read()
    assert urllib.request.urlopen(f"{base}/", timeout=5).url.endswith("/console/")
    assert urllib.request.urlopen(f"{base}/healthcheck", timeout=5).status == 200
    path = f"flytesnacks/development/{execution.id.name}"
    answer = json.load(urllib.request.urlopen(f"{base}/api/v1/executions/{path}", timeout=5))
    assert answer["closure"]["phase"] == "SUCCEEDED"
    data = json.load(urllib.request.urlopen(f"{base}/api/v1/data/executions/{path}", timeout=5))
    assert data["full_outputs"]["literals"]["o0"]["scalar"]["primitive"]["integer"] == "12"


def test_health_and_reflection(sandbox):
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    with grpc.insecure_channel(sandbox.endpoint("grpc")) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="flyteadmin"), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        database = ProtoReflectionDescriptorDatabase(channel)
        assert "flyteidl.service.AdminService" in database.get_services()
        assert database.FindFileContainingSymbol("flyteidl.service.AdminService").package == "flyteidl.service"
