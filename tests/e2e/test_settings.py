"""Settings of the platform and of its projects: what an administrator sets, over gRPC and REST, and what it does to tasks."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import grpc
import pytest
from flyteidl.admin import (execution_pb2, matchable_resource_pb2, node_execution_pb2, project_attributes_pb2, project_domain_attributes_pb2,
                            project_pb2, task_execution_pb2, task_pb2)
from flyteidl.core import identifier_pb2, tasks_pb2
from flyteidl.core.execution_pb2 import TaskExecution, WorkflowExecution
from flyteidl.service import admin_pb2_grpc
from google.protobuf import json_format

from ahead import alone

PROJECT, DOMAIN = "flytesnacks", "development"
Phase, TaskPhase = WorkflowExecution, TaskExecution


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
        with urllib.request.urlopen(request, timeout=60) as response:
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
        over_grpc = admin.ListMatchableAttributes(matchable_resource_pb2.ListMatchableAttributesRequest(resource_type="EXECUTION_CLUSTER_LABEL"), timeout=60)
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


# ---- What they do to tasks ----

MEMORY_REFUSAL = ("Requested MEMORY limit [4Gi] is greater than current limit set in the platform configuration [1Gi]. Please contact Flyte Admins "
                  "to change these limits or consult the configuration")


def task_request(image, memory=None, allocates=0, domain=DOMAIN):
    """A task that takes so many MiB, with a memory request and limit of `memory`."""
    id = identifier_pb2.Identifier(resource_type=identifier_pb2.TASK, project=PROJECT, domain=domain, name="settings.memory", version=uuid.uuid4().hex)
    template = tasks_pb2.TaskTemplate(type="container", metadata=tasks_pb2.TaskMetadata(runtime=tasks_pb2.RuntimeMetadata(version="1")))
    template.interface.SetInParent()
    template.container.image = image
    template.container.command.extend(["python", "-c", f"print(len(bytearray({allocates} * 2**20)))"])
    for entries in [template.container.resources.requests, template.container.resources.limits] if memory else []:
        entries.add(name=tasks_pb2.Resources.MEMORY, value=memory)
    return task_pb2.TaskCreateRequest(id=id, spec=task_pb2.TaskSpec(template=template))


def start(admin, request):
    admin.CreateTask(request, timeout=60)
    spec = execution_pb2.ExecutionSpec(launch_plan=request.id)
    return admin.CreateExecution(execution_pb2.ExecutionCreateRequest(project=PROJECT, domain=request.id.domain, spec=spec), timeout=60).id


def until(check, seconds=180):
    """What `check` returns, once it returns something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.5)
    pytest.fail(f"{check.__name__}: nothing after {seconds} s")


def finish_of(admin, id):
    def finished():
        execution = admin.GetExecution(execution_pb2.WorkflowExecutionGetRequest(id=id), timeout=60)
        return execution if execution.closure.phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.ABORTED) else None

    return until(finished)


def set_attributes(admin, domain=DOMAIN, **attributes):
    request = project_domain_attributes_pb2.ProjectDomainAttributesUpdateRequest()
    json_format.ParseDict({"project": PROJECT, "domain": domain, "matching_attributes": attributes}, request.attributes)
    admin.UpdateProjectDomainAttributes(request, timeout=60)


def delete_attributes(admin, type, domain=DOMAIN):
    admin.DeleteProjectDomainAttributes(
        project_domain_attributes_pb2.ProjectDomainAttributesDeleteRequest(project=PROJECT, domain=domain, resource_type=type), timeout=60)


@alone
def test_the_tutorial_of_a_memory_limit(admin, task_image):
    greedy = task_request(task_image, memory="4Gi")
    set_attributes(admin, task_resource_attributes={"limits": {"memory": "1Gi"}})
    try:
        with pytest.raises(grpc.RpcError) as raised:
            admin.CreateTask(greedy, timeout=60)
        assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert raised.value.details() == MEMORY_REFUSAL
        set_attributes(admin, task_resource_attributes={"limits": {"memory": "4Gi"}})
        admin.CreateTask(greedy, timeout=60)

        ids = [start(admin, task_request(task_image, memory=memory, allocates=300)) for memory in ("100Mi", "500Mi")]
        too_small, large_enough = [finish_of(admin, id) for id in ids]
        assert too_small.closure.phase == Phase.FAILED
        assert "OOMKilled" in too_small.closure.error.code + too_small.closure.error.message
        assert large_enough.closure.phase == Phase.SUCCEEDED
    finally:
        delete_attributes(admin, "TASK_RESOURCE")


def primary_container(kubectl, id, namespace=f"{PROJECT}-{DOMAIN}"):
    pods = kubectl("get", "pods", "-n", namespace, "-l", f"execution-id={id.name}", as_json=True)["items"]
    return pods[0], pods[0]["spec"]["containers"][0]


