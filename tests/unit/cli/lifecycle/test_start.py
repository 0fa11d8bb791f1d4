"""A start that goes well, and what it waits for."""

import http.server
import json
import threading

from fake_engine import READY, STARTING, Exec, lines, service
from launcher import FREE_PORTS, Case


class Start(Case):
    def test_from_nothing(self):
        for seed in range(4):
            with self.subTest(seed=seed):
                self.engine.random.seed(seed)
                done = self.run_sandbox("start", *FREE_PORTS)
                rows = [line.split() for line in done.stdout.splitlines()]
                self.assertEqual(rows[0], ["SERVICE", "STATUS", "NAMESPACE", "ENDPOINT"])
                self.assertEqual([row[:3] for row in rows[1:4]], [["postgres", "ready", "flyte"], ["kubernetes", "ready", "kube-system"], ["controlplane", "ready", "flyte"]])
                self.assertIn("/console", done.stdout)
                self.assertIn("export FLYTECTL_CONFIG=$HOME/.flyte/config-sandbox.yaml", done.stdout)
                self.assertNotIn("containerd", done.stdout)
                self.assertEqual(self.engine.running(), ["flyte-sandbox"])
                self.run_sandbox("delete", "--volume")
                self.assert_nothing_left()

    def test_json_is_all_of_stdout(self):
        document = json.loads(self.run_sandbox("start", *FREE_PORTS, "-o", "json").stdout)
        self.assertEqual((document["schemaVersion"], document["name"], document["state"], document["ready"]), (1, "flyte-sandbox", "running", True))
        self.assertEqual({service["name"] for service in document["services"]}, {"postgres", "kubernetes", "controlplane"})
        self.assertEqual(set(document["endpoints"]), {"console", "grpc", "kubernetes", "s3", "postgres"})
        self.assertEqual(document["timings"]["kubernetes"], 2700)

    def test_twice(self):
        self.run_sandbox("start", *FREE_PORTS)
        done = self.run_sandbox("start")
        self.assertIn("is running", done.stderr)
        self.assertIn("controlplane", done.stdout)
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 1)

    def test_specification(self):
        self.run_sandbox("start", *FREE_PORTS, "--port", "http=31999", "--env", "A=b", "--memory", "2048")
        body = json.loads(self.engine.asked("POST", "/containers/create")[0][3])
        host = body["HostConfig"]
        self.assertNotIn("Privileged", host)
        self.assertEqual(host["PortBindings"]["30080/tcp"], [{"HostIp": "127.0.0.1", "HostPort": "31999"}])
        self.assertEqual(host["Memory"], 2048 << 20)
        self.assertIn("A=b", body["Env"])
        self.assertEqual(host["RestartPolicy"], {"Name": "no"})
        # Only what has become ready shall come back by itself.
        self.assertEqual(self.engine.find("flyte-sandbox")["HostConfig"]["RestartPolicy"], {"Name": "on-failure", "MaximumRetryCount": 1})

    def test_stop_and_start_keep_container_and_ports(self):
        self.run_sandbox("start", *FREE_PORTS)
        before = self.engine.find("flyte-sandbox")["HostConfig"]["PortBindings"]
        self.run_sandbox("stop")
        self.assertEqual(self.engine.running(), [])
        self.run_sandbox("stop")
        self.run_sandbox("start", *FREE_PORTS)
        self.assertEqual(self.engine.find("flyte-sandbox")["HostConfig"]["PortBindings"], before)
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 1)

    def test_new_image_makes_the_container_anew(self):
        self.run_sandbox("start", *FREE_PORTS)
        self.run_sandbox("stop")
        self.engine.images["flyte-sandbox:0.1.0"] = "sha256:new"
        self.run_sandbox("start", *FREE_PORTS)
        self.assertEqual(len(self.engine.asked("POST", "/containers/create")), 2)
        self.assertEqual(self.engine.asked("DELETE", "/volumes/"), [])

    def test_paused(self):
        self.engine.add_container(status="paused")
        self.run_sandbox("start")
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])

    def test_instances(self):
        self.run_sandbox("start", "--name", "ci1")
        self.run_sandbox("start", "--name", "ci2")
        self.assertEqual(sorted(self.engine.running()), ["flyte-sandbox-ci1", "flyte-sandbox-ci2"])
        bindings = [json.dumps(self.engine.find(name)["HostConfig"]["PortBindings"], sort_keys=True) for name in self.engine.running()]
        self.assertNotEqual(*bindings)
        self.assertTrue((self.home / ".flyte/config-sandbox-ci1.yaml").exists())

    def test_slow_readiness_is_followed(self):
        events = [service("postgres", "starting", 5432), *STARTING[:2], service("kubernetes", "failed", 6443, "kube-system", "exit 1"), *READY]
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(events))
        done = self.run_sandbox("start", *FREE_PORTS)
        self.assertIn("waits for the API server", done.stdout)
        self.assertIn("exit 1", done.stdout)

    def test_first_contact_takes_a_while(self):
        """PID 1 has not opened its socket yet; the engine complains on stdout; then it works."""
        answers = [Exec(stderr="sandbox-init: cannot reach PID 1\n", code=1), Exec(stdout="cannot exec in a stopped state\n", code=126), Exec(lines(READY))]
        original = self.engine.result_of

        def result_of(command):
            return answers.pop(0) if command[:3] == ["sandbox-init", "status", "--follow"] and len(answers) > 1 else original(command)

        answers[1].code = 1
        self.engine.result_of = result_of
        self.run_sandbox("start", *FREE_PORTS)
        self.assertEqual(len(answers), 1)

    def test_events(self):
        done = self.run_sandbox("start", *FREE_PORTS, "--events")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([event["step"] for event in events if event["type"] == "step"], ["checks", "ports", "image", "container", "services", "clients"])
        self.assertEqual([event["service"]["name"] for event in events if event["type"] == "service"], ["postgres", "kubernetes", "controlplane"])
        self.assertEqual((events[-1]["type"], events[-1]["result"]["state"]), ("result", "running"))
        self.assertTrue(all(event["schemaVersion"] == 1 and event["command"] == "start" for event in events))
        self.assertTrue(any(event["type"] == "message" and "ready after" in event["text"] for event in events))
        self.assertEqual(done.stderr, "")

    def test_events_of_a_failure(self):
        self.engine.images.clear()
        done = self.run_sandbox("start", *FREE_PORTS, "--events", code=3)
        last = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual((last["type"], last["error"]["id"], last["check"]), ("error", "image-missing", "image"))

    def test_dry_run(self):
        done = self.run_sandbox("start", "--dry-run", "--ports", "auto", "--port", "http=31995", "--env", "A=b")
        self.assertIn("http on 127.0.0.1:31995", done.stdout)
        document = json.loads(self.run_sandbox("start", "--dry-run", *FREE_PORTS, "-o", "json", "--image", "other:1").stdout)
        self.assertEqual((document["dryRun"], document["imagePresent"], document["before"], document["container"]["Image"]), (True, False, "absent", "other:1"))
        self.assert_nothing_left()
        self.assertEqual(self.engine.asked("POST", ""), [])

    def test_wait_for_the_api(self):
        """The control plane answers; the rest may take its time."""
        events = [service("controlplane", "starting", 30080), service("controlplane", "ready", 30080), service("kubernetes", "starting")]
        self.engine.commands["sandbox-init status --follow --json"] = Exec(lines(events), hang=True)
        self.engine.files.clear()
        self.run_sandbox("start", *FREE_PORTS, "--wait", "api")
        self.assertTrue((self.home / ".flyte/config-sandbox.yaml").exists())
        self.assertFalse((self.home / ".kube/config").exists())
        self.assertEqual(self.engine.asked("POST", "/update$"), [])

    def first_task(self, answers):
        """Flyte's API behind the sandbox's port: `answers` by method and path's end."""
        asked = []

        class Api(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                asked.append((self.command, self.path, json.loads(body) if body else None))
                status, value = answers[self.command, self.path.split("/")[3]]
                data = json.dumps(value.pop(0) if isinstance(value, list) else value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.engine.image_labels = {"dev.sandbox.task-image": "task:1"}
        self.engine.add_container()
        self.engine.find("flyte-sandbox")["HostConfig"]["PortBindings"]["30080/tcp"][0]["HostPort"] = str(server.server_address[1])
        return asked

    def test_wait_for_a_first_task(self):
        running, done = {"closure": {"phase": "RUNNING"}}, {"closure": {"phase": "SUCCEEDED"}}
        asked = self.first_task({("POST", "tasks"): (409, {"message": "there"}), ("POST", "executions"): (200, {"id": {"name": "f1"}}), ("GET", "executions"): (200, [running, done])})
        self.assertIn("a first task has run", self.run_sandbox("start", "--wait", "first-task").stderr)
        self.assertEqual(asked[0][2]["spec"]["template"]["container"], {"image": "task:1", "command": ["true"]})
        self.assertEqual(asked[1][2]["spec"]["launch_plan"], asked[0][2]["id"])
        self.assertEqual([path for _, path, _ in asked[2:]], ["/api/v1/executions/flytesnacks/development/f1"] * 2)

    def test_first_task_that_fails(self):
        execution = {("POST", "tasks"): (200, {}), ("POST", "executions"): (200, {"id": {"name": "f1"}})}
        self.first_task({**execution, ("GET", "executions"): (200, {"closure": {"phase": "FAILED", "error": {"message": "no room"}}})})
        self.assert_error(self.run_sandbox("start", "--wait", "first-task", code=1), "first-task", "FAILED: no room")
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])
        self.first_task({**execution, ("GET", "executions"): (200, {"closure": {"phase": "QUEUED"}})})
        self.assert_error(self.run_sandbox("start", "--wait", "first-task", "--timeout", "1s", code=9), "first-task", "still QUEUED")
        self.first_task({("POST", "tasks"): (400, {"message": "malformed"})})
        self.assert_error(self.run_sandbox("start", "--wait", "first-task", code=1), "first-task", "malformed")
        self.first_task({("POST", "tasks"): (200, {}), ("POST", "executions"): (400, {"message": "no such project"})})
        self.assert_error(self.run_sandbox("start", "--wait", "first-task", code=1), "first-task", "no such project")
        self.engine.image_labels = {}
        self.assert_error(self.run_sandbox("start", "--wait", "first-task", code=11), "first-task", "brings no image")

    def test_no_wait(self):
        self.engine.commands["sandbox-init status --follow --json"] = Exec(hang=True)
        self.run_sandbox("start", *FREE_PORTS, "--no-wait")
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])
