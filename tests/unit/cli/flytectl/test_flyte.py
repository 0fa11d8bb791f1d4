"""The Flyte verbs, as a program, against a gRPC server of grpcio that notes what it is asked."""

import gzip
import http.server
import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import threading
import unittest

import grpc
from google.protobuf import struct_pb2
from flyteidl.core import literals_pb2, tasks_pb2

from flytectl import fake_control_plane as fake

BINARY = os.environ.get("SANDBOX_BINARY", "sandbox")


class Uploads(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        self.server.uploads.append((self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(403 if self.path == "/forbidden" else 200)
        self.end_headers()
        self.wfile.write(b"the signature has expired" if self.path == "/forbidden" else b"")

    def do_GET(self):
        self.send_response(200 if self.path.split("?")[0] == "/p.tgz" else 404)
        self.end_headers()
        self.wfile.write(fake.archive(fake.package()))

    def log_message(self, *_):
        pass


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Uploads)
        cls.http.uploads = []
        cls.url = f"http://127.0.0.1:{cls.http.server_port}"
        threading.Thread(target=cls.http.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.http.shutdown()
        cls.http.server_close()

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="sandbox-flyte-"))
        self.plane = fake.ControlPlane(self.url + "/up")
        (self.directory / ".flyte").mkdir()
        self.configuration = self.directory / ".flyte" / "config-sandbox.yaml"
        self.configuration.write_text(f"admin:\n  endpoint: dns:///127.0.0.1:{self.plane.port}\n  insecure: true\n", encoding="utf-8")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "SANDBOX_", "FLYTE"))}
        self.environment.update(HOME=str(self.directory), DOCKER_HOST="unix:///nonexistent", NO_COLOR="1")
        for name, mode in (("p.tgz", "w:gz"), ("p.tar", "w")):
            (self.directory / name).write_bytes(fake.archive(fake.package(), mode))

    def tearDown(self):
        self.plane.close()
        shutil.rmtree(self.directory)

    def run_sandbox(self, *arguments, code=0, answer=""):
        done = subprocess.run([BINARY, *arguments], env=self.environment, cwd=self.directory, capture_output=True, text=True, timeout=60, input=answer)
        self.assertEqual(done.returncode, code, f"sandbox {' '.join(arguments)}\nstdout: {done.stdout}\nstderr: {done.stderr}")
        return done

    def write(self, name, text):
        (self.directory / name).write_text(text, encoding="utf-8")
        return name


