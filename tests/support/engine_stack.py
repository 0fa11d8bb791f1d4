"""The control plane on its own, without containers: a real Postgres in a temporary directory, tests/support/pod_double.c in place of
Kubernetes and the object store, and as many control planes beside each other as are wanted. Only the standard library is needed."""

import contextlib
import glob
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

PROJECT, DOMAIN = "flytesnacks", "development"
FINAL = "('SUCCEEDED', 'FAILED', 'ABORTED', 'TIMED_OUT')"


class NotThere(Exception):
    """Something that this machine has not."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Postgres:
    def __init__(self, directory, *settings):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
        if not found:
            raise NotThere("no Postgres server is installed (looked for /usr/lib/postgresql/*/bin/postgres)")
        self.binaries = pathlib.Path(found[-1]).parent
        self.directory = directory
        self.settings = settings
        self.user = "postgres" if os.getuid() == 0 else None
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(directory, entry.pw_uid, entry.pw_gid)

    def run(self, *arguments):
        return subprocess.run(arguments, user=self.user, check=True, capture_output=True, text=True, cwd=self.directory).stdout

    def start(self):
        data = f"{self.directory}/data"
        self.run(f"{self.binaries}/initdb", "-D", data, "-Upostgres", "-EUTF8", "--locale=C.UTF-8", "--auth=trust", "--no-sync")
        command = [f"{self.binaries}/postgres", "-D", data, "-k", self.directory, "-clisten_addresses=", "-csynchronous_commit=off",
                   "-cmax_connections=100", "-cshared_buffers=64MB", *(f"-c{setting}" for setting in self.settings)]
        with open(f"{self.directory}/log", "wb") as log:
            self.process = subprocess.Popen(command, user=self.user, cwd=self.directory, stdout=subprocess.DEVNULL, stderr=log)
        deadline = time.monotonic() + 60
        while subprocess.run([f"{self.binaries}/pg_isready", "-q", "-h", self.directory], check=False).returncode:
            if time.monotonic() > deadline:
                raise AssertionError(f"Postgres does not start: {pathlib.Path(self.directory, 'log').read_text()}")
            time.sleep(0.1)
        self.run(f"{self.binaries}/psql", "-h", self.directory, "-U", "postgres", "-Xqc", "create database flyte", "postgres")
        # One for all queries: a process that has used gRPC cannot safely fork another.
        self.client = subprocess.Popen([f"{self.binaries}/psql", "-h", self.directory, "-U", "postgres", "-XAtq", "flyte"],
                                       user=self.user, cwd=self.directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       text=True)

    def query(self, sql):
        self.client.stdin.write(f"{sql};\n\\echo end-of-answer\n")
        self.client.stdin.flush()
        lines = []
        while (line := self.client.stdout.readline()) != "end-of-answer\n":
            if not line:
                raise AssertionError("psql has ended")
            lines.append(line)
        return "".join(lines).strip()

    @property
    def url(self):
        return f"host={self.directory} user=postgres dbname=flyte"

    def stop(self):
        self.client.stdin.close()
        self.client.wait(30)
        self.client.stdout.close()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


class Double:
    def __init__(self, binaries, *options):
        self.port = free_port()
        self.process = subprocess.Popen([pathlib.Path(binaries, "pod_double"), str(self.port), *map(str, options)])

    def request(self, path, method="GET"):
        with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)) as response:
            return response.read()

    def stats(self):
        return json.loads(self.request("/stats"))

    def forget(self):
        self.request("/stats", "POST")

    def run_ms(self, milliseconds):
        """How long pods run from now on; -1 for ever, until another number comes."""
        self.request(f"/run?{milliseconds}", "POST")

    def stop(self):
        self.process.kill()
        self.process.wait()


class ControlPlane:
    def __init__(self, directory, binaries, postgres, double, workers=4, log_level="warn"):
        self.port = free_port()
        kubeconfig = pathlib.Path(directory, "kubeconfig.yaml")
        kubeconfig.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: double\n"
            f"clusters: [{{name: double, cluster: {{server: 'http://127.0.0.1:{double.port}'}}}}]\n"
            "contexts: [{name: double, context: {cluster: double, user: double}}]\n"
            "users: [{name: double, user: {token: none}}]\n")
        environment = {**os.environ, "FLYTE_PORT": str(self.port), "FLYTE_LISTEN_ADDRESS": "127.0.0.1",
                       "FLYTE_DATABASE_URL": postgres.url, "FLYTE_KUBECONFIG": str(kubeconfig),
                       "FLYTE_S3_ENDPOINT": f"http://127.0.0.1:{double.port}", "FLYTE_ENGINE_WORKERS": str(workers),
                       "FLYTE_LOG_LEVEL": log_level, "FLYTE_ADMISSION_HOST": "", "FLYTE_CONFIG_FILE": ""}
        self.log = pathlib.Path(directory, f"controlplane-{self.port}.log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([pathlib.Path(binaries, "flyte-controlplane")], env=environment, stderr=log)

    def wait(self):
        """Until it answers and has seen all pods."""
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthcheck/detail") as response:
                    response.read()
                    return self
            except (urllib.error.URLError, ConnectionError) as e:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"the control plane does not start: {e}\n{self.log.read_text()[-2000:]}") from e
                time.sleep(0.05)

    def post(self, path, message, method="POST"):
        """A REST call with a message in proto3 JSON."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/v1/{path}", json.dumps(message).encode(),
                                         {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}") as response:
            return json.load(response)

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as response:
            for line in response.read().decode().splitlines():
                if line.startswith(f"{name} "):
                    return float(line.split()[1])
        raise AssertionError(f"there is no metric {name}")

    def memory(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self):
        self.process.kill()
        self.process.wait(60)

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


