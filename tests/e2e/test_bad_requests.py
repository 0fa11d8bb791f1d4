"""Requests that a client gets wrong: each is refused with the code that says whose fault it is and a text that says what is wrong with
which part. Nothing of it may be UNKNOWN, which makes flytekit start a login, or INTERNAL, which tells a user to look for our fault."""

import datetime
import uuid

import grpc
import pytest
from flyteidl.admin import (common_pb2, description_entity_pb2, event_pb2, execution_pb2, launch_plan_pb2, matchable_resource_pb2,
                            node_execution_pb2, project_attributes_pb2, project_domain_attributes_pb2, project_pb2, task_execution_pb2, task_pb2, workflow_attributes_pb2, workflow_pb2)
from flyteidl.core import identifier_pb2, interface_pb2, literals_pb2, tasks_pb2, types_pb2
from flyteidl.event import event_pb2 as event_messages_pb2
from flyteidl.service import admin_pb2_grpc, dataproxy_pb2, dataproxy_pb2_grpc
from google.protobuf import duration_pb2, json_format

PROJECT, DOMAIN = "flytesnacks", "development"
INVALID, NOT_FOUND, PRECONDITION = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION
EXHAUSTED, UNIMPLEMENTED, EXISTS = grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.ALREADY_EXISTS
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def channel(sandbox):
    with grpc.insecure_channel(sandbox.endpoint("grpc")) as channel:
        yield channel


@pytest.fixture(scope="module")
def admin(channel):
    return admin_pb2_grpc.AdminServiceStub(channel)


def identifier(kind, name="bad.requests.task", version="1", project=PROJECT, domain=DOMAIN):
    return identifier_pb2.Identifier(resource_type=kind, project=project, domain=domain, name=name, version=version)


def integer(value):
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=value)))


def text(value):
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(string_value=value)))


def task_request(image="example.org/task:1", type="container", **id):
    template = tasks_pb2.TaskTemplate(type=type, metadata=tasks_pb2.TaskMetadata(runtime=tasks_pb2.RuntimeMetadata(version="1")))
    template.interface.inputs.variables["x"].type.simple = types_pb2.INTEGER
    template.interface.outputs.SetInParent()
    template.container.image = image
    template.container.command.append("true")
    return task_pb2.TaskCreateRequest(id=identifier(identifier_pb2.TASK, **id), spec=task_pb2.TaskSpec(template=template))


@pytest.fixture(scope="module")
def task(admin):
    """A task x: int -> (), registered for the requests that go wrong after it is found."""
    request = task_request(version=uuid.uuid4().hex)
    admin.CreateTask(request, timeout=10)
    return request


def execution_request(task, name="", project=PROJECT, domain=DOMAIN, **inputs):
    return execution_pb2.ExecutionCreateRequest(project=project, domain=domain, name=name, inputs=literals_pb2.LiteralMap(literals=inputs),
                                                spec=execution_pb2.ExecutionSpec(launch_plan=task.id))


def named(entity, **changes):
    """A copy of a message with other fields."""
    copy = type(entity)()
    copy.CopyFrom(entity)
    for key, value in changes.items():
        setattr(copy, key, value)
    return copy


def workflow_request(task, **changes):
    """One node that runs `task`, which needs x: left unbound unless something else is asked for."""
    template = workflow_pb2.WorkflowSpec().template
    template.id.CopyFrom(identifier(identifier_pb2.WORKFLOW, "bad.requests.workflow"))
    template.interface.SetInParent()
    node = template.nodes.add(id="n0")
    node.task_node.reference_id.CopyFrom(changes.get("reference", task.id))
    if "upstream" in changes:
        node.upstream_node_ids.append(changes["upstream"])
    return workflow_pb2.WorkflowCreateRequest(id=template.id, spec=workflow_pb2.WorkflowSpec(template=template))


def listing(token="", limit=10, filters="", sort=None, project=PROJECT, domain=DOMAIN, name=""):
    return common_pb2.ResourceListRequest(id=common_pb2.NamedEntityIdentifier(project=project, domain=domain, name=name), limit=limit, token=token,
                                          filters=filters, sort_by=common_pb2.Sort(key=sort) if sort else None)


