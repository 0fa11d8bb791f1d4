"""Packages as `pyflyte package` writes them, made of flyteidl's own messages, and a control plane that keeps them."""

import io
import tarfile
import threading
from concurrent import futures

import grpc
from flyteidl.admin import (execution_pb2, launch_plan_pb2, matchable_resource_pb2, node_execution_pb2, project_attributes_pb2, project_domain_attributes_pb2,
                            project_pb2, task_execution_pb2, task_pb2, workflow_attributes_pb2, workflow_pb2, common_pb2)
from flyteidl.core import identifier_pb2, interface_pb2, literals_pb2, tasks_pb2, types_pb2, workflow_pb2 as core_workflow_pb2
from flyteidl.service import admin_pb2_grpc, dataproxy_pb2, dataproxy_pb2_grpc

SIMPLE = types_pb2.SimpleType
OPEN = {"project": "{{ registration.project }}", "domain": "{{ registration.domain }}", "version": "{{ registration.version }}"}


def simple(name):
    return types_pb2.LiteralType(simple=SIMPLE.Value(name))


def optional(inner):
    variant = types_pb2.LiteralType()
    variant.CopyFrom(inner)
    variant.structure.tag = "inner"
    none = simple("NONE")
    none.structure.tag = "none"
    return types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=[variant, none]))


TYPES = {
    "n": simple("INTEGER"),
    "f": simple("FLOAT"),
    "s": simple("STRING"),
    "b": simple("BOOLEAN"),
    "at": simple("DATETIME"),
    "for": simple("DURATION"),
    "point": simple("STRUCT"),
    "color": types_pb2.LiteralType(enum_type=types_pb2.EnumType(values=["red", "green"])),
    "list": types_pb2.LiteralType(collection_type=simple("INTEGER")),
    "map": types_pb2.LiteralType(map_value_type=simple("STRING")),
    "maybe": optional(simple("INTEGER")),
    "file": types_pb2.LiteralType(blob=types_pb2.LiteralType().blob.__class__(format="csv")),
}


def interface():
    variables = {name: interface_pb2.Variable(type=kind, description=f"about {name}") for name, kind in TYPES.items()}
    return interface_pb2.TypedInterface(inputs=interface_pb2.VariableMap(variables=variables), outputs=interface_pb2.VariableMap(variables={"o0": interface_pb2.Variable(type=simple("STRING"))}))


def identifier(kind, name):
    return identifier_pb2.Identifier(resource_type=kind, name=name, **OPEN)


def task():
    container = tasks_pb2.Container(image="busybox", command=["true"], args=["--from", "{{ .remote_package_path }}", "--to", "{{ .dest_dir }}"])
    return task_pb2.TaskSpec(template=tasks_pb2.TaskTemplate(id=identifier(identifier_pb2.TASK, "app.run"), type="container", container=container,
                                                             interface=interface_pb2.TypedInterface(), metadata=tasks_pb2.TaskMetadata(discovery_version="1")))


def workflow():
    node = core_workflow_pb2.Node(id="n0", task_node=core_workflow_pb2.TaskNode(reference_id=identifier(identifier_pb2.TASK, "app.run")))
    return workflow_pb2.WorkflowSpec(template=core_workflow_pb2.WorkflowTemplate(id=identifier(identifier_pb2.WORKFLOW, "app.wf"), interface=interface_pb2.TypedInterface(), nodes=[node]))


def launch_plan():
    return launch_plan_pb2.LaunchPlan(id=identifier(identifier_pb2.LAUNCH_PLAN, "app.wf"), closure=launch_plan_pb2.LaunchPlanClosure(),
                                      spec=launch_plan_pb2.LaunchPlanSpec(workflow_id=identifier(identifier_pb2.WORKFLOW, "app.wf"), default_inputs=interface_pb2.ParameterMap(),
                                                                          fixed_inputs=literals_pb2.LiteralMap()))