class Register(Case):
    def test_a_package_in_the_order_of_its_names(self):
        done = self.run_sandbox("register", "files", "p.tgz", "--archive", "-p", "acme", "-d", "staging", "--version", "v1", "--k8sServiceAccount", "robot",
                                "--outputLocationPrefix", "s3://elsewhere")
        self.assertEqual([method for method, _ in self.plane.calls], ["CreateTask", "CreateWorkflow", "CreateLaunchPlan"])
        task, workflow, plan = (request for _, request in self.plane.calls)
        for request in (task, workflow, plan):
            self.assertEqual((request.id.project, request.id.domain, request.id.version), ("acme", "staging", "v1"))
        node = workflow.spec.template.nodes[0].task_node.reference_id
        self.assertEqual((node.project, node.domain, node.name, node.version), ("acme", "staging", "app.run", "v1"))
        self.assertEqual(plan.spec.workflow_id.version, "v1")
        self.assertEqual(plan.spec.security_context.run_as.k8s_service_account, "robot")
        self.assertEqual(plan.spec.auth_role.kubernetes_service_account, "robot")
        self.assertEqual(plan.spec.raw_output_data_config.output_location_prefix, "s3://elsewhere")
        self.assertIn("| 0_app.run_1.pb | Success | Successfully registered file |", done.stdout)
        self.assertIn("3 rows", done.stdout)

    def test_again_is_no_error_and_activates(self):
        self.run_sandbox("register", "files", "p.tar", "--archive", "--version", "v1")
        done = self.run_sandbox("register", "files", "p.tar", "--archive", "--version", "v1", "--enableSchedule", "-o", "json")
        self.assertEqual([row["Info"] for row in json.loads(done.stdout)], ["AlreadyExists"] * 3)
        self.assertEqual([request.state for request in self.plane.named("UpdateLaunchPlan")], [1])

    def test_serialized_files_and_a_url(self):
        for name, content in fake.package().items():
            (self.directory / name).write_bytes(content)
        self.run_sandbox("register", "files", "*.pb", "--version", "v1")
        self.run_sandbox("register", "files", self.url + "/p.tgz", "--archive", "--version", "v2")
        self.assertEqual([method for method, _ in self.plane.calls], ["CreateTask", "CreateWorkflow", "CreateLaunchPlan"] * 2)
        self.run_sandbox("register", "files", self.url + "/p.tgz?raw=true", "--version", "v3")
        self.assertEqual(len(self.plane.calls), 9)
        self.run_sandbox("register", "files", self.url + "/q.tgz", "--archive", "--version", "v2", code=3)

    def test_a_folder_and_several_files(self):
        folder = self.directory / "out" / "deeper"
        folder.mkdir(parents=True)
        for name, content in fake.package().items():
            (self.directory / "out" / name).write_bytes(content)
        (folder / "9_no_1.pb").write_bytes(b"not looked at")
        self.run_sandbox("register", "files", "out", "--version", "v1")
        self.run_sandbox("register", "files", "out/2_app.wf_3.pb", "out/0_app.run_1.pb", "out/1_app.wf_2.pb", "--version", "v2")
        self.assertEqual([method for method, _ in self.plane.calls], ["CreateTask", "CreateWorkflow", "CreateLaunchPlan"] * 2)
        (self.directory / "empty").mkdir()
        self.assertIn("no serialized task", self.run_sandbox("register", "files", "empty", "--version", "v", code=12).stderr)

    def test_code_of_a_fast_package_is_uploaded_first(self):
        package = fake.package(fast=True)
        (self.directory / "fast.tgz").write_bytes(fake.archive(package))
        self.run_sandbox("register", "files", "fast.tgz", "--archive", "--version", "v1", "--destinationDirectory", "/root")
        arguments = self.plane.named("CreateTask")[0].spec.template.container.args
        self.assertEqual(list(arguments), ["--from", "s3://my-s3-bucket/up/fast0123.tar.gz", "--to", "/root"])
        location = self.plane.named("CreateUploadLocation")[0]
        path, headers, body = self.http.uploads[-1]
        self.assertEqual((path, body), ("/up", package["fast0123.tar.gz"]))
        import base64
        import hashlib
        self.assertEqual((location.content_md5, headers["Content-MD5"]), (hashlib.md5(body).digest(), base64.b64encode(hashlib.md5(body).digest()).decode()))

    def test_an_upload_that_fails(self):
        (self.directory / "fast.tgz").write_bytes(fake.archive(fake.package(fast=True)))
        self.plane.upload_url = self.url + "/forbidden"
        done = self.run_sandbox("register", "files", "fast.tgz", "--archive", "--version", "v1", code=8)
        self.assertIn("error[upload-failed]: failed to upload source code from [fast0123.tar.gz]: HTTP status 403: the signature has expired", done.stderr)
        self.plane.upload_url = "http://127.0.0.1:1/up"
        self.assertIn("failed to upload source code", self.run_sandbox("register", "files", "fast.tgz", "--archive", "--version", "v1", code=8).stderr)
        self.plane.failures["CreateUploadLocation"] = (grpc.StatusCode.UNAVAILABLE, "the store is not there")
        done = self.run_sandbox("register", "files", "fast.tgz", "--archive", "--version", "v1", code=8)
        self.assertIn("failed to create an upload location", done.stderr)
        self.assertIn("the store is not there", done.stderr)
        self.assertEqual(self.plane.named("CreateTask"), [])

    def test_headers_of_the_place_go_with_the_code(self):
        (self.directory / "fast.tgz").write_bytes(fake.archive(fake.package(fast=True)))
        self.plane.upload_headers = {"x-amz-acl": "private", "Content-MD5": "the store's own"}
        self.run_sandbox("register", "files", "fast.tgz", "--archive", "--version", "v1")
        _, headers, _ = self.http.uploads[-1]
        self.assertEqual(headers["x-amz-acl"], "private")
        self.assertNotEqual(headers["Content-MD5"], "the store's own")

    def test_code_of_two_packages_is_not_mixed(self):
        other = fake.package()
        other["fast9999.tar.gz"] = fake.archive({"other.py": b"print(2)"})
        (self.directory / "one.tgz").write_bytes(fake.archive(fake.package(fast=True)))
        (self.directory / "two.tgz").write_bytes(fake.archive(other))
        done = self.run_sandbox("register", "files", "one.tgz", "two.tgz", "--archive", "--version", "v1", code=12)
        self.assertIn("'fast0123.tar.gz' and 'fast9999.tar.gz' are code of two packages", done.stderr)
        self.assertEqual(self.plane.calls, [])

    def test_archives_that_are_none(self):
        good = fake.archive(fake.package())
        plain = fake.archive(fake.package(), "w")
        bomb = io.BytesIO()
        with tarfile.open(fileobj=bomb, mode="w:gz", compresslevel=9) as tar:
            info = tarfile.TarInfo("0_bomb_1.pb")
            info.size = 65 << 20
            tar.addfile(info, io.BytesIO(bytes(info.size)))
        for name, content, code, what in (
            ("empty.tgz", b"", 12, "bad-package"), ("cut.tgz", good[:-40], 12, "bad-package"), ("cut.tar", plain[:2000], 12, "bad-package"),
            ("text.tar.gz", b"some text\n" * 100, 12, "bad-package"), ("gzip.tgz", gzip.compress(b"some text\n" * 100), 12, "bad-package"),
            ("bomb.tgz", bomb.getvalue(), 10, "package-too-large"),
        ):
            with self.subTest(name):
                (self.directory / name).write_bytes(content)
                done = self.run_sandbox("register", "files", name, "--archive", "--version", "v1", code=code)
                self.assertIn(f"error[{what}]: '{name}'", done.stderr)
                self.assertIn("hint: ", done.stderr)
        self.assertEqual(self.plane.calls, [])

    def test_names_in_an_archive_are_only_names(self):
        files = {"../../escaped/" + name: content for name, content in fake.package().items()}
        (self.directory / "up.tgz").write_bytes(fake.archive(files))
        before = sorted(self.directory.rglob("*"))
        self.run_sandbox("register", "files", "up.tgz", "--archive", "--version", "v1")
        self.assertEqual(sorted(self.directory.rglob("*")), before)
        self.assertFalse((self.directory.parent / "escaped").exists())

    def test_the_first_failure_ends_it_unless_told_to_go_on(self):
        self.plane.failures["CreateTask"] = (grpc.StatusCode.INVALID_ARGUMENT, "Requested MEMORY limit [9Gi] is greater than current limit set in the platform configuration")
        done = self.run_sandbox("register", "files", "p.tgz", "--archive", "--version", "v1", code=12)
        self.assertIn("is greater than current limit", done.stderr)
        self.assertIn("Failed", done.stdout)
        self.assertEqual(len(self.plane.calls), 1)
        self.run_sandbox("register", "files", "p.tgz", "--archive", "--version", "v1", "--continueOnError", code=12)
        self.assertEqual(len(self.plane.calls), 4)

    def test_what_is_refused_before_anything_is_sent(self):
        for files, what in (({"a.txt": b"x"}, "invalid files"), ({}, "no serialized task"), ({"a_1.pb": b"\xff\xff"}, "a_1.pb")):
            (self.directory / "bad.tgz").write_bytes(fake.archive(files))
            self.assertIn(what, self.run_sandbox("register", "files", "bad.tgz", "--archive", "--version", "v", code=12).stderr)
        self.write("text.tgz", "no archive")
        self.assertIn("error[bad-package]", self.run_sandbox("register", "files", "text.tgz", "--archive", code=12).stderr)
        self.run_sandbox("register", "files", "p.zip", "--archive", code=12)
        self.run_sandbox("register", "files", "absent.tgz", "--archive", code=3)
        self.run_sandbox("register", "everything", "p.tgz", code=2)
        self.assertIn("give --version", self.run_sandbox("register", "files", "p.tgz", "--archive", code=2).stderr)
        self.assertEqual(self.plane.calls, [])

    def test_a_dry_run_sends_nothing(self):
        self.run_sandbox("register", "files", "p.tgz", "--archive", "--version", "v1", "--dryRun")
        self.assertEqual(self.plane.calls, [])

    def test_branches_pods_and_given_versions(self):
        workflow = fake.workflow()
        branch = workflow.template.nodes.add(id="n1").branch_node.if_else
        branch.case.then_node.task_node.reference_id.name = "in.case"
        branch.other.add().then_node.array_node.node.task_node.reference_id.name = "in.other"
        branch.else_node.workflow_node.launchplan_ref.name = "in.else"
        workflow.template.failure_node.task_node.reference_id.name = "in.failure"
        workflow.sub_workflows.add().nodes.add().task_node.reference_id.MergeFrom(tasks_pb2.TaskTemplate().id.__class__(name="in.sub", version="kept"))
        task = fake.task()
        task.template.k8s_pod.pod_spec.update({"containers": [{"name": "c", "args": ["{{ .remote_package_path }}", 1, "{{ .dest_dir }}"]}, "odd"]})
        (self.directory / "b.tgz").write_bytes(fake.archive({"0_1.pb": task.SerializeToString(), "1_2.pb": workflow.SerializeToString()}))
        self.run_sandbox("register", "files", "b.tgz", "--archive", "--version", "v1")
        sent = self.plane.named("CreateWorkflow")[0].spec
        block = sent.template.nodes[1].branch_node.if_else
        for reference in (block.case.then_node.task_node.reference_id, block.other[0].then_node.array_node.node.task_node.reference_id,
                          block.else_node.workflow_node.launchplan_ref, sent.template.failure_node.task_node.reference_id):
            self.assertEqual((reference.project, reference.domain, reference.version), ("flytesnacks", "development", "v1"))
        self.assertEqual(sent.sub_workflows[0].nodes[0].task_node.reference_id.version, "kept")
        pod = self.plane.named("CreateTask")[0].spec.template.k8s_pod.pod_spec
        self.assertEqual(list(pod["containers"][0]["args"]), ["", 1, "."])
        self.run_sandbox("register", "files", "b.tgz", "--archive", "--version", "v2", "--force")
        self.assertEqual(self.plane.named("CreateWorkflow")[1].spec.sub_workflows[0].nodes[0].task_node.reference_id.version, "v2")