def descriptions(name="no.such", limit=1, filters=""):
    return description_entity_pb2.DescriptionEntityListRequest(
        resource_type=identifier_pb2.TASK, id=common_pb2.NamedEntityIdentifier(project=PROJECT, domain=DOMAIN, name=name), limit=limit, filters=filters)


def entity(request, resource_type=identifier_pb2.TASK, **more):
    return request(resource_type=resource_type, id=common_pb2.NamedEntityIdentifier(project=PROJECT, domain=DOMAIN, name="no.such"), **more)


def execution_id(name, project=PROJECT, domain=DOMAIN):
    return identifier_pb2.WorkflowExecutionIdentifier(project=project, domain=domain, name=name)


def node_id(name, node):
    return identifier_pb2.NodeExecutionIdentifier(node_id=node, execution_id=execution_id(name))


def plan_request(task, schedule):
    spec = launch_plan_pb2.LaunchPlanSpec(workflow_id=identifier(identifier_pb2.WORKFLOW, "no.such"))
    spec.entity_metadata.schedule.cron_schedule.schedule = schedule
    return launch_plan_pb2.LaunchPlanCreateRequest(id=identifier(identifier_pb2.LAUNCH_PLAN), spec=spec)


# What is wrong, the RPC, the request (of a registered task), the code, and what the text has to say.
REFUSED = [
    ("a task without a name", "CreateTask", lambda t: named_id(t, name=""), INVALID, "missing name"),
    ("a task without a version", "CreateTask", lambda t: named_id(t, version=""), INVALID, "missing version"),
    ("a task's id of a workflow", "CreateTask", lambda t: named_id(t, resource_type=identifier_pb2.WORKFLOW), INVALID,
     "unexpected resource type workflow"),
    ("an unknown project", "CreateTask", lambda t: named_id(t, project="nosuch"), INVALID,
     "failed to validate that project [nosuch] and domain [development] are registered"),
    ("an unknown domain", "CreateTask", lambda t: named_id(t, domain="nosuch"), INVALID, "domain [nosuch] is unrecognized by system"),
    ("a version that is no part of a URL", "CreateTask", lambda t: named_id(t, version="v 1/2"), INVALID,
     "version [v 1/2] must be url safe"),
    ("a task without a template", "CreateTask", lambda t: task_pb2.TaskCreateRequest(id=t.id), INVALID, "missing"),
    ("a container without an image", "CreateTask", lambda t: task_request(image="", version="no-image"), INVALID, "missing image"),
    ("another content of a version", "CreateTask", lambda t: task_request(image="example.org/other:2", version=t.id.version), INVALID,
     "task with different structure already exists"),
    ("the same task again", "CreateTask", lambda t: t, EXISTS, "task with identical structure already exists"),
    ("no such task", "GetTask", lambda t: common_pb2.ObjectGetRequest(id=named(t.id, version="none")), NOT_FOUND,
     "missing entity of type TASK with identifier"),
    ("a get without an id", "GetTask", lambda t: common_pb2.ObjectGetRequest(), INVALID, "missing id"),
    ("a workflow without nodes", "CreateWorkflow", lambda t: empty_workflow(t), INVALID, "failed to compile workflow"),
    ("a node's input that is not bound", "CreateWorkflow", lambda t: workflow_request(t), INVALID, "Code: ParameterNotBound, Node Id: n0"),
    ("a workflow of an unknown task", "CreateWorkflow", lambda t: workflow_request(t, reference=named(t.id, version="none")), INVALID,
     "bad.requests.task"),
    ("a node after one that is not there", "CreateWorkflow", lambda t: workflow_request(t, upstream="n9"), INVALID, "n9"),
    ("a launch plan of an unknown workflow", "CreateLaunchPlan", lambda t: plan_request(t, "0 * * * *"), (INVALID, NOT_FOUND), "no.such"),
    ("an execution's name with other letters", "CreateExecution", lambda t: execution_request(t, name="9 lives", x=integer(1)), INVALID,
     "invalid name format: 9 lives"),
    ("an execution's name that is too long", "CreateExecution", lambda t: execution_request(t, name="a" * 64, x=integer(1)), INVALID,
     "size of name exceeded length 63"),
    ("an execution without a spec", "CreateExecution", lambda t: execution_pb2.ExecutionCreateRequest(project=PROJECT, domain=DOMAIN), INVALID,
     "missing spec"),
    ("an execution of a workflow's id", "CreateExecution",
     lambda t: execution_request(task_pb2.TaskCreateRequest(id=named(t.id, resource_type=identifier_pb2.WORKFLOW)), x=integer(1)), INVALID,
     "Invalid reference entity resource type [WORKFLOW]"),
    ("an execution of what is not there", "CreateExecution", lambda t: execution_request(task_request(version="none"), x=integer(1)), NOT_FOUND,
     "missing entity of type TASK"),
    ("an execution in an unknown project", "CreateExecution", lambda t: execution_request(t, project="nosuch", x=integer(1)), INVALID, "nosuch"),
    ("an input that is missing", "CreateExecution", lambda t: execution_request(t), INVALID, "expected_inputs x missing"),
    ("an input of another type", "CreateExecution", lambda t: execution_request(t, x=text("one")), INVALID, "invalid x input wrong type"),
    ("an input that nobody asked for", "CreateExecution", lambda t: execution_request(t, x=integer(1), y=integer(2)), INVALID, "invalid input y"),
    ("an input without a value", "CreateExecution", lambda t: execution_request(t, x=literals_pb2.Literal()), INVALID, "inputs x"),
    ("no such execution", "GetExecution", lambda t: execution_pb2.WorkflowExecutionGetRequest(id=execution_id("nosuch")), NOT_FOUND, "nosuch"),
    ("no such execution's data", "GetExecutionData", lambda t: execution_pb2.WorkflowExecutionGetDataRequest(id=execution_id("nosuch")), NOT_FOUND,
     "nosuch"),
    ("no such execution to end", "TerminateExecution", lambda t: execution_pb2.ExecutionTerminateRequest(id=execution_id("nosuch")), NOT_FOUND,
     "nosuch"),
    ("no such execution to run again", "RelaunchExecution", lambda t: execution_pb2.ExecutionRelaunchRequest(id=execution_id("nosuch")), NOT_FOUND,
     "nosuch"),
    ("no such node", "GetNodeExecution", lambda t: node_execution_pb2.NodeExecutionGetRequest(id=node_id("nosuch", "n0")), NOT_FOUND, "nosuch"),
    ("a node's id without its execution", "GetNodeExecution",
     lambda t: node_execution_pb2.NodeExecutionGetRequest(id=identifier_pb2.NodeExecutionIdentifier(node_id="n0")), INVALID, "missing"),
    ("no such attempt", "GetTaskExecution",
     lambda t: task_execution_pb2.TaskExecutionGetRequest(id=identifier_pb2.TaskExecutionIdentifier(
         task_id=t.id, node_execution_id=node_id("nosuch", "n0"), retry_attempt=7)), NOT_FOUND, "nosuch"),
    ("a list without a limit", "ListTasks", lambda t: listing(limit=0), INVALID, "limit"),
    ("a token of nobody", "ListTasks", lambda t: listing(token="next"), INVALID, "invalid pagination token next for"),
    ("a negative token", "ListExecutions", lambda t: listing(token="-1"), INVALID, "invalid pagination token -1 for"),
    ("a sort key that is no column", "ListTasks", lambda t: listing(sort="colour"), INVALID, "invalid sort key 'colour'"),
    ("a filter of no function", "ListExecutions", lambda t: listing(filters="resembles(phase,RUNNING)"), INVALID, "resembles"),
    ("a filter of no column", "ListExecutions", lambda t: listing(filters="eq(colour,red)"), INVALID, "colour"),
    ("a filter of a foreign entity", "ListTasks", lambda t: listing(filters="eq(execution.phase,RUNNING)"), INVALID, "entity is not allowed in filters"),
    ("a filter without an end", "ListExecutions", lambda t: listing(filters="eq(phase,RUNNING"), INVALID, "invalid value for filters"),
    ("a filter's time that is none", "ListExecutions", lambda t: listing(filters="gt(created_at,yesterday)"), INVALID, "yesterday"),
    ("a filter's number that is none", "ListLaunchPlans", lambda t: listing(filters="eq(state,active)"), INVALID, "active"),
    ("text that a string in C cannot hold", "ListTasks", lambda t: listing(name="a\0b"), INVALID, "zero byte"),
    ("a list without a project", "ListTasks", lambda t: listing(project=""), INVALID, "missing project"),
    ("a project's id with other letters", "RegisterProject",
     lambda t: project_pb2.ProjectRegisterRequest(project=project_pb2.Project(id="No Such", name="n")), INVALID, "No Such"),
    ("a change of an unknown project", "UpdateProject", lambda t: project_pb2.Project(id="nosuch", name="n"), NOT_FOUND, "nosuch"),
    ("a change of an unknown launch plan", "UpdateLaunchPlan",
     lambda t: launch_plan_pb2.LaunchPlanUpdateRequest(id=identifier(identifier_pb2.LAUNCH_PLAN, "no.such")), NOT_FOUND, "no.such"),
    ("no active launch plan", "GetActiveLaunchPlan", lambda t: launch_plan_pb2.ActiveLaunchPlanRequest(
        id=common_pb2.NamedEntityIdentifier(project=PROJECT, domain=DOMAIN, name="no.such")), NOT_FOUND, "no.such"),
    ("settings without attributes", "UpdateProjectAttributes", lambda t: project_attributes_pb2.ProjectAttributesUpdateRequest(), INVALID,
     "missing attributes"),
    ("settings of no type", "UpdateProjectDomainAttributes", lambda t: settings(), INVALID,
     "Unrecognized matching attributes type for request flytesnacks-development"),
    ("settings of an unknown project", "GetProjectAttributes",
     lambda t: project_attributes_pb2.ProjectAttributesGetRequest(project="nosuch"), INVALID, "failed to validate that project [nosuch] exists"),
    ("settings of an unknown domain", "UpdateProjectDomainAttributes", lambda t: settings(domain="nosuch"), INVALID,
     "domain [nosuch] is unrecognized by system"),
    ("settings of a workflow without a name", "GetWorkflowAttributes",
     lambda t: workflow_attributes_pb2.WorkflowAttributesGetRequest(project=PROJECT, domain=DOMAIN), INVALID, "missing name"),
    ("settings that nobody made", "GetWorkflowAttributes",
     lambda t: workflow_attributes_pb2.WorkflowAttributesGetRequest(project=PROJECT, domain=DOMAIN, workflow="nosuch", resource_type="PLUGIN_OVERRIDE"),
     NOT_FOUND, "Resource [{Project:flytesnacks Domain:development Workflow:nosuch LaunchPlan: ResourceType:PLUGIN_OVERRIDE}] not found"),
    ("a list of settings of no type", "ListMatchableAttributes", lambda t: matchable_resource_pb2.ListMatchableAttributesRequest(resource_type=99), INVALID,
     "invalid value for resource_type"),
    ("a memory limit that is no quantity", "UpdateProjectDomainAttributes", lambda t: settings(task_resource_attributes={"limits": {"memory": "much"}}),
     INVALID, "'much' is not a quantity"),
    ("a template value that is the platform's", "UpdateProjectDomainAttributes",
     lambda t: settings(cluster_resource_attributes={"attributes": {"namespace": "kube-system"}}), INVALID, "Cannot assign namespace template value"),
    ("a description of nothing", "GetDescriptionEntity", lambda t: common_pb2.ObjectGetRequest(), INVALID, "missing id"),
    ("a description without a type", "GetDescriptionEntity", lambda t: common_pb2.ObjectGetRequest(id=named(t.id, resource_type=0)), INVALID,
     "invalid value for resource_type"),
    ("a description that nobody wrote", "GetDescriptionEntity", lambda t: common_pb2.ObjectGetRequest(id=t.id), NOT_FOUND, "bad.requests.task"),
    ("descriptions without a name", "ListDescriptionEntities", lambda t: descriptions(name=""), INVALID, "missing name"),
    ("descriptions without a limit", "ListDescriptionEntities", lambda t: descriptions(limit=0), INVALID, "invalid value for limit"),
    ("descriptions by a column that is none", "ListDescriptionEntities", lambda t: descriptions(filters="eq(colour,red)"), INVALID,
     "'de.colour' is invalid filter"),
    ("a named entity without a type", "GetNamedEntity", lambda t: entity(common_pb2.NamedEntityGetRequest, resource_type=0), INVALID,
     "invalid value for resource_type"),
    ("a named entity without an id", "GetNamedEntity", lambda t: common_pb2.NamedEntityGetRequest(resource_type=identifier_pb2.TASK), INVALID,
     "missing id"),
    ("no such named entity", "GetNamedEntity", lambda t: entity(common_pb2.NamedEntityGetRequest), NOT_FOUND, "no.such"),
    ("a change of a named entity to nothing", "UpdateNamedEntity", lambda t: entity(common_pb2.NamedEntityUpdateRequest), INVALID,
     "missing metadata"),
    ("a dataset to the archive", "UpdateNamedEntity", lambda t: entity(
        common_pb2.NamedEntityUpdateRequest, resource_type=identifier_pb2.DATASET, metadata=common_pb2.NamedEntityMetadata(state=1)), INVALID,
     "Resource [DATASET] cannot have its state updated"),
    ("a named entity's state that is none", "UpdateNamedEntity", lambda t: entity(
        common_pb2.NamedEntityUpdateRequest, metadata=common_pb2.NamedEntityMetadata(state=7)), INVALID, "invalid value for state"),
    ("named entities without a limit", "ListNamedEntities", lambda t: common_pb2.NamedEntityListRequest(
        resource_type=identifier_pb2.TASK, project=PROJECT, domain=DOMAIN), INVALID, "invalid value for limit"),
    ("ids by a column that is none", "ListTaskIds", lambda t: common_pb2.NamedEntityIdentifierListRequest(
        project=PROJECT, domain=DOMAIN, limit=1, filters="eq(colour,red)"), INVALID, "'nen.colour' is invalid filter"),
    ("an execution's state that is none", "UpdateExecution", lambda t: execution_pb2.ExecutionUpdateRequest(id=execution_id("nosuch"), state=7), INVALID,
     "invalid value for state"),
    ("no such execution to archive", "UpdateExecution", lambda t: execution_pb2.ExecutionUpdateRequest(id=execution_id("nosuch"), state=1), NOT_FOUND,
     "nosuch"),
    ("no such execution's metrics", "GetExecutionMetrics", lambda t: execution_pb2.WorkflowExecutionGetMetricsRequest(id=execution_id("nosuch")),
     NOT_FOUND, "nosuch"),
    ("nodes of no attempt", "ListNodeExecutionsForTask", lambda t: node_execution_pb2.NodeExecutionForTaskListRequest(limit=1), INVALID, "missing"),
    ("children of no such node", "ListNodeExecutions", lambda t: node_execution_pb2.NodeExecutionListRequest(
        workflow_execution_id=execution_id("nosuch"), limit=1, unique_parent_id="n0"), NOT_FOUND, "n0"),
    ("several values where one is asked for", "ListExecutions", lambda t: listing(filters="eq(phase,RUNNING;QUEUED)"), INVALID,
     "invalid single value filter expression: equal"),
    ("a filter's duration that is none", "ListExecutions", lambda t: listing(filters="gt(duration,long)"), INVALID, "Failed to parse duration [long]"),
    ("an event of nothing", "CreateWorkflowEvent", lambda t: event_pb2.WorkflowExecutionEventRequest(), INVALID, "missing event"),
    ("an event of no such execution", "CreateWorkflowEvent", lambda t: event_pb2.WorkflowExecutionEventRequest(
        event=event_messages_pb2.WorkflowExecutionEvent(execution_id=execution_id("nosuch"))), NOT_FOUND, "nosuch"),
    ("an event of a node without its execution", "CreateNodeEvent", lambda t: event_pb2.NodeExecutionEventRequest(
        event=event_messages_pb2.NodeExecutionEvent(id=identifier_pb2.NodeExecutionIdentifier(node_id="n0"))), INVALID, "missing execution_id"),
    ("an event of a task at no time", "CreateTaskEvent", lambda t: event_pb2.TaskExecutionEventRequest(
        event=event_messages_pb2.TaskExecutionEvent(task_id=t.id)), INVALID, "missing occurred_at"),
    ("a request of 30 MiB", "CreateExecution", lambda t: execution_request(t, x=text("x" * 30 * MIB)), EXHAUSTED, "larger than the maximum"),
]


