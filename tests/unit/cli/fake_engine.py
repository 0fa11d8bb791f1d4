"""A Docker engine that is none: a small state behind the Engine API on a Unix socket, with scripted faults.

Every answer goes out in pieces of random size (seeded, so that a failure comes again), HTTP chunks and socket writes cut
independently: a client that relies on where the pieces end fails here. What the client asked for is kept in `requests`."""

import base64
import io
import json
import os
import random
import re
import socket
import socketserver
import struct
import tarfile
import threading
import urllib.parse

KUBECONFIG = """apiVersion: v1
kind: Config
clusters:
- name: default
  cluster:
    server: https://127.0.0.1:6443
    certificate-authority-data: QUJD
users:
- name: default
  user:
    client-key-data: R0hJ
contexts: []
"""


def service(name, status, port=0, namespace="flyte", message="", hidden=False):
    return {"service": name, "status": status, "namespace": namespace, "message": message, "endpoint_port": port, "since_ms": 1, "hidden": hidden}


READY = [
    service("postgres", "ready", 5432),
    service("kubernetes", "ready", 6443, "kube-system"),
    service("controlplane", "ready", 30080),
    service("containerd", "ready", 0, "kube-system", hidden=True),
    {"ready": True, "timings": {"postgres": 140, "kubernetes": 2700, "controlplane": 2750}},
]
STARTING = [service("postgres", "ready", 5432), service("kubernetes", "starting", 6443, "kube-system", "waits for the API server"), {"ready": False, "timings": {}}]


def frame(stream, data):
    return struct.pack(">BxxxL", stream, len(data)) + data


class Exec:
    """What a command prints and how it ends. `hang`: the stream stays open until the engine is told to end or the container dies."""

    def __init__(self, stdout=b"", stderr=b"", code=0, hang=False, echo=False):
        self.stdout = stdout if isinstance(stdout, bytes) else stdout.encode()
        self.stderr = stderr if isinstance(stderr, bytes) else stderr.encode()
        self.code = code
        self.hang = hang
        self.echo = echo


def lines(values):
    return "".join(json.dumps(value) + "\n" for value in values)


