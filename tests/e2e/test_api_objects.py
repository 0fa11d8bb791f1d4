"""What clients store in the API and find again: specs that are only echoed, tags, archives, descriptions, ids, pages."""

import uuid

import grpc
import pytest
from flyteidl.admin import common_pb2, description_entity_pb2, execution_pb2, task_pb2, version_pb2
from flyteidl.core import identifier_pb2, literals_pb2, tasks_pb2
from flyteidl.service import admin_pb2_grpc

PROJECT, DOMAIN = "flytesnacks", "development"


@pytest.fixture(scope="module")
def admin(sandbox):
    with grpc.insecure_channel(sandbox.endpoint("grpc")) as channel:
        yield admin_pb2_grpc.AdminServiceStub(channel)


def named(name=""):
    return common_pb2.NamedEntityIdentifier(project=PROJECT, domain=DOMAIN, name=name)


def create_task(admin, name, version, description=None):
    template = tasks_pb2.TaskTemplate(type="container", metadata=tasks_pb2.TaskMetadata(runtime=tasks_pb2.RuntimeMetadata(version="1")))
    template.interface.SetInParent()
    template.container.image = "example.org/task:1"
    template.container.command.append("true")
    id = identifier_pb2.Identifier(resource_type=identifier_pb2.TASK, project=PROJECT, domain=DOMAIN, name=name, version=version)
    admin.CreateTask(task_pb2.TaskCreateRequest(id=id, spec=task_pb2.TaskSpec(template=template, description=description)), timeout=20)
    return id


@pytest.fixture(scope="module")
def task(admin):
    return create_task(admin, "objects.task", uuid.uuid4().hex)


def create_execution(admin, task, **spec):
    request = execution_pb2.ExecutionCreateRequest(project=PROJECT, domain=DOMAIN, inputs=literals_pb2.LiteralMap(),
                                                   spec=execution_pb2.ExecutionSpec(launch_plan=task, **spec))
    return admin.CreateExecution(request, timeout=20).id


def names(admin, filters, **more):
    request = common_pb2.ResourceListRequest(id=named(), limit=100, filters=filters, **more)
    return [execution.id.name for execution in admin.ListExecutions(request, timeout=20).executions]


@pytest.fixture(scope="module", autouse=True)
def ended(admin):
    """What these tests start has no image to run: it is ended, so that no pod waits for it."""
    yield
    request = common_pb2.ResourceListRequest(id=named(), limit=100, filters="eq(task.name,objects.task)+value_in(phase,UNDEFINED;QUEUED;RUNNING)")
    for execution in admin.ListExecutions(request, timeout=20).executions:
        try:
            admin.TerminateExecution(execution_pb2.ExecutionTerminateRequest(id=execution.id, cause="the test is over"), timeout=20)
        except grpc.RpcError as error:  # it has failed by itself meanwhile: its service account is not there
            assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error.details()


def test_a_spec_is_given_back(admin, task):
    """All of it, also what has no effect with one cluster."""
    spec = execution_pb2.ExecutionSpec(max_parallelism=7, overwrite_cache=True, tags=["kept"])
    spec.quality_of_service.tier = 1
    spec.cluster_assignment.cluster_pool_name = "pool"
    spec.execution_cluster_label.value = "label"
    spec.labels.values["a"] = "b"
    spec.annotations.values["c"] = "d"
    spec.interruptible.value = True
    spec.envs.values.add(key="E", value="1")
    spec.raw_output_data_config.output_location_prefix = "s3://my-s3-bucket/elsewhere"
    spec.notifications.notifications.add(phases=[4]).email.recipients_email.append("a@example.org")
    spec.execution_env_assignments.add(node_ids=["n0"])
    spec.security_context.run_as.k8s_service_account = "account"
    id = create_execution(admin, task, **{field.name: value for field, value in spec.ListFields()})
    stored = admin.GetExecution(execution_pb2.WorkflowExecutionGetRequest(id=id), timeout=20).spec
    for field, value in spec.ListFields():
        assert getattr(stored, field.name) == value, field.name
    assert stored.metadata.system_metadata.namespace == f"{PROJECT}-{DOMAIN}"
    assert stored.metadata.system_metadata.execution_cluster == ""  # as upstream has it where there is one cluster


def test_executions_are_found_by_their_tags(admin, task):
    """Tags of the spec have a key alone; labels are tags with a key and a value."""
    tag, value = f"t-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex[:8]
    one = create_execution(admin, task, tags=[tag]).name
    two = create_execution(admin, task, labels=common_pb2.Labels(values={tag: value})).name
    assert set(names(admin, f"eq(admin_tag.name,{tag})")) == {one, two}
    assert names(admin, f"eq(execution_tag.key,{tag})+eq(execution_tag.value,{value})") == [two]
    assert names(admin, f"value_in(execution_tag.key,{tag};other)+value_in(execution_tag.value,{value};other)") == [two]
    assert names(admin, f"eq(execution_tag.key,{tag})+eq(execution_tag.value,other)") == []