def settings(domain=DOMAIN, **attributes):
    request = project_domain_attributes_pb2.ProjectDomainAttributesUpdateRequest()
    json_format.ParseDict({"project": PROJECT, "domain": domain, "matching_attributes": attributes}, request.attributes)
    return request


def named_id(task, **changes):
    return task_pb2.TaskCreateRequest(id=named(task.id, **changes), spec=task.spec)


def empty_workflow(task):
    request = workflow_request(task)
    del request.spec.template.nodes[:]
    return request


@pytest.mark.parametrize("rpc,make,code,says", [pytest.param(*row[1:], id=row[0]) for row in REFUSED])
def test_is_refused(admin, task, rpc, make, code, says):
    with pytest.raises(grpc.RpcError) as raised:
        getattr(admin, rpc)(make(task), timeout=20)
    assert raised.value.code() in (code if isinstance(code, tuple) else (code,)), raised.value.details()
    assert says in raised.value.details()


def test_ending_an_execution_twice(admin, task):
    id = admin.CreateExecution(execution_request(task, x=integer(1)), timeout=10).id
    admin.TerminateExecution(execution_pb2.ExecutionTerminateRequest(id=id, cause="once"), timeout=10)
    with pytest.raises(grpc.RpcError) as raised:
        deadline = datetime.datetime.now() + datetime.timedelta(seconds=30)
        while datetime.datetime.now() < deadline:
            admin.TerminateExecution(execution_pb2.ExecutionTerminateRequest(id=id, cause="twice"), timeout=10)
    assert raised.value.code() == PRECONDITION
    assert "already terminated" in raised.value.details()