class Compile(Case):
    def test_a_package(self):
        self.environment["HOME"] = "/nonexistent"
        done = self.run_sandbox("compile", "--file", "p.tgz")
        self.assertIn("All Workflows compiled successfully!", done.stdout)
        self.assertEqual(self.plane.calls, [])

    def test_what_does_not_fit(self):
        files = fake.package()
        del files["0_app.run_1.pb"]
        (self.directory / "bad.tgz").write_bytes(fake.archive(files))
        self.assertIn("error[compile-error]", self.run_sandbox("compile", "--file", "bad.tgz", code=12).stderr)
        self.run_sandbox("compile", code=2)
        self.run_sandbox("compile", "--file", "absent.tgz", code=3)
        self.assertIn("2_no_1.pb", self.compiled({"2_no_1.pb": b"\xff\xff"}, code=12).stderr)

    def compiled(self, files, *options, code=0):
        (self.directory / "c.tgz").write_bytes(fake.archive({**fake.package(), **files}))
        return self.run_sandbox("compile", "--file", "c.tgz", *options, code=code)

    @staticmethod
    def launching(name, plan):
        """A workflow whose only node launches a plan."""
        workflow = fake.workflow()
        workflow.template.id.name = name
        workflow.template.nodes[0].ClearField("task_node")
        workflow.template.nodes[0].workflow_node.launchplan_ref.MergeFrom(fake.identifier(3, plan))
        return workflow.SerializeToString()

    def test_counts_as_json(self):
        found = json.loads(self.compiled({}, "-o", "json").stdout)
        self.assertEqual((found["workflows"], found["tasks"], found["launchPlans"]), (1, 1, 1))

    def test_a_workflow_that_launches_another_is_compiled_after_it(self):
        done = self.compiled({"0_outer_2.pb": self.launching("outer", "app.wf")})
        self.assertLess(done.stdout.index("Compiling workflow: app.wf"), done.stdout.index("Compiling workflow: outer"))
        self.assertEqual(done.stdout.count("Compiling workflow: app.wf"), 1)
        self.assertIn("2  workflows found in package", done.stdout)

    def test_what_a_launched_workflow_asks_for_has_to_be_bound(self):
        needy = fake.launch_plan()
        needy.id.name = "needy"
        needy.spec.default_inputs.parameters["n"].var.type.simple = 1
        needy.spec.default_inputs.parameters["n"].required = True
        done = self.compiled({"0_outer_2.pb": self.launching("outer", "needy"), "3_needy_3.pb": needy.SerializeToString()}, code=12)
        self.assertIn("error[compile-error]", done.stderr)
        self.assertIn("workflow outer", done.stderr)

    def test_launch_plans_that_are_not_there_or_go_in_circles(self):
        self.assertIn("no launch plan 'absent' with its workflow", self.compiled({"0_outer_2.pb": self.launching("outer", "absent")}, code=12).stderr)
        circle = fake.launch_plan()
        circle.id.name, circle.spec.workflow_id.name = "circle", "outer"
        done = self.compiled({"0_outer_2.pb": self.launching("outer", "circle"), "3_circle_3.pb": circle.SerializeToString()}, code=12)
        self.assertIn("the workflow 'outer' launches itself", done.stderr)

    def test_a_task_that_is_none(self):
        task = fake.task()
        task.template.container.image = ""
        done = self.compiled({"3_none_1.pb": task.SerializeToString()}, code=12)
        self.assertIn("3_none_1.pb", done.stderr)


