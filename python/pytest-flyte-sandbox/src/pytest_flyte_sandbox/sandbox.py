"""The launcher as a Python object. All that it needs is the command `sandbox`; results are its JSON documents."""

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request


class SandboxError(Exception):
    """A command of the launcher failed. `id` is the stable one of docs/guide/errors.md."""

    def __init__(self, arguments, document, stderr):
        error = (document or {}).get("error") or {}
        self.id = error.get("id", "unknown")
        self.hint = error.get("hint")
        self.exit_code = error.get("exitCode")
        self.bundle = (document or {}).get("bundle")
        super().__init__(f"sandbox {' '.join(arguments)}: [{self.id}] {error.get('message') or stderr.strip()}" + (f" (logs: {self.bundle})" if self.bundle else ""))


class FlyteSandbox:
    """One instance. `status` is the document of its start."""

    def __init__(self, name, command="sandbox"):
        self.name = name
        self.command = command
        self.status = None

    def run(self, *arguments, timeout=900):
        """A verb with its arguments; its JSON document (None where the verb prints none)."""
        done = subprocess.run([self.command, "--name", self.name, "--output", "json", *arguments], capture_output=True, text=True, timeout=timeout, check=False)
        try:
            document = json.loads(done.stdout) if done.stdout.strip() else None
        except ValueError:
            document = None
        if done.returncode != 0:
            raise SandboxError(arguments, document, done.stderr)
        return document

    def start(self, *options):
        """Safe to call from many processes at once: one of them starts it, all return when it is ready."""
        self.status = self.run("start", *options)
        return self

    def delete(self):
        self.run("delete", "--volume")

    @property
    def environment(self):
        """The variables that Flyte's clients need."""
        return self.run("env")["env"]

    @property
    def endpoints(self):
        return self.status["endpoints"]

    def call(self, method, path, body=None):
        """Flyte's REST API: call("GET", "/api/v1/projects")."""
        base = self.endpoints["console"].rsplit("/console", 1)[0]
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(base + path, data=data, method=method, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def create_project(self, identifier):
        try:
            self.call("POST", "/api/v1/projects", {"project": {"id": identifier, "name": identifier}})
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise

    def archive_project(self, identifier):
        """Takes it out of lists; what ran in it stays until the sandbox goes."""
        self.call("PUT", f"/api/v1/projects/{urllib.parse.quote(identifier)}", {"id": identifier, "name": identifier, "state": "ARCHIVED"})