def archive(files, mode="w:gz"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def package(fast=False):
    # In an order that is not the one of registration.
    files = {"2_app.wf_3.pb": launch_plan().SerializeToString(), "1_app.wf_2.pb": workflow().SerializeToString(), "0_app.run_1.pb": task().SerializeToString()}
    if fast:
        files["fast0123.tar.gz"] = archive({"app.py": b"print()"})
    return files


class ControlPlane(admin_pb2_grpc.AdminServiceServicer, dataproxy_pb2_grpc.DataProxyServiceServicer):
    """Keeps what is registered, notes every call, and fails on demand: `failures` maps a method to (code, text)."""

    def __init__(self, upload_url=""):
        self.calls = []
        self.failures = {}
        self.existing = set()
        self.attributes = {}
        self.upload_url = upload_url
        self.upload_headers = {}
        self.required = set()  # inputs of launch plans
        self.lock = threading.Lock()
        self.server = grpc.server(futures.ThreadPoolExecutor(4))
        admin_pb2_grpc.add_AdminServiceServicer_to_server(self, self.server)
        dataproxy_pb2_grpc.add_DataProxyServiceServicer_to_server(self, self.server)
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def close(self):
        self.server.stop(None).wait(10)

    def note(self, method, request, context):
        with self.lock:
            self.calls.append((method, request))
        if method in self.failures:
            context.abort(*self.failures[method])

    def named(self, method):
        return [request for name, request in self.calls if name == method]

    def create(self, method, request, context, response):
        self.note(method, request, context)
        key = (method, request.id.name, request.id.version)
        if key in self.existing:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, "it is there already")
        self.existing.add(key)
        return response

    def CreateTask(self, request, context):
        return self.create("CreateTask", request, context, task_pb2.TaskCreateResponse())

    def CreateWorkflow(self, request, context):
        return self.create("CreateWorkflow", request, context, workflow_pb2.WorkflowCreateResponse())

    def CreateLaunchPlan(self, request, context):
        return self.create("CreateLaunchPlan", request, context, launch_plan_pb2.LaunchPlanCreateResponse())

    def UpdateLaunchPlan(self, request, context):
        self.note("UpdateLaunchPlan", request, context)
        return launch_plan_pb2.LaunchPlanUpdateResponse()

    def CreateUploadLocation(self, request, context):
        self.note("CreateUploadLocation", request, context)
        return dataproxy_pb2.CreateUploadLocationResponse(signed_url=self.upload_url, native_url="s3://my-s3-bucket/up/" + request.filename, headers=self.upload_headers)

    def plan(self, identity):
        parameters = {name: interface_pb2.Parameter(var=interface_pb2.Variable(type=kind, description=f"about {name}"), required=name in self.required) for name, kind in TYPES.items()}
        parameters["n"].default.scalar.primitive.integer = 7
        return launch_plan_pb2.LaunchPlan(id=identity, spec=launch_plan_pb2.LaunchPlanSpec(default_inputs=interface_pb2.ParameterMap(parameters=parameters)),
                                          closure=launch_plan_pb2.LaunchPlanClosure(expected_inputs=interface_pb2.ParameterMap(parameters=parameters)))

    def GetLaunchPlan(self, request, context):
        self.note("GetLaunchPlan", request, context)
        return self.plan(request.id)

    def ListLaunchPlans(self, request, context):
        self.note("ListLaunchPlans", request, context)
        identity = identifier_pb2.Identifier(resource_type=identifier_pb2.LAUNCH_PLAN, project=request.id.project, domain=request.id.domain, name=request.id.name or "app.wf", version="v9")
        return launch_plan_pb2.LaunchPlanList(launch_plans=[self.plan(identity)])

    def GetTask(self, request, context):
        self.note("GetTask", request, context)
        template = tasks_pb2.TaskTemplate(id=request.id, type="container", interface=interface())
        return task_pb2.Task(id=request.id, closure={"compiled_task": {"template": template}})

    def ListTasks(self, request, context):
        self.note("ListTasks", request, context)
        return task_pb2.TaskList()

    def ListProjects(self, request, context):
        self.note("ListProjects", request, context)
        return project_pb2.Projects(projects=[project_pb2.Project(id="flytesnacks", name="Snacks", description="to eat")])

    def RegisterProject(self, request, context):
        self.note("RegisterProject", request, context)
        return project_pb2.ProjectRegisterResponse()

    def UpdateProject(self, request, context):
        self.note("UpdateProject", request, context)
        return project_pb2.ProjectUpdateResponse()

    def CreateExecution(self, request, context):
        self.note("CreateExecution", request, context)
        return execution_pb2.ExecutionCreateResponse(id=identifier_pb2.WorkflowExecutionIdentifier(project=request.project, domain=request.domain, name=request.name or "f123"))

    def RelaunchExecution(self, request, context):
        self.note("RelaunchExecution", request, context)
        return execution_pb2.ExecutionCreateResponse(id=request.id)

    def RecoverExecution(self, request, context):
        self.note("RecoverExecution", request, context)
        return execution_pb2.ExecutionCreateResponse(id=request.id)

    def TerminateExecution(self, request, context):
        self.note("TerminateExecution", request, context)
        return execution_pb2.ExecutionTerminateResponse()

    def execution(self, identity):
        plan = identifier_pb2.Identifier(resource_type=identifier_pb2.LAUNCH_PLAN, name="app.wf", version="v1")
        return execution_pb2.Execution(id=identity, spec=execution_pb2.ExecutionSpec(launch_plan=plan), closure=execution_pb2.ExecutionClosure(phase=4))

    def GetExecution(self, request, context):
        self.note("GetExecution", request, context)
        return self.execution(request.id)

    def UpdateExecution(self, request, context):
        self.note("UpdateExecution", request, context)
        return execution_pb2.ExecutionUpdateResponse()

    def ListExecutions(self, request, context):
        self.note("ListExecutions", request, context)
        names = [identifier_pb2.WorkflowExecutionIdentifier(project="flytesnacks", domain="development", name=f"f{i}") for i in range(5)]
        return execution_pb2.ExecutionList(executions=[self.execution(name) for name in names])

    def ListNodeExecutions(self, request, context):
        self.note("ListNodeExecutions", request, context)
        names = ["start-node", "n0"] if not request.unique_parent_id else ["n0-0-dn0"]
        nodes = []
        for name in names:
            node = node_execution_pb2.NodeExecution(id=identifier_pb2.NodeExecutionIdentifier(node_id=name, execution_id=request.workflow_execution_id))
            node.metadata.is_parent_node = name == "n0"
            node.closure.phase = 3
            nodes.append(node)
        return node_execution_pb2.NodeExecutionList(node_executions=nodes)

    def ListTaskExecutions(self, request, context):
        self.note("ListTaskExecutions", request, context)
        task = task_execution_pb2.TaskExecution(id=identifier_pb2.TaskExecutionIdentifier(retry_attempt=1))
        task.closure.task_type = "container"
        task.closure.reason = "it was slow\nand then slower"
        task.closure.metadata.generated_name = "f0-n0-0"
        task.closure.metadata.plugin_identifier = "container"
        task.closure.metadata.external_resources.add(external_id="job-7")
        task.closure.logs.add(name="Kubernetes", uri="http://logs/1")
        return task_execution_pb2.TaskExecutionList(task_executions=[task] if request.node_execution_id.node_id == "n0-0-dn0" else [])

    def GetNodeExecutionData(self, request, context):
        self.note("GetNodeExecutionData", request, context)
        answer = node_execution_pb2.NodeExecutionGetDataResponse()
        answer.full_outputs.literals["o0"].scalar.primitive.integer = 42
        return answer

    def attribute(self, method, request, scope, context, response):
        self.note(method, request, context)
        if scope not in self.attributes:
            context.abort(grpc.StatusCode.NOT_FOUND, "nothing is set there")
        response.attributes.matching_attributes.CopyFrom(self.attributes[scope])
        return response

    def GetProjectDomainAttributes(self, request, context):
        return self.attribute("GetProjectDomainAttributes", request, (request.project, request.domain, ""), context, project_domain_attributes_pb2.ProjectDomainAttributesGetResponse())

    def GetProjectAttributes(self, request, context):
        return self.attribute("GetProjectAttributes", request, (request.project, "", ""), context, project_attributes_pb2.ProjectAttributesGetResponse())

    def GetWorkflowAttributes(self, request, context):
        return self.attribute("GetWorkflowAttributes", request, (request.project, request.domain, request.workflow), context, workflow_attributes_pb2.WorkflowAttributesGetResponse())

    def UpdateProjectDomainAttributes(self, request, context):
        self.note("UpdateProjectDomainAttributes", request, context)
        self.attributes[request.attributes.project, request.attributes.domain, ""] = request.attributes.matching_attributes
        return project_domain_attributes_pb2.ProjectDomainAttributesUpdateResponse()

    def UpdateProjectAttributes(self, request, context):
        self.note("UpdateProjectAttributes", request, context)
        self.attributes[request.attributes.project, "", ""] = request.attributes.matching_attributes
        return project_attributes_pb2.ProjectAttributesUpdateResponse()

    def UpdateWorkflowAttributes(self, request, context):
        self.note("UpdateWorkflowAttributes", request, context)
        self.attributes[request.attributes.project, request.attributes.domain, request.attributes.workflow] = request.attributes.matching_attributes
        return workflow_attributes_pb2.WorkflowAttributesUpdateResponse()

    def DeleteProjectDomainAttributes(self, request, context):
        self.note("DeleteProjectDomainAttributes", request, context)
        self.attributes.pop((request.project, request.domain, ""), None)
        return project_domain_attributes_pb2.ProjectDomainAttributesDeleteResponse()