VALUES = """
version: v1
workflow: app.wf
inputs:
  n: 3
  f: 1
  s: " two words "
  b: true
  at: 2024-01-02T03:04:05Z
  for: 1h30m
  point: {x: 1, y: [a, null, 1.5], big: 70000}
  color: green
  list: [1, 2]
  map: {k: v}
  maybe: null
  file: s3://bucket/a.csv
envs: {A: b}
"""


class Execute(Case):
    def literals(self):
        return self.plane.named("CreateExecution")[-1].inputs.literals

    def launch(self, inputs, code=0, **options):
        return self.run_sandbox("create", "execution", "--execFile", self.write("e.yaml", f"workflow: app.wf\nversion: v1\ninputs: {inputs}\n"), code=code, **options)

    def test_a_value_of_every_type(self):
        done = self.run_sandbox("create", "execution", "--execFile", self.write("e.yaml", VALUES), "-p", "acme", "-d", "staging", "--targetDomain", "production",
                                "--kubeServiceAcct", "robot", "--overwriteCache", "named")
        self.assertEqual(done.stdout, 'execution identifier project:"acme" domain:"production" name:"named"\n')
        sent = self.plane.named("CreateExecution")[0]
        self.assertEqual((sent.spec.launch_plan.project, sent.spec.launch_plan.domain, sent.spec.launch_plan.version), ("acme", "staging", "v1"))
        self.assertEqual((sent.spec.metadata.principal, sent.spec.overwrite_cache, sent.spec.envs.values[0].key), ("sdk", True, "A"))
        self.assertEqual(sent.spec.security_context.run_as.k8s_service_account, "robot")
        got = sent.inputs.literals
        primitive = {name: literal.scalar.primitive for name, literal in got.items()}
        self.assertEqual((primitive["n"].integer, primitive["f"].float_value, primitive["s"].string_value, primitive["b"].boolean), (3, 1.0, " two words ", True))
        self.assertEqual((primitive["at"].datetime.seconds, primitive["for"].duration.seconds, primitive["color"].string_value), (1704164645, 5400, "green"))
        self.assertEqual([v.scalar.primitive.integer for v in got["list"].collection.literals], [1, 2])
        self.assertEqual(got["map"].map.literals["k"].scalar.primitive.string_value, "v")
        self.assertTrue(got["maybe"].scalar.union.value.scalar.HasField("none_type"))
        self.assertEqual(got["maybe"].scalar.union.type.structure.tag, "none")
        self.assertEqual((got["file"].scalar.blob.uri, got["file"].scalar.blob.metadata.type.format), ("s3://bucket/a.csv", "csv"))
        self.assertEqual((got["point"].scalar.binary.tag, got["point"].scalar.binary.value),
                         ("msgpack", b"\x83\xa1x\x01\xa1y\x93\xa1a\xc0\xcb?\xf8\x00\x00\x00\x00\x00\x00\xa3big\xd3\x00\x00\x00\x00\x00\x01\x11p"))

    def test_a_struct_as_text_or_by_wish_is_one_of_protobuf(self):
        self.launch("{point: '{\"x\": 1}'}")
        self.assertEqual(self.literals()["point"].scalar.generic["x"], 1)
        self.environment["FLYTE_USE_OLD_DC_FORMAT"] = "true"
        self.launch("{point: {x: 2}}")
        self.assertEqual(self.literals()["point"].scalar.generic["x"], 2)

    def test_conversions(self):
        self.launch('{n: "5", f: "2.5", b: "True", s: 7, maybe: 4}')
        got = {name: literal.scalar.primitive for name, literal in self.literals().items() if name != "maybe"}
        self.assertEqual((got["n"].integer, got["f"].float_value, got["b"].boolean, got["s"].string_value), (5, 2.5, True, "7"))
        self.assertEqual(self.literals()["maybe"].scalar.union.value.scalar.primitive.integer, 4)

    def test_what_does_not_fit_names_the_input(self):
        for inputs, text in (("{n: x}", "input 'n': expected integer, found \"x\""), ("{n: 1.5}", "expected integer"), ("{color: blue}", "incorrect enum value"),
                             ("{list: [1, y]}", "element 1"), ("{map: [1]}", "expected map"), ("{at: soon}", "input 'at'"), ("{for: long}", "input 'for'"),
                             ("{other: 1}", "no matching type for [other]"), ("{maybe: x}", "input 'maybe'"), ("{b: 2}", "expected boolean"), ("{file: 1}", "input 'file'")):
            self.assertIn(text, self.launch(inputs, code=12).stderr)
        self.assertEqual(self.plane.named("CreateExecution"), [])

    def test_what_does_not_fit_names_its_line(self):
        file = self.write("e.yaml", "workflow: app.wf\nversion: v1\ninputs:\n  n: 1\n  f:\n    - 2\n")
        self.assertIn("e.yaml: line 5: input 'f': expected float, found [2]", self.run_sandbox("create", "execution", "--execFile", file, code=12).stderr)
        file = self.write("e.yaml", "workflow: app.wf\nversion: v1\ninputs:\n  n: 1\n  colour: red\n")
        done = self.run_sandbox("create", "execution", "--execFile", file, code=12)
        self.assertIn("e.yaml: line 5: no matching type for [colour]", done.stderr)
        self.assertIn("did you mean 'color'?", done.stderr)
        file = self.write("e.yaml", "workflow: app.wf\nversion: v1\ninputs:\n  zzzzzzzzzzzz: 1\n")
        self.assertIn("its inputs are ", self.run_sandbox("create", "execution", "--execFile", file, code=12).stderr)

    def test_a_task_by_its_flag(self):
        self.run_sandbox("get", "launchplan", "app.wf", "--version", "v1", "--execFile", "e.yaml")
        self.run_sandbox("create", "execution", "--execFile", "e.yaml", "--task", "app.run")
        self.assertEqual([m for m, _ in self.plane.calls], ["GetLaunchPlan", "GetTask", "CreateExecution"])

    def test_required_inputs_that_are_left_out_are_all_named(self):
        self.plane.required = {"n", "at", "list"}  # n has a default, which wins
        done = self.launch("{f: 1}", code=12)
        self.assertIn("e.yaml: line 3: inputs without a value or default: ", done.stderr)
        for text in ("at (datetime)", "list (list of integer)"):
            self.assertIn(text, done.stderr)
        self.assertNotIn("n (integer)", done.stderr)
        self.launch("{at: 2024-01-02T03:04:05Z, list: []}")
        done = self.run_sandbox("create", "execution", "--execFile", self.write("e.yaml", "task: app.run\nversion: v1\n"), code=12)
        self.assertIn("maybe (", done.stderr)
        self.assertEqual(len(self.plane.named("CreateExecution")), 1)

    def test_files_that_are_none(self):
        for text, what in (("workflow: a\ntask: b\n", "either task or workflow"), ("[]", "not a mapping"), ("task: a\nworkflows: b\n", "line 2: 'workflows'"),
                           ("task: {}\n", "'task' has to be text"), ("task: a\ninputs: 3\n", "line 2: 'inputs'"), ("a: [", "malformed")):
            done = self.run_sandbox("create", "execution", "--execFile", self.write("e.yaml", text), code=12)
            self.assertIn(what if what != "malformed" else "e.yaml", done.stderr)
        self.run_sandbox("create", "execution", "--execFile", "absent.yaml", code=3)
        self.run_sandbox("create", "execution", code=2)

    def test_a_generated_file_launches_what_it_is_of(self):
        for resource, name, method in (("launchplan", "app.wf", "GetLaunchPlan"), ("task", "app.run", "GetTask")):
            self.run_sandbox("get", resource, name, "--version", "v3", "--execFile", f"{resource}.yaml")
            text = (self.directory / f"{resource}.yaml").read_text(encoding="utf-8")
            self.assertIn("  # about n\n", text)
            self.assertIn(f"{'workflow' if resource == 'launchplan' else 'task'}: {name}\n", text)
            self.run_sandbox("create", "execution", "--execFile", f"{resource}.yaml")
            self.assertEqual(self.plane.named(method)[-1].id.version, "v3")
            self.assertEqual(set(self.literals()), set(fake.TYPES))
            self.assertEqual(self.literals()["n"].scalar.primitive.integer, 7 if resource == "launchplan" else 0)

    def test_a_file_is_overwritten_only_when_told(self):
        self.write("e.yaml", "mine")
        done = self.run_sandbox("get", "task", "app.run", "--version", "v", "--execFile", "e.yaml", code=4)
        self.assertIn("error[not-confirmed]", done.stderr)
        self.assertEqual((self.directory / "e.yaml").read_text(encoding="utf-8"), "mine")
        self.run_sandbox("get", "task", "app.run", "--version", "v", "--execFile", "e.yaml", answer="y\n")
        self.assertIn("task: app.run", (self.directory / "e.yaml").read_text(encoding="utf-8"))

    def test_relaunch_recover_delete(self):
        self.run_sandbox("create", "execution", "--relaunch", "f1", "-o", "json", "again")
        self.run_sandbox("create", "execution", "--recover", "f2")
        self.run_sandbox("delete", "execution", "f3", "f4", "-p", "acme")
        self.assertEqual([(m, r.id.name) for m, r in self.plane.calls], [("RelaunchExecution", "f1"), ("RecoverExecution", "f2"), ("TerminateExecution", "f3"), ("TerminateExecution", "f4")])
        self.assertEqual(self.plane.calls[0][1].name, "again")
        self.run_sandbox("delete", "execution", code=2)
        self.run_sandbox("delete", "executable", "x", code=2)