@alone
def test_a_configuration_is_reloaded(sandbox, admin, kubectl, task_image, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("task_resources: {defaults: {memory: 123Mi}, limits: {cpu: 1500m}}\n"
                    "plugins: {k8s: {default-labels: {colour: red}, default-annotations: {note: kept}, default-env-vars: [{SETTING: of the file}]}}\n"
                    "propeller: {literal-offloading-config: {enabled: true, min-size-in-mb-for-offloading: 11, max-size-in-mb-for-offloading: 22}}\n"
                    "flyteadmin: {maxParallelism: 7}\n", encoding="utf-8")
    sandbox.run("reload", "--config", str(file))
    try:
        def is_taken_over():
            config = admin.GetProjectAttributes(project_attributes_pb2.ProjectAttributesGetRequest(
                project=PROJECT, resource_type="WORKFLOW_EXECUTION_CONFIG"), timeout=60)
            return config.attributes.matching_attributes.workflow_execution_config.max_parallelism == 7

        until(is_taken_over, seconds=30)
        id = start(admin, task_request(task_image))
        assert finish_of(admin, id).closure.phase == Phase.SUCCEEDED
        pod, container = primary_container(kubectl, id)
        assert container["resources"]["requests"]["memory"] == "123Mi"
        assert container["resources"]["limits"]["cpu"] == "1500m"
        assert pod["metadata"]["labels"]["colour"] == "red"
        assert pod["metadata"]["annotations"]["note"] == "kept"
        assert {"name": "SETTING", "value": "of the file"} in container["env"]
        assert {"name": "_F_L_MIN_SIZE_MB", "value": "11"} in container["env"]
        assert {"name": "_F_L_MAX_SIZE_MB", "value": "22"} in container["env"]

        # a file with an error is refused with its line, and changes nothing
        file.write_text("flyteadmin:\n  maxParallelism: 8\n  labls: {}\n", encoding="utf-8")
        refused = sandbox.run("reload", "--config", str(file), check=False)
        assert refused.returncode != 0
        assert "config.yaml, line 3: flyteadmin.labls: there is no such setting; did you mean 'labels'?" in refused.stderr
        assert is_taken_over()
    finally:
        sandbox.run("reload", "--config", "--reset")

    def is_back():
        return not is_taken_over()

    until(is_back, seconds=30)


def test_a_new_project_has_its_namespaces(admin, kubectl):
    project = f"e2e-{uuid.uuid4().hex[:8]}"
    admin.RegisterProject(project_pb2.ProjectRegisterRequest(project=project_pb2.Project(id=project, name=project)), timeout=60)
    for domain in ("development", "staging", "production"):
        kubectl("wait", "--for=create", f"namespace/{project}-{domain}", "--timeout=30s")
    labels = kubectl("get", "namespace", f"{project}-staging", as_json=True)["metadata"]["labels"]
    assert labels["flyte.org/cluster-resource"] == "namespace"
    # archived projects take no more
    admin.UpdateProject(project_pb2.Project(id=project, state=project_pb2.Project.ARCHIVED), timeout=60)
    with pytest.raises(grpc.RpcError) as raised:
        set_attributes_of(admin, project)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert raised.value.details() == f"project [{project}] is not active"


def set_attributes_of(admin, project):
    request = project_domain_attributes_pb2.ProjectDomainAttributesUpdateRequest()
    json_format.ParseDict({"project": project, "domain": DOMAIN, "matching_attributes": {}}, request.attributes)
    admin.UpdateProjectDomainAttributes(request, timeout=60)


def test_a_quota_is_waited_for(admin, apply, kubectl, task_image):
    namespace = f"{PROJECT}-staging"
    set_attributes(admin, domain="staging", cluster_resource_attributes={"attributes": {"projectQuotaMemory": "350Mi"}})
    try:
        kubectl("wait", "-n", namespace, "--for=create", "resourcequota/project-quota", "--timeout=30s")
        kubectl("wait", "-n", namespace, "resourcequota/project-quota", "--for=jsonpath={.status.hard.limits\\.memory}=350Mi", "--timeout=30s")
        # Somebody else has a part of it: a pod that no node will ever run.
        container = {"name": "c", "image": "none", "resources": {"limits": {"memory": "100Mi"}}}
        apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "e2e-other", "namespace": namespace},
               "spec": {"nodeSelector": {"e2e": "nowhere"}, "containers": [container]}})
        id = start(admin, task_request(task_image, memory="300Mi", domain="staging"))
        too_large = start(admin, task_request(task_image, memory="400Mi", domain="staging"))

        def waits():
            node = node_execution_pb2.NodeExecutionListRequest(workflow_execution_id=id, limit=10)
            for n in admin.ListNodeExecutions(node, timeout=60).node_executions:
                attempts = admin.ListTaskExecutions(task_execution_pb2.TaskExecutionListRequest(node_execution_id=n.id, limit=10), timeout=60)
                for attempt in attempts.task_executions:
                    if attempt.closure.phase == TaskPhase.WAITING_FOR_RESOURCES:
                        return attempt
            return None

        attempt = until(waits, seconds=60)
        assert "Exceeded resourcequota" in attempt.closure.reason + str(attempt.closure.reasons)
        # What would not fit alone is not waited for.
        failed = finish_of(admin, too_large)
        assert (failed.closure.phase, failed.closure.error.code) == (Phase.FAILED, "ResourceRequestsExceedLimits")
        set_attributes(admin, domain="staging", cluster_resource_attributes={"attributes": {"projectQuotaMemory": "1Gi"}})
        assert finish_of(admin, id).closure.phase == Phase.SUCCEEDED
    finally:
        delete_attributes(admin, "CLUSTER_RESOURCE", domain="staging")
    kubectl("wait", "-n", namespace, "--for=delete", "resourcequota/project-quota", "--timeout=30s")