class FakeEngine:
    def __init__(self, directory, api="1.41", minimum="1.12", seed=1):
        self.path = os.path.join(directory, "engine.sock")
        self.api = api
        self.minimum = minimum
        self.ping_version = api
        self.random = random.Random(seed)
        self.lock = threading.RLock()
        self.requests = []
        self.images = {"flyte-sandbox:0.1.0": "sha256:aaaa"}
        self.volumes = {}
        self.containers = {}
        self.execs = {}
        self.podman = False
        self.faults = {}  # "METHOD regex" -> (status, message), or a function of the handler
        self.interceptor = None  # asked about each request: a function that answers it, or None
        self.gone = False  # closes every connection without an answer
        self.root = directory
        self.logs = [(1, b"log line one\n"), (2, b"log line two\n")]
        self.files = {"/var/lib/sandbox/kubernetes/kubeconfig.yaml": KUBECONFIG}
        self.commands = {"sandbox-init status --follow --json": Exec(lines(READY)), "sandbox-init status --json": Exec(lines(READY))}
        self.uploads = []
        self.events = []
        self.information = {}
        self.controllers = ["cpu", "memory", "pids"]  # Podman's
        self.image_labels = {}
        self.pull_answer = [{"status": "Downloading", "id": "l1", "progressDetail": {"current": 1, "total": 2}}, {"status": "Download complete", "id": "l1"}]
        self.pull_hangs = False
        self.load_answer = [{"stream": "Loaded image: flyte-sandbox:0.1.0\n"}]
        self.ended = threading.Event()
        self.waiting = threading.Event()  # a hanging exchange has been reached
        self.died = threading.Condition(self.lock)
        engine = self

        class Handler(Connection):
            pass

        Handler.engine = engine

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request, client_address):
                pass

        self.server = Server(self.path, Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.ended.set()
        with self.lock:
            self.died.notify_all()
        self.server.shutdown()
        self.server.server_close()

    # ---- state ----

    def add_container(self, name="flyte-sandbox", status="running", labels=None, exit_code=0, **more):
        with self.lock:
            bindings = {"30080/tcp": 30080, "6443/tcp": 6443, "5432/tcp": 30001, "9000/tcp": 30002}
            self.containers[name] = {
                "Id": "c" * 12 + name,
                "Name": "/" + name,
                "Image": "sha256:aaaa",
                "Created": "2026-01-01T00:00:00Z",
                "Config": {"Image": "flyte-sandbox:0.1.0", "Tty": False, "Labels": {"dev.sandbox.instance": name} if labels is None else labels},
                "State": {"Status": status, "ExitCode": exit_code, "OOMKilled": False, "StartedAt": "2026-01-01T00:00:00Z"},
                "HostConfig": {"PortBindings": {key: [{"HostIp": "127.0.0.1", "HostPort": str(port)}] for key, port in bindings.items()}},
                **more,
            }
            return self.containers[name]

    def find(self, name):
        for container in self.containers.values():
            if name in (container["Id"], container["Name"][1:]):
                return container
        return None

    def die(self, exit_code):
        with self.lock:
            for container in self.containers.values():
                container["State"].update(Status="exited", ExitCode=exit_code)
            self.died.notify_all()

    def running(self):
        return [name for name, container in self.containers.items() if container["State"]["Status"] == "running"]

    def asked(self, method, pattern):
        with self.lock:
            return [request for request in self.requests if request[0] == method and re.search(pattern, request[1])]

    def result_of(self, command):
        text = " ".join(command)
        for known, result in self.commands.items():
            if text == known or (known.endswith("*") and text.startswith(known[:-1])):
                return result
        return Exec(stderr="unknown command\n", code=127)


class Connection(socketserver.StreamRequestHandler):
    engine = None

    # ---- transport ----

    def handle(self):
        while True:
            head = self.rfile.readline()
            if not head.strip():
                return
            self.method, self.target, _ = head.decode().split()
            self.headers = {}
            for line in iter(self.rfile.readline, b"\r\n"):
                if not line:
                    return
                name, value = line.decode().split(":", 1)
                self.headers[name.lower()] = value.strip()
            self.body = self.read_body()
            if self.dispatch() is False:
                return

    def read_body(self):
        if self.headers.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                size = int(self.rfile.readline(), 16)
                data = self.rfile.read(size)
                self.rfile.readline()
                body += data
                if not size:
                    return body
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def write(self, data):
        """In pieces."""
        at = 0
        while at < len(data):
            size = self.engine.random.choice([1, 2, 3, 7, 64, 1000, 100000])
            self.wfile.write(data[at : at + size])
            self.wfile.flush()
            at += size

    def head(self, status, headers):
        text = f"HTTP/1.1 {status} X\r\nApi-Version: {self.engine.api}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.write((text + "\r\n").encode())

    def answer(self, status, value=None, headers=None):
        data = b"" if value is None else json.dumps(value).encode()
        if status == 204 or status == 304:
            self.head(status, {})
        else:
            self.head(status, {"Content-Type": "application/json", "Content-Length": len(data), **(headers or {})})
            self.write(data)

    def fail(self, status, message):
        self.answer(status, {"message": message})

    def begin_chunks(self, content_type="application/json"):
        self.head(200, {"Content-Type": content_type, "Transfer-Encoding": "chunked"})

    def chunks(self, data):
        at = 0
        while at < len(data):
            size = self.engine.random.choice([1, 5, 8, 100, 5000])
            piece = data[at : at + size]
            self.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            at += size

    def end_chunks(self):
        self.write(b"0\r\n\r\n")

    def client_gone(self):
        """Whether the other side has closed, without waiting."""
        try:
            return self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def hang(self, until=lambda: False):
        self.engine.waiting.set()
        while not self.engine.ended.wait(0.02) and not self.client_gone():
            with self.engine.lock:
                if until():
                    return True
        return False

    # ---- requests ----

    def dispatch(self):
        engine = self.engine
        path, _, query = self.target.partition("?")
        self.query = {key: values[0] for key, values in urllib.parse.parse_qs(query).items()}
        match = re.match(r"/v1\.(\d+)(/.*)", path)
        self.version = int(match.group(1)) if match else None
        path = urllib.parse.unquote(match.group(2) if match else path)
        with engine.lock:
            engine.requests.append((self.method, path, self.query, self.body, self.headers, self.version))
        if engine.gone:
            return False
        intercepted = engine.interceptor and engine.interceptor(self)
        if intercepted:
            return intercepted()
        if match and self.version < int(engine.minimum.split(".")[1]):
            return self.fail(400, f"client version 1.{self.version} is too old. Minimum supported API version is {engine.minimum}, please upgrade your client")
        if match and self.version > int(engine.api.split(".")[1]):
            return self.fail(400, f"client version 1.{self.version} is too new. Maximum supported API version is {engine.api}")
        for pattern, fault in list(engine.faults.items()):
            method, _, expression = pattern.partition(" ")
            if method == self.method and re.search(expression, path):
                return fault(self) if callable(fault) else self.fail(*fault)
        return self.route()

    def route(self):
        """What the engine answers when nothing is wrong."""
        path = urllib.parse.unquote(re.sub(r"^/v1\.\d+(?=/)", "", self.target.partition("?")[0]))
        for method, expression, function in self.routes:
            found = re.fullmatch(expression, path)
            if found and method == self.method:
                return function(self, *found.groups())
        return self.fail(404, f"page not found: {self.method} {path}")

    def ping(self):
        if self.engine.ping_version is None:
            self.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")
            return
        podman = {"Libpod-API-Version": "4.3.1"} if self.engine.podman else {}
        self.head(200, {"Content-Type": "text/plain", "Content-Length": 2, **podman})
        self.write(b"OK")

    def show_version(self):
        self.answer(200, {"Version": "99.0", "ApiVersion": self.engine.api, "MinAPIVersion": self.engine.minimum})

    def info(self):
        self.answer(200, {"DockerRootDir": self.engine.root, **self.engine.information})

    def libpod_info(self):
        self.answer(200, {"host": {"cgroupControllers": self.engine.controllers}})

    def image_inspect(self, name):
        if name not in self.engine.images and name not in self.engine.images.values():
            return self.fail(404, f"No such image: {name}")
        return self.answer(200, {"Id": self.engine.images.get(name, name), "Config": {"Labels": self.engine.image_labels}})

    def image_create(self):
        self.begin_chunks()
        self.chunks(lines(self.engine.pull_answer).encode())
        if self.engine.pull_hangs:
            self.hang()
            return False
        if not any("error" in line for line in self.engine.pull_answer):
            self.engine.images[f"{self.query['fromImage']}:{self.query['tag']}"] = "sha256:bbbb"
        self.end_chunks()
        return None

    def image_load(self):
        self.begin_chunks()
        self.chunks(lines(self.engine.load_answer).encode())
        self.end_chunks()
        for line in self.engine.load_answer:
            if "Loaded image" in line.get("stream", ""):
                self.engine.images[line["stream"].split(": ")[1].strip()] = "sha256:cccc"

    def image_tag(self, name):
        self.engine.images[f"{self.query['repo']}:{self.query['tag']}"] = self.engine.images[name]
        self.answer(201)

    def volume_create(self):
        volume = json.loads(self.body)
        self.engine.volumes.setdefault(volume["Name"], volume)
        self.answer(201, volume)

    def volume_inspect(self, name):
        if name not in self.engine.volumes:
            return self.fail(404, f"get {name}: no such volume")
        return self.answer(200, self.engine.volumes[name])

    def volume_list(self):
        label = self.wanted_label()
        self.answer(200, {"Volumes": [volume for volume in self.engine.volumes.values() if label in (volume.get("Labels") or {})] or None, "Warnings": None})

    def system_df(self):
        self.answer(200, {"Volumes": [{"Name": name, "UsageData": {"Size": 5 << 20, "RefCount": 1}} for name in self.engine.volumes]})

    def wanted_label(self):
        """The key of the label that a list is asked for; None for everything."""
        labels = json.loads(self.query.get("filters", "{}")).get("label", [None])
        return labels[0]

    def events(self):
        self.begin_chunks()
        self.chunks(lines(self.engine.events).encode())
        if "until" not in self.query:
            self.hang()
            return False
        self.end_chunks()
        return None

    def volume_remove(self, name):
        if self.engine.volumes.pop(name, None) is None:
            return self.fail(404, "no such volume")
        return self.answer(204)

    def container_create(self):
        name = self.query["name"]
        with self.engine.lock:
            if name in self.engine.containers:
                return self.fail(409, f'Conflict. The container name "/{name}" is already in use')
            body = json.loads(self.body)
            if body["Image"] not in self.engine.images and body["Image"] not in self.engine.images.values():
                return self.fail(404, f"No such image: {body['Image']}")
            container = self.engine.add_container(name, "created")
            container.update(Config={"Image": body["Image"], "Env": body.get("Env"), "Labels": body.get("Labels") or {}, "Tty": False}, HostConfig=body["HostConfig"], Image=self.engine.images.get(body["Image"], body["Image"]))
            return self.answer(201, {"Id": container["Id"], "Warnings": []})

    def with_container(self, name):
        container = self.engine.find(name)
        if not container:
            self.fail(404, f"No such container: {name}")
        return container

    def container_inspect(self, name):
        container = self.with_container(name)
        if container:
            self.answer(200, container)

    def container_list(self):
        label = self.wanted_label()
        with self.engine.lock:
            wanted = [c for c in self.engine.containers.values() if label is None or label in (c["Config"]["Labels"] or {})]
        self.answer(200, [{"Id": c["Id"], "Names": [c["Name"]], "Ports": c.get("Ports", [])} for c in wanted])

    def set_status(self, name, wanted, status, **more):
        container = self.with_container(name)
        if not container:
            return
        with self.engine.lock:
            same = container["State"]["Status"] == status
            container["State"].update(Status=status, **more)
            self.engine.died.notify_all()
        self.answer(304 if same else wanted)

    def container_start(self, name):
        self.set_status(name, 204, "running", ExitCode=0)

    def container_stop(self, name):
        self.set_status(name, 204, "exited", ExitCode=143)

    def container_pause(self, name):
        container = self.engine.find(name)
        if container and container["State"]["Status"] != "running":
            return self.fail(409, f"Container {name} is not running")
        return self.set_status(name, 204, "paused")

    def container_unpause(self, name):
        self.set_status(name, 204, "running")

    def container_update(self, name):
        if self.with_container(name):
            self.engine.find(name)["HostConfig"].update(json.loads(self.body))
            self.answer(200, {"Warnings": None})

    def container_remove(self, name):
        container = self.with_container(name)
        if container:
            with self.engine.lock:
                del self.engine.containers[container["Name"][1:]]
                self.engine.died.notify_all()
            self.answer(204)

    def container_wait(self, name):
        container = self.with_container(name)
        if not container:
            return None
        self.begin_chunks()
        while True:
            with self.engine.lock:
                state = container["State"]["Status"]
                gone = container["Name"][1:] not in self.engine.containers
                if state not in ("running", "paused") or gone or self.engine.ended.is_set():
                    break
                self.engine.died.wait(0.05)
            if self.client_gone():
                return False
        self.chunks(json.dumps({"StatusCode": container["State"]["ExitCode"], "Error": None}).encode() + b"\n")
        self.end_chunks()
        return None

    def container_logs(self, name):
        if self.with_container(name):
            self.begin_chunks("application/vnd.docker.multiplexed-stream")
            self.chunks(b"".join(frame(*line) for line in self.engine.logs))
            self.end_chunks()

    def archive_get(self, name):
        path = self.query["path"]
        if not self.with_container(name):
            return None
        inside = {name: content for name, content in self.engine.files.items() if name == path or name.startswith(path + "/")}
        if not inside:
            return self.fail(404, f"Could not find the file {path} in container {name}")
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for name, content in inside.items():
                entry = tarfile.TarInfo(os.path.relpath(name, os.path.dirname(path)))
                entry.size = len(content.encode())
                archive.addfile(entry, io.BytesIO(content.encode()))
        stat = base64.b64encode(json.dumps({"name": os.path.basename(path)}).encode()).decode()
        self.head(200, {"Content-Type": "application/x-tar", "X-Docker-Container-Path-Stat": stat, "Transfer-Encoding": "chunked"})
        self.chunks(out.getvalue())
        self.end_chunks()
        return None

    def archive_put(self, name):
        if self.with_container(name):
            entries = {}
            with tarfile.open(fileobj=io.BytesIO(self.body)) as archive:
                for entry in archive:
                    entries[entry.name] = archive.extractfile(entry).read() if entry.isfile() else entry.linkname or None
            self.engine.uploads.append((self.query["path"], entries))
            self.answer(200)

    def exec_create(self, name):
        container = self.with_container(name)
        if not container:
            return
        if container["State"]["Status"] != "running":
            self.fail(409, f"Container {name} is not running")
            return
        with self.engine.lock:
            number = f"e{len(self.engine.execs)}"
            self.engine.execs[number] = {"request": json.loads(self.body), "container": container, "running": True}
        self.answer(201, {"Id": number})

    def exec_start(self, number):
        engine = self.engine
        state = engine.execs[number]
        request = state["request"]
        result = engine.result_of(request["Cmd"])
        state["result"] = result
        upgraded = self.headers.get("upgrade") == "tcp"
        if upgraded:
            self.write(b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        else:
            self.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n")

        def put(stream, data):
            if data:
                self.write(data if request["Tty"] else frame(stream, data))

        if upgraded and request["AttachStdin"] and result.echo:
            data = b""
            while True:
                piece = self.rfile.read1(65536)
                if not piece:
                    break
                data += piece
            state["stdin"] = data
            put(1, data.upper())
        for at in range(0, len(result.stdout), 37):
            put(1, result.stdout[at : at + 37])
        put(2, result.stderr)
        if result.hang:
            self.hang(lambda: state["container"]["State"]["Status"] != "running")
        state["running"] = False
        return False

    def exec_inspect(self, number):
        state = self.engine.execs[number]
        # The stream's end can come before the exit is known: the first question gets "still running".
        first = not state.get("asked")
        state["asked"] = True
        running = first or state["running"]
        self.answer(200, {"ID": number, "Running": running, "ExitCode": None if running else state["result"].code})

    routes = [
        ("GET", r"/_ping", ping),
        ("GET", r"/version", show_version),
        ("GET", r"/info", info),
        ("GET", r"/libpod/info", libpod_info),
        ("POST", r"/images/create", image_create),
        ("POST", r"/images/load", image_load),
        ("GET", r"/images/(.+)/json", image_inspect),
        ("POST", r"/images/(.+)/tag", image_tag),
        ("POST", r"/volumes/create", volume_create),
        ("GET", r"/volumes", volume_list),
        ("GET", r"/volumes/(.+)", volume_inspect),
        ("GET", r"/system/df", system_df),
        ("GET", r"/events", events),
        ("DELETE", r"/volumes/(.+)", volume_remove),
        ("POST", r"/containers/create", container_create),
        ("GET", r"/containers/json", container_list),
        ("GET", r"/containers/([^/]+)/json", container_inspect),
        ("POST", r"/containers/([^/]+)/start", container_start),
        ("POST", r"/containers/([^/]+)/stop", container_stop),
        ("POST", r"/containers/([^/]+)/pause", container_pause),
        ("POST", r"/containers/([^/]+)/unpause", container_unpause),
        ("POST", r"/containers/([^/]+)/update", container_update),
        ("POST", r"/containers/([^/]+)/wait", container_wait),
        ("GET", r"/containers/([^/]+)/logs", container_logs),
        ("GET", r"/containers/([^/]+)/archive", archive_get),
        ("PUT", r"/containers/([^/]+)/archive", archive_put),
        ("POST", r"/containers/([^/]+)/exec", exec_create),
        ("DELETE", r"/containers/([^/]+)", container_remove),
        ("POST", r"/exec/([^/]+)/start", exec_start),
        ("GET", r"/exec/([^/]+)/json", exec_inspect),
    ]