class Get(Case):
    def test_a_table_with_its_number_of_rows(self):
        table = self.run_sandbox("get", "executions").stdout.splitlines()
        self.assertTrue(table[1].startswith("| NAME (5) | LAUNCH PLAN NAME | VERSION | TYPE        | PHASE     |"), table[1])
        self.assertTrue(table[3].startswith("| f0       | app.wf           | v1      | LAUNCH_PLAN | SUCCEEDED |"), table[3])
        self.assertEqual(table[-1], "5 rows")

    def test_json_and_yaml(self):
        one = json.loads(self.run_sandbox("get", "execution", "f0", "-o", "json").stdout)
        self.assertEqual((one["id"]["name"], one["spec"]["launchPlan"]["resourceType"], one["closure"]["phase"]), ("f0", "LAUNCH_PLAN", "SUCCEEDED"))
        self.assertEqual(len(json.loads(self.run_sandbox("get", "executions", "-o", "json").stdout)), 5)
        self.assertIn("id: flytesnacks\n", self.run_sandbox("get", "project", "-o", "yaml").stdout)
        self.assertEqual(json.loads(self.run_sandbox("-o", "json", "get", "project").stdout)["id"], "flytesnacks")

    def test_filters(self):
        self.run_sandbox("get", "execution", "--filter.fieldSelector", "execution.phase in (FAILED;SUCCEEDED),execution.duration<200", "--filter.limit=10", "--filter.page", "3",
                         "--filter.sortBy=created_at", "--filter.asc")
        sent = self.plane.named("ListExecutions")[0]
        self.assertEqual((sent.filters, sent.limit, sent.token, sent.sort_by.key, sent.sort_by.direction),
                         ("value_in(execution.phase,FAILED;SUCCEEDED)+lt(execution.duration,200)", 10, "20", "created_at", 1))
        for selector, filters in (("a!=b", "ne(a,b)"), ("a contains b", "contains(a,b)"), (r"a=b\,c,d>=1", "eq(a,b,c)+gte(d,1)"), ("a<=1,b>2", "lte(a,1)+gt(b,2)")):
            self.run_sandbox("get", "execution", "--filter.fieldSelector", selector)
            self.assertEqual(self.plane.named("ListExecutions")[-1].filters, filters)
        for selector in ("nothing", "=1", "a="):
            self.assertIn("error[bad-selector]", self.run_sandbox("get", "execution", "--filter.fieldSelector", selector, code=2).stderr)

    def test_launch_plans(self):
        self.run_sandbox("get", "launchplan", "--workflow", "app.wf")
        self.assertEqual(self.plane.named("ListLaunchPlans")[0].filters, "eq(workflow.name,app.wf)")
        done = self.run_sandbox("get", "launchplan", "app.wf", "--latest")
        self.assertEqual(self.plane.named("ListLaunchPlans")[1].limit, 1)
        self.assertIn("at: about at", done.stdout)

    def test_nothing_is_an_error_with_its_name(self):
        self.assertIn("no tasks retrieved for app.run", self.run_sandbox("get", "task", "app.run", code=3).stderr)

    def test_details(self):
        done = self.run_sandbox("get", "execution", "f0", "--details")
        for text in ("n0 - SUCCEEDED", "n0-0-dn0 - SUCCEEDED", "Attempt :1", "Reason - it was slow", "o0: 42"):
            self.assertIn(text, done.stdout)
        nodes = json.loads(self.run_sandbox("get", "execution", "f0", "--details", "-o", "json").stdout)
        self.assertEqual(nodes[1]["child_nodes"][0]["outputs"], {"o0": 42})
        # What is empty is left out, as flytectl's JSON has it.
        self.assertEqual((set(nodes[0]), set(nodes[1])), ({"node_exec", "outputs"}, {"node_exec", "child_nodes"}))
        self.assertIn("│   │   │   ├── Reason - it was slow\n│   │   │   │   and then slower\n", done.stdout)
        for text in ("Generated Name : f0-n0-0", "Plugin Identifier : container", "Ext Resource : job-7", "Name :Kubernetes", "URI :http://logs/1"):
            self.assertIn(f"├── {text}\n", done.stdout)
        inner = self.run_sandbox("get", "execution", "f0", "--nodeID", "n0-0-dn0", "-o", "json")
        self.assertEqual([n["node_exec"]["id"]["nodeId"] for n in json.loads(inner.stdout)], ["n0-0-dn0"])
        self.run_sandbox("get", "execution", "f0", "--nodeID", "n9", code=3)

    def test_names_that_are_none(self):
        self.assertIn("did you mean 'task'?", self.run_sandbox("get", "taks", code=2).stderr)
        self.run_sandbox("get", code=2)


