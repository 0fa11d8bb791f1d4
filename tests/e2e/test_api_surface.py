"""Nothing of Flyte's surface is missing without somebody knowing: every RPC and every REST route that flyteidl's descriptors have is called
with an empty request. Whatever it answers, it must not be that it does not exist, unless it stands in the short list below with its reason."""

import itertools
import json
import re
import urllib.error
import urllib.request

import grpc
import pytest
from flyteidl.service import admin_pb2, auth_pb2, dataproxy_pb2, identity_pb2, signal_pb2
from flyteidl.datacatalog import datacatalog_pb2
from google.api import annotations_pb2
from google.protobuf import message_factory

FILES = (admin_pb2, dataproxy_pb2, signal_pb2, identity_pb2, auth_pb2, datacatalog_pb2)
METHODS = [method for file in FILES for service in file.DESCRIPTOR.services_by_name.values() for method in service.methods]

# RPCs that are not served, and why. By full name of service or method.
NOT_SERVED = {
    "flyteidl.service.IdentityService": "upstream registers it only with authentication on; /me answers {}",
    "flyteidl.service.AuthMetadataService": "upstream registers it only with authentication on",
}


def reason(method):
    return NOT_SERVED.get(method.containing_service.full_name) or NOT_SERVED.get(method.full_name)


@pytest.fixture(scope="module")
def channel(sandbox):
    with grpc.insecure_channel(sandbox.endpoint("grpc")) as channel:
        yield channel


@pytest.fixture(scope="module")
def http(sandbox):
    address = sandbox.endpoint("grpc")

    def get(method, path, body=None, **headers):
        request = urllib.request.Request(f"http://{address}{path}", method=method, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    return get


def code_of(channel, method, request=b""):
    call = channel.unary_unary(f"/{method.containing_service.full_name}/{method.name}", request_serializer=bytes, response_deserializer=bytes)
    try:
        call(request, timeout=20)
    except grpc.RpcError as error:
        return error.code(), error.details()
    return grpc.StatusCode.OK, ""


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name.removeprefix("flyteidl."))
def test_rpc_is_served(channel, method):
    code, details = code_of(channel, method)
    if reason(method):
        assert code == grpc.StatusCode.UNIMPLEMENTED, f"it is served now: take it off the list ({reason(method)})"
        return
    assert code != grpc.StatusCode.UNIMPLEMENTED, details
    # What an empty request is told must be about the request, never about us.
    assert code not in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAUTHENTICATED), details


def routes():
    for method in METHODS:
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        if rule.WhichOneof("pattern") and not reason(method):
            for binding in [rule, *rule.additional_bindings]:
                verb = binding.WhichOneof("pattern")
                yield verb, getattr(binding, verb), method


def value_of(method, name):
    """Text that the field of a path variable takes; of no entity that exists."""
    message = method.input_type
    for part in name.split("."):
        field = message.fields_by_name[part]
        message = field.message_type
    if field.type == field.TYPE_ENUM:
        return field.enum_type.values[-1].name
    return "nosuch" if field.type == field.TYPE_STRING else "7"


@pytest.mark.parametrize("verb,path,method", [pytest.param(*route, id=f"{route[0]} {route[1]}") for route in routes()])
def test_route_is_served(http, verb, path, method):
    target = re.sub(r"\{([^}=]+)[^}]*\}", lambda variable: value_of(method, variable[1]), path)
    status, body = http(verb.upper(), target, body=b"{}" if verb in ("post", "put", "delete") else None)
    assert status not in (405, 500, 501), body
    if status == 404:
        assert b"no such path" not in body, body
    # JSON always, of the response's type or an error's
    answer = json.loads(body)
    if status != 200:
        assert answer["message"] and answer["code"] not in (2, 13, 16), answer


def test_binary_routes_answer_in_binary(http):
    """As the console asks."""
    status, body = http("GET", "/api/v1/projects", Accept="application/octet-stream")
    method = next(method for method in METHODS if method.name == "ListProjects")
    projects = message_factory.GetMessageClass(method.output_type).FromString(body)
    assert status == 200 and any(project.id == "flytesnacks" for project in projects.projects)


def test_reflection_knows_the_services(channel):
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    database = ProtoReflectionDescriptorDatabase(channel)
    served = {method.containing_service.full_name for method in METHODS if not reason(method)}
    assert served <= set(database.get_services())


def test_the_openapi_document(http):
    """It is valid, and has every route with every variable of its path."""
    from openapi_spec_validator import OpenAPIV2SpecValidator, validate

    status, body = http("GET", "/api/v1/openapi")
    document = json.loads(body)
    assert status == 200
    validate(document, cls=OpenAPIV2SpecValidator)
    for verb, path, method in itertools.chain(routes()):
        operation = document["paths"][path][verb]
        assert operation["operationId"].startswith(f"{method.containing_service.name}_{method.name}")
        in_path = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
        assert in_path == set(re.findall(r"\{([^}]+)\}", path))
    listing = document["paths"]["/api/v1/executions/{id.project}/{id.domain}"]["get"]["parameters"]
    assert {"limit", "token", "filters", "sort_by.key", "sort_by.direction"} <= {parameter["name"] for parameter in listing}


def test_who_am_i(http):
    assert http("GET", "/me") == (200, b"{}")


def test_health(http, channel):
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    assert http("GET", "/healthcheck")[0] == 200
    for service in ("", "flyteadmin"):
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
