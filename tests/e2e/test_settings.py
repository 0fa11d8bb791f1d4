"""Settings of the platform and of its projects: what an administrator sets, over gRPC and REST, and what it does to tasks."""

import json
import urllib.error
import urllib.parse
import urllib.request

import grpc
import pytest
from flyteidl.admin import matchable_resource_pb2, project_attributes_pb2, project_domain_attributes_pb2, workflow_attributes_pb2
from flyteidl.service import admin_pb2_grpc
from google.protobuf import json_format

PROJECT, DOMAIN = "flytesnacks", "development"


@pytest.fixture(scope="module")
def admin(sandbox):
    with grpc.insecure_channel(sandbox.endpoint("grpc")) as channel:
        yield admin_pb2_grpc.AdminServiceStub(channel)


@pytest.fixture
def rest(sandbox):
    """One REST call: method, path below /api/v1, body or query; the answer's JSON."""

    def call(method, path, body=None, **query):
        url = f"http://{sandbox.endpoint('grpc')}/api/v1/{path}" + ("?" + urllib.parse.urlencode(query) if query else "")
        request = urllib.request.Request(url, method=method, data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    return call


LEVELS = {
    "project": ("project_attributes", {"project": PROJECT}),
    "domain": ("project_domain_attributes", {"project": PROJECT, "domain": DOMAIN}),
    "workflow": ("workflow_attributes", {"project": PROJECT, "domain": DOMAIN, "workflow": "settings.rest"}),
}


@pytest.mark.parametrize("level", LEVELS)
def test_attributes_over_rest(rest, admin, level):
    collection, place = LEVELS[level]
    path = "/".join([collection, *place.values()])
    label = {"execution_cluster_label": {"value": f"of the {level}"}}
    rest("PUT", path, {"attributes": {**place, "matching_attributes": label}})
    try:
        found = rest("GET", path, resource_type="EXECUTION_CLUSTER_LABEL")
        assert found["attributes"]["matching_attributes"]["execution_cluster_label"] == {"value": f"of the {level}"}
        listed = rest("GET", "matchable_attributes", resource_type="EXECUTION_CLUSTER_LABEL")["configurations"]
        assert [c["attributes"]["execution_cluster_label"]["value"] for c in listed] == [f"of the {level}"]
        # the same over gRPC
        over_grpc = admin.ListMatchableAttributes(matchable_resource_pb2.ListMatchableAttributesRequest(resource_type="EXECUTION_CLUSTER_LABEL"), timeout=10)
        assert [c.attributes.execution_cluster_label.value for c in over_grpc.configurations] == [f"of the {level}"]
    finally:
        rest("DELETE", path, {**place, "resource_type": "EXECUTION_CLUSTER_LABEL"})
    if level != "project":
        with pytest.raises(urllib.error.HTTPError) as raised:
            rest("GET", path, resource_type="EXECUTION_CLUSTER_LABEL")
        assert raised.value.code == 404


def test_a_project_shows_its_effective_execution_config(rest):
    found = rest("GET", f"project_attributes/{PROJECT}", resource_type="WORKFLOW_EXECUTION_CONFIG")
    assert found["attributes"]["matching_attributes"]["workflow_execution_config"]["max_parallelism"] == 25