RESOURCES = "domain: development\nproject: flytesnacks\ndefaults:\n  cpu: \"1\"\n  memory: 150Mi\nlimits:\n  memory: 450Mi\n"


class Attributes(Case):
    def test_set_show_and_take_away(self):
        self.write("tra.yaml", RESOURCES)
        done = self.run_sandbox("update", "task-resource-attribute", "--attrFile", "tra.yaml", answer="y\n")
        self.assertIn("+defaults:", done.stdout)
        self.assertIn("Updated attributes from flytesnacks project and domain development\n", done.stdout)
        sent = self.plane.named("UpdateProjectDomainAttributes")[0].attributes
        self.assertEqual((sent.project, sent.domain, sent.matching_attributes.task_resource_attributes.limits.memory), ("flytesnacks", "development", "450Mi"))
        self.assertIn("No changes detected", self.run_sandbox("update", "task-resource-attribute", "--attrFile", "tra.yaml").stdout)
        shown = json.loads(self.run_sandbox("get", "task-resource-attribute", "-p", "flytesnacks", "-d", "development").stdout)
        self.assertEqual(shown, {"project": "flytesnacks", "domain": "development", "defaults": {"cpu": "1", "memory": "150Mi"}, "limits": {"memory": "450Mi"}})
        self.run_sandbox("get", "task-resource-attribute", "--attrFile", "out.yaml")
        self.assertIn("No changes detected", self.run_sandbox("update", "task-resource-attribute", "--attrFile", "out.yaml").stdout)
        self.write("tra.yaml", RESOURCES.replace("450Mi", "900Mi"))
        done = self.run_sandbox("update", "task-resource-attribute", "--attrFile", "tra.yaml", "--force")
        self.assertIn('-  memory: "450Mi"\n+  memory: "900Mi"\n', done.stdout)
        self.run_sandbox("delete", "task-resource-attribute", "--attrFile", "tra.yaml")
        self.run_sandbox("get", "task-resource-attribute", code=3)

    def test_nothing_changes_without_a_yes(self):
        self.write("tra.yaml", RESOURCES)
        self.assertIn("--force", self.run_sandbox("update", "task-resource-attribute", "--attrFile", "tra.yaml", answer="n\n", code=4).stderr)
        self.run_sandbox("update", "task-resource-attribute", "--attrFile", "tra.yaml", "--dryRun")
        self.run_sandbox("update", "task-resource-attribute", code=2)
        self.assertEqual(self.plane.attributes, {})

    def test_every_kind_and_scope(self):
        kinds = {
            "cluster-resource-attribute": ("attributes: {foo: bar}", "cluster_resource_attributes"),
            "execution-queue-attribute": ("tags: [a, b]", "execution_queue_attributes"),
            "execution-cluster-label": ("value: gpu", "execution_cluster_label"),
            "plugin-override": ("overrides: [{task_type: python_task, plugin_id: [p], missing_plugin_behavior: 1}]", "plugin_overrides"),
            "workflow-execution-config": ("max_parallelism: 5\ninterruptible: {value: true}\nlabels: {values: {a: b}}", "workflow_execution_config"),
        }
        for kind, (text, target) in kinds.items():
            self.write("a.yaml", f"project: acme\n{text}\n")
            self.run_sandbox("update", kind, "--attrFile", "a.yaml", "--force")
            self.assertEqual(self.plane.attributes["acme", "", ""].WhichOneof("target"), target)
            self.write("w.yaml", f"project: acme\ndomain: d\nworkflow: app.wf\n{text}\n")
            self.run_sandbox("update", kind, "--attrFile", "w.yaml", "--force")
            self.assertEqual(self.plane.attributes["acme", "d", "app.wf"].WhichOneof("target"), target)
            self.assertEqual(json.loads(self.run_sandbox("get", kind + "s", "-p", "acme", "-d", "d", "app.wf", "-o", "json").stdout)["workflow"], "app.wf")
        self.assertTrue(self.plane.attributes["acme", "", ""].workflow_execution_config.interruptible.value)

    def test_the_form_is_the_one_that_flytectl_reads(self):
        """It reads a file as Go's JSON: enums by number, a BoolValue as the struct that it is, {} for false."""
        self.write("a.yaml", "project: acme\noverrides: [{task_type: a, plugin_id: [p], missing_plugin_behavior: USE_DEFAULT}]\n")
        self.run_sandbox("update", "plugin-override", "--attrFile", "a.yaml", "--force")
        self.run_sandbox("get", "plugin-override", "-p", "acme", "--attrFile", "out.yaml")
        self.assertIn("missing_plugin_behavior: 1\n", (self.directory / "out.yaml").read_text(encoding="utf-8"))
        self.write("a.yaml", "project: acme\ninterruptible: {}\noverwrite_cache: true\n")
        self.run_sandbox("update", "workflow-execution-config", "--attrFile", "a.yaml", "--force")
        config = self.plane.attributes["acme", "", ""].workflow_execution_config
        self.assertEqual((config.HasField("interruptible"), config.interruptible.value, config.overwrite_cache), (True, False, True))
        shown = json.loads(self.run_sandbox("get", "workflow-execution-config", "-p", "acme").stdout)
        self.assertEqual((shown["interruptible"], shown["overwrite_cache"]), ({"value": False}, True))
        self.write("a.yaml", json.dumps(shown))
        self.assertIn("No changes detected", self.run_sandbox("update", "workflow-execution-config", "--attrFile", "a.yaml").stdout)

    def test_a_sample(self):
        self.run_sandbox("get", "workflow-execution-config", "--attrFile", "wec.yaml", "--gen")
        self.assertIn("max_parallelism: 10", (self.directory / "wec.yaml").read_text(encoding="utf-8"))
        self.run_sandbox("get", "workflow-execution-config", code=3)

    def test_files_that_are_none(self):
        for text in ("project: p\nlimitz: {}\n", "project: p\nlimits: {cpu: 1}\n", "[]", "limits: {}\n", "project: 1\n", "project: p\nworkflow: w\n"):
            self.assertIn("error[", self.run_sandbox("update", "task-resource-attribute", "--attrFile", self.write("a.yaml", text), "--force", code=12).stderr)
        self.assertEqual(self.plane.attributes, {})