def test_archived_executions_hide(admin, task):
    tag = f"t-{uuid.uuid4().hex[:8]}"
    id = create_execution(admin, task, tags=[tag])
    admin.UpdateExecution(execution_pb2.ExecutionUpdateRequest(id=id, state=execution_pb2.EXECUTION_ARCHIVED), timeout=20)
    assert names(admin, f"eq(admin_tag.name,{tag})") == []
    assert names(admin, f"eq(admin_tag.name,{tag})+eq(state,1)") == [id.name]
    details = admin.GetExecution(execution_pb2.WorkflowExecutionGetRequest(id=id), timeout=20).closure.state_change_details
    assert details.state == execution_pb2.EXECUTION_ARCHIVED and details.occurred_at.seconds
    admin.UpdateExecution(execution_pb2.ExecutionUpdateRequest(id=id, state=execution_pb2.EXECUTION_ACTIVE), timeout=20)
    assert names(admin, f"eq(admin_tag.name,{tag})") == [id.name]


def test_pages_without_an_order_are_stable(admin, task):
    tag = f"t-{uuid.uuid4().hex[:8]}"
    made = [create_execution(admin, task, tags=[tag]).name for _ in range(7)]
    seen, token = [], ""
    while True:
        page = admin.ListExecutions(common_pb2.ResourceListRequest(id=named(), limit=3, token=token, filters=f"eq(admin_tag.name,{tag})"), timeout=20)
        seen += [execution.id.name for execution in page.executions]
        if not page.token:
            break
        token = page.token
        assert token == str(len(seen))
    assert seen == made


def test_executions_are_found_by_what_they_run(admin, task):
    ran = create_execution(admin, task).name
    newest = common_pb2.Sort(key="created_at", direction=common_pb2.Sort.DESCENDING)
    for filters in ("eq(task.name,objects.task)", "eq(workflow.name,.flytegen.objects.task)", "contains(workflow.name,objects.ta)",
                    f"eq(task.version,{task.version})", f"eq(workflow.version,{task.version})", "eq(launch_entity,task)"):
        assert names(admin, filters, sort_by=newest)[:1] == [ran], filters
    assert names(admin, "eq(workflow.name,nosuch)") == []
    # an execution of a task is of no launch plan, as upstream has it
    assert names(admin, "eq(launch_plan.name,.flytegen.objects.task)") == []


def test_descriptions(admin):
    name = f"objects.told.{uuid.uuid4().hex[:8]}"
    told = description_entity_pb2.DescriptionEntity(short_description="in short")
    told.long_description.value = "at length"
    told.source_code.link = "https://example.org/code"
    ids = [create_task(admin, name, version, told) for version in ("v1", "v2")]
    found = admin.GetDescriptionEntity(common_pb2.ObjectGetRequest(id=ids[0]), timeout=20)
    assert (found.short_description, found.long_description.value, found.source_code.link) == ("in short", "at length", "https://example.org/code")
    page = admin.ListDescriptionEntities(description_entity_pb2.DescriptionEntityListRequest(
        resource_type=identifier_pb2.TASK, id=named(name), limit=10, sort_by=common_pb2.Sort(key="version")), timeout=20)
    assert [entity.id.version for entity in page.descriptionEntities] == ["v2", "v1"]


def test_named_entities(admin, task):
    """A name is described and archived as a whole; names that were generated show only to who asks for them."""
    name = f"objects.named.{uuid.uuid4().hex[:8]}"
    create_task(admin, name, "v1")
    metadata = common_pb2.NamedEntityMetadata(description="told", state=common_pb2.NAMED_ENTITY_ARCHIVED)
    admin.UpdateNamedEntity(common_pb2.NamedEntityUpdateRequest(resource_type=identifier_pb2.TASK, id=named(name), metadata=metadata), timeout=20)
    found = admin.GetNamedEntity(common_pb2.NamedEntityGetRequest(resource_type=identifier_pb2.TASK, id=named(name)), timeout=20)
    assert found.metadata == metadata

    def listed(kind, filters):
        request = common_pb2.NamedEntityListRequest(resource_type=kind, project=PROJECT, domain=DOMAIN, limit=10000, filters=filters)
        return [entity.id.name for entity in admin.ListNamedEntities(request, timeout=20).entities]

    assert name in listed(identifier_pb2.TASK, "eq(state,1)") and name not in listed(identifier_pb2.TASK, "eq(state,0)")
    create_execution(admin, task)
    assert ".flytegen.objects.task" not in listed(identifier_pb2.WORKFLOW, "")
    assert ".flytegen.objects.task" in listed(identifier_pb2.WORKFLOW, "eq(state,2)")
    ids = admin.ListTaskIds(common_pb2.NamedEntityIdentifierListRequest(
        project=PROJECT, domain=DOMAIN, limit=1, filters=f"eq(name,{name})"), timeout=20).entities
    assert [id.name for id in ids] == [name]


def test_the_version_is_told(admin):
    assert admin.GetVersion(version_pb2.GetVersionRequest(), timeout=20).control_plane_version.Version.startswith("v")
