"""Drives the launcher as a person would, and knows where its clients find the instance."""

import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).parents[2]
BINARY = str(ROOT / "build" / "bin" / "sandbox")


class Sandbox:
    def __init__(self, name, home):
        self.name = name
        self.container = f"flyte-sandbox-{name}"
        self.home = pathlib.Path(home)
        self.binary = BINARY
        self.config_file = self.home / "client-config.yaml"
        self.client = {}

    def environment(self, **more):
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("FLYTE", "AWS_"))}
        environment.update(HOME=str(self.home), NO_COLOR="1", SANDBOX_SOURCE=str(ROOT))
        environment.pop("KUBECONFIG", None)
        environment.update(self.client)
        environment.update(more)
        return environment

    def run(self, *arguments, check=True, timeout=180, env=None, **options):
        done = subprocess.run([self.binary, "--name", self.name, *arguments], env=env or self.environment(), capture_output=True, text=True,
                              timeout=timeout, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"sandbox {' '.join(arguments)} exited with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def status(self):
        return json.loads(self.run("status", "-o", "json", check=False).stdout)

    def endpoint(self, name):
        """host:port of console, grpc, kubernetes, s3 or postgres, without scheme or path."""
        address = self.status()["endpoints"][name]
        return address.split("://")[-1].split("@")[-1].split("/")[0]

    def learn_endpoints(self):
        """Call when it runs: writes the client's configuration and keeps what clients need in their environment."""
        self.config_file.write_text(f"admin:\n  endpoint: dns:///{self.endpoint('grpc')}\n  insecure: true\n", encoding="utf-8")
        self.client = {
            "FLYTECTL_CONFIG": str(self.config_file),
            "FLYTE_AWS_ENDPOINT": f"http://{self.endpoint('s3')}",
            "FLYTE_AWS_ACCESS_KEY_ID": "minio",
            "FLYTE_AWS_SECRET_ACCESS_KEY": "miniostorage",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return self.client