class Others(Case):
    def test_projects(self):
        self.run_sandbox("create", "project", "--id", "tutorial", "--name", "Tutorial", "--labels", "a=b,c=d", "--description", "text")
        project = self.plane.named("RegisterProject")[0].project
        self.assertEqual((project.id, project.name, project.description, dict(project.labels.values)), ("tutorial", "Tutorial", "text", {"a": "b", "c": "d"}))
        self.write("p.yaml", "id: other\nname: Other\nlabels: {values: {app: flyte}}\n")
        self.run_sandbox("create", "project", "--file", "p.yaml")
        self.assertEqual(self.plane.named("RegisterProject")[1].project.labels.values["app"], "flyte")
        self.assertIn("project id wasn't passed", self.run_sandbox("create", "project", "--name", "x", code=2).stderr)
        self.assertIn("both project and id", self.run_sandbox("create", "project", "--id", "a", "-p", "b", "--name", "x", code=2).stderr)
        done = self.run_sandbox("update", "project", "-p", "flytesnacks", "--archive", "--force")
        self.assertIn("-state: 0\n+state: 1\n", done.stdout)
        sent = self.plane.named("UpdateProject")[0]
        self.assertEqual((sent.id, sent.name, sent.state), ("flytesnacks", "Snacks", 1))

    def test_launch_plans_and_executions(self):
        self.run_sandbox("update", "launchplan", "app.wf", "--version", "v1", "--activate", "--force")
        self.assertEqual([r.state for r in self.plane.named("UpdateLaunchPlan")], [1])
        self.assertIn("No changes", self.run_sandbox("update", "launchplan", "app.wf", "--version", "v1", "--deactivate").stdout)
        self.assertIn("version wasn't passed", self.run_sandbox("update", "launchplan", "app.wf", code=2).stderr)
        self.run_sandbox("update", "execution", "f1", "--archive", "--force")
        self.assertEqual([r.state for r in self.plane.named("UpdateExecution")], [1])

    def test_where_the_control_plane_is(self):
        other = self.write("other.yaml", f"admin:\n  endpoint: 127.0.0.1:{self.plane.port}\n  insecure: true\n")
        self.configuration.unlink()
        self.run_sandbox("get", "project", "--admin.endpoint", f"dns:///127.0.0.1:{self.plane.port}")
        self.run_sandbox("get", "project", "--config", other)
        self.environment["FLYTECTL_CONFIG"] = str(self.directory / other)
        self.run_sandbox("get", "project")
        self.assertEqual(len(self.plane.named("ListProjects")), 3)
        # An instance that is named is meant, whatever FLYTECTL_CONFIG says; it is asked for at the engine.
        self.run_sandbox("--name", "ci1", "get", "project", code=8)
        del self.environment["FLYTECTL_CONFIG"]
        self.run_sandbox("get", "project", code=8)
        self.write("none.yaml", "admin: {}\n")
        self.assertIn("error[no-endpoint]", self.run_sandbox("get", "project", "--config", "none.yaml", code=12).stderr)

    def test_a_control_plane_that_is_gone_or_says_no(self):
        self.plane.failures["ListProjects"] = (grpc.StatusCode.PERMISSION_DENIED, "not you")
        self.assertIn("not you", self.run_sandbox("get", "project", code=7).stderr)
        self.plane.close()
        self.assertIn("hint: sandbox status", self.run_sandbox("get", "project", code=8).stderr)


if __name__ == "__main__":
    unittest.main()