def test_an_execution_of_a_name_that_is_taken(admin, task):
    name = f"t{uuid.uuid4().hex[:12]}"
    admin.CreateExecution(execution_request(task, name=name, x=integer(1)), timeout=10)
    with pytest.raises(grpc.RpcError) as raised:
        admin.CreateExecution(execution_request(task, name=name, x=integer(1)), timeout=10)
    assert raised.value.code() == EXISTS
    assert name in raised.value.details()


def test_bytes_that_are_no_message(channel):
    call = channel.unary_unary("/flyteidl.service.AdminService/GetTask", request_serializer=bytes, response_deserializer=bytes)
    with pytest.raises(grpc.RpcError) as raised:
        call(b"\x0a\xff\xff\xff", timeout=10)
    assert raised.value.code() == INVALID
    assert "ObjectGetRequest" in raised.value.details()


def test_an_rpc_that_is_not_there(channel):
    call = channel.unary_unary("/flyteidl.service.AdminService/DeleteEverything", request_serializer=bytes, response_deserializer=bytes)
    with pytest.raises(grpc.RpcError) as raised:
        call(b"", timeout=10)
    assert raised.value.code() == UNIMPLEMENTED
    assert "DeleteEverything" in raised.value.details()


MD5, EXPIRY = b"0" * 16, duration_pb2.Duration(seconds=7200)
DECK = dataproxy_pb2.ARTIFACT_TYPE_DECK