class Stack(contextlib.ExitStack):
    """Postgres, the double and one control plane (`plane`); more of those by `add`. All ends with the context."""

    def __init__(self, binaries, workers=4, postgres_settings=(), double_options=()):
        super().__init__()
        self.binaries, self.workers = binaries, workers
        self.postgres_settings, self.double_options = postgres_settings, double_options
        self.planes = []

    def __enter__(self):
        super().__enter__()
        self.directory = tempfile.mkdtemp(prefix="sandbox-engine-")
        self.callback(shutil.rmtree, self.directory, ignore_errors=True)
        os.chmod(self.directory, 0o755)
        database_directory = pathlib.Path(self.directory, "postgres")
        database_directory.mkdir()
        try:
            self.postgres = Postgres(str(database_directory), *self.postgres_settings)
            self.postgres.start()
            self.callback(self.postgres.stop)
            self.double = Double(self.binaries, *self.double_options)
            self.callback(self.double.stop)
            self.plane = self.add()
        except BaseException:
            self.close()
            raise
        return self

    def add(self):
        plane = ControlPlane(self.directory, self.binaries, self.postgres, self.double, self.workers)
        self.planes.append(plane)
        self.callback(plane.stop)
        return plane.wait()

    def logs(self):
        return "".join(f"{plane.log.name}:\n{plane.log.read_text()[-2000:]}" for plane in self.planes)


# ---- A chain of tasks, as JSON for the REST routes ----


def identifier(kind, name, version):
    return {"resourceType": kind, "project": PROJECT, "domain": DOMAIN, "name": name, "version": version}


def register_chain(plane, name, length, version="1", schedule=None):
    """Tasks that take and give nothing, one after the other. Returns the launch plan's id; with a schedule it is active."""
    task, workflow = identifier("TASK", f"{name}.task", version), identifier("WORKFLOW", name, version)
    plan = identifier("LAUNCH_PLAN", name, version)
    plane.post("tasks", {"id": task, "spec": {"template": {
        "id": task, "type": "python-task", "metadata": {"runtime": {"type": "FLYTE_SDK", "version": "1.16.31", "flavor": "python"}},
        "interface": {}, "container": {"image": "none", "args": ["true"]}}}})
    nodes = [{"id": f"n{k}", "metadata": {"name": "t"}, "taskNode": {"referenceId": task},
              "upstreamNodeIds": [f"n{k - 1}"] if k else []} for k in range(length)]
    plane.post("workflows", {"id": workflow, "spec": {"template": {
        "id": workflow, "metadata": {}, "metadataDefaults": {}, "interface": {}, "nodes": nodes}}})
    plane.post("launch_plans", {"id": plan, "spec": {"workflowId": workflow, "entityMetadata": {"schedule": schedule} if schedule else {}}})
    if schedule:
        plane.post(f"launch_plans/{PROJECT}/{DOMAIN}/{name}/{version}", {"id": plan, "state": "ACTIVE"}, method="PUT")
    return plan


def execute(plane, plan, name=""):
    return plane.post("executions", {"project": PROJECT, "domain": DOMAIN, "name": name,
                                     "spec": {"launchPlan": plan, "metadata": {}}})["id"]["name"]


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Takeover:
    """Kills one of several replicas while chains run, and tells what became of them."""

    def __init__(self, stack, replicas=3):
        self.stack = stack
        while len(stack.planes) < replicas:
            stack.add()

    def count(self, condition):
        return int(self.stack.postgres.query(f"select count(*) from executions where {condition}"))

    def wait(self, what, reached, deadline_s):
        deadline = time.monotonic() + deadline_s
        while not reached():
            if time.monotonic() > deadline:
                states = self.stack.postgres.query("select phase, engine_replica, count(*) from executions group by 1, 2")
                raise AssertionError(f"waited {deadline_s} s for {what}; executions now:\n{states}\n{self.stack.logs()}")
            time.sleep(0.05)

    def owners(self):
        rows = self.stack.postgres.query(f"select engine_replica, count(*) from executions where phase not in {FINAL} group by 1")
        return {name.rpartition(":")[2]: int(count) for name, count in (row.split("|") for row in rows.splitlines())}

    def run(self, executions, length, run_ms, deadline_s):
        """Seconds from the ends of pods to the next pods' creation, all after the kill; and the victim's share."""
        stack = self.stack
        plan = register_chain(stack.plane, f"takeover.{len(stack.planes)}", length)
        stack.double.run_ms(-1)
        for number in range(executions):
            execute(stack.planes[number % len(stack.planes)], plan)
        # All first pods are there and each execution is somebody's.
        self.wait("the first pods", lambda: stack.double.stats()["created"] == executions and "" not in self.owners(), deadline_s)
        owners = self.owners()
        victim = max(stack.planes, key=lambda plane: owners.get(str(plane.port), 0))
        share = owners[str(victim.port)]
        stack.double.run_ms(run_ms)
        self.wait("some progress", lambda: stack.double.stats()["created"] > executions * length // 4, deadline_s)
        victim.kill()
        stack.double.request("/stats?latencies", "POST")
        self.wait("the end of all executions", lambda: self.count(f"phase in {FINAL}") == executions, deadline_s)
        return [latency / 1e6 for latency in stack.double.stats()["latencies_us"]], share