@pytest.mark.parametrize("rpc,request_,code,says", [
    pytest.param("CreateUploadLocation", dataproxy_pb2.CreateUploadLocationRequest(project=PROJECT, domain=DOMAIN, content_md5=MD5, expires_in=EXPIRY),
                 INVALID, "cannot exceed max allowed expiration [1h0m0s]", id="an upload of two hours"),
    pytest.param("CreateDownloadLocation", dataproxy_pb2.CreateDownloadLocationRequest(native_url="file:///etc/passwd"), INVALID,
                 "failed to parse native_url [file:///etc/passwd]", id="a download of a file"),
    pytest.param("CreateDownloadLink", dataproxy_pb2.CreateDownloadLinkRequest(), INVALID, "invalid artifact type [ARTIFACT_TYPE_UNDEFINED]",
                 id="a link to nothing"),
    pytest.param("CreateDownloadLink", dataproxy_pb2.CreateDownloadLinkRequest(artifact_type=DECK), INVALID, "source is required. Provided nil",
                 id="a deck of nothing"),
    pytest.param("CreateDownloadLink", dataproxy_pb2.CreateDownloadLinkRequest(artifact_type=DECK, node_execution_id=node_id("nosuch", "n0")), INVALID,
                 "failed to find node execution", id="a deck of no such node"),
    pytest.param("GetData", dataproxy_pb2.GetDataRequest(), INVALID, "source is required. Provided empty string", id="data without a URL"),
    pytest.param("GetData", dataproxy_pb2.GetDataRequest(flyte_url="s3://bucket/key"), INVALID, "does not start with the correct prefix",
                 id="data of another scheme"),
    pytest.param("GetData", dataproxy_pb2.GetDataRequest(flyte_url="flyte://v1/p/d/e/n0/x"), INVALID, "failed to parse [flyte://v1/p/d/e/n0/x]",
                 id="data of a kind that is none"),
    pytest.param("GetData", dataproxy_pb2.GetDataRequest(flyte_url="flyte://v1/p/d/e/n0/0/d"), INVALID, "deck type cannot be specified with a retry",
                 id="a deck of an attempt"),
    pytest.param("GetData", dataproxy_pb2.GetDataRequest(flyte_url="flyte://v1/p/d/nosuch/n0/i"), NOT_FOUND, "nosuch", id="data of no such node"),
    pytest.param("GetData", dataproxy_pb2.GetDataRequest(flyte_url="flyte://v1/p/d/nosuch/n0/0/o"), INVALID, "no task executions were listed",
                 id="data of no such attempt"),
])
def test_data_that_is_refused(channel, rpc, request_, code, says):
    with pytest.raises(grpc.RpcError) as raised:
        getattr(dataproxy_pb2_grpc.DataProxyServiceStub(channel), rpc)(request_, timeout=10)
    assert raised.value.code() == code, raised.value.details()
    assert says in raised.value.details()


@pytest.mark.parametrize("request_,says", [
    pytest.param(dataproxy_pb2.CreateUploadLocationRequest(project=PROJECT, domain=DOMAIN, filename="x"), "content_md5", id="without a digest"),
    pytest.param(dataproxy_pb2.CreateUploadLocationRequest(project=PROJECT, domain=DOMAIN, filename="x", content_md5=b"short"), "md5",
                 id="a digest that is too short"),
    pytest.param(dataproxy_pb2.CreateUploadLocationRequest(domain=DOMAIN, filename="x", content_md5=b"0" * 16), "project", id="without a project"),
    pytest.param(dataproxy_pb2.CreateUploadLocationRequest(project=PROJECT, domain=DOMAIN, filename="../../x", content_md5=b"0" * 16), "..",
                 id="a name that leads elsewhere"),
])
def test_uploads_that_are_refused(channel, request_, says):
    with pytest.raises(grpc.RpcError) as raised:
        dataproxy_pb2_grpc.DataProxyServiceStub(channel).CreateUploadLocation(request_, timeout=10)
    assert raised.value.code() == INVALID
    assert says in raised.value.details()
