"""What the clients of this machine are told."""

import json
import subprocess

from launcher import BINARY, FREE_PORTS, Case


class Clients(Case):
    def test_files(self):
        kube = self.home / ".kube/config"
        kube.parent.mkdir()
        kube.write_text("# mine\napiVersion: v1\ncurrent-context: prod\ncontexts:\n- name: prod\n  context: {cluster: prod, user: me}\n")
        before = kube.read_text()
        self.run_sandbox("start", "--port", "http=31998", "--port", "kubernetes=31997", *FREE_PORTS)
        merged = kube.read_text()
        self.assertTrue(merged.startswith("# mine\n"))
        self.assertIn("- name: prod\n  context: {cluster: prod, user: me}\n", merged)
        self.assertIn("server: https://127.0.0.1:31997", merged)
        self.assertIn("current-context: flyte-sandbox\n", merged)
        own = (self.home / ".flyte/sandbox/kubeconfig").read_text()
        self.assertIn("server: https://127.0.0.1:31997", own)
        config = (self.home / ".flyte/config-sandbox.yaml").read_text()
        self.assertIn("endpoint: dns:///localhost:31998", config)
        self.run_sandbox("delete")
        self.assertEqual(kube.read_text().replace('current-context: ""', "current-context: prod").replace("clusters: []\nusers: []\n", ""), before)
        self.assertFalse((self.home / ".flyte/sandbox").exists())
        self.assertFalse((self.home / ".flyte/config-sandbox.yaml").exists())

    def test_keep_context(self):
        kube = self.home / "kube"
        kube.write_text("current-context: prod\n")
        self.environment["KUBECONFIG"] = f"{kube}:/nonexistent"
        self.run_sandbox("start", *FREE_PORTS, "--keep-context")
        self.assertIn("current-context: prod", kube.read_text())
        self.assertIn("name: flyte-sandbox", kube.read_text())

    def test_restart_leaves_the_current_context(self):
        self.run_sandbox("start", *FREE_PORTS)
        kube = self.home / ".kube/config"
        kube.write_text(kube.read_text().replace("current-context: flyte-sandbox", "current-context: other"))
        self.run_sandbox("stop")
        self.run_sandbox("start", *FREE_PORTS)
        self.assertIn("current-context: other", kube.read_text())

    def test_foreign_configuration_is_kept(self):
        (self.home / ".flyte").mkdir()
        (self.home / ".flyte/config-sandbox.yaml").write_text("admin: {endpoint: elsewhere}\n")
        done = self.run_sandbox("start", *FREE_PORTS)
        self.assertIn("kept as", done.stderr)
        self.assertEqual((self.home / ".flyte/config-sandbox.yaml.before-sandbox").read_text(), "admin: {endpoint: elsewhere}\n")

    def test_a_shell_with_the_variables_of_env(self):
        """KUBECONFIG is the instance's own file there, which is not where its context goes, nor whence it has to be taken out."""
        mine = self.home / "mine.yaml"
        self.run_sandbox("start", *FREE_PORTS)
        self.environment["KUBECONFIG"] = str(self.home / ".flyte/sandbox/kubeconfig")
        self.run_sandbox("--name", "other", "start", *FREE_PORTS)
        self.assertNotIn("flyte-sandbox-other", (self.home / ".flyte/sandbox/kubeconfig").read_text())
        self.assertIn("flyte-sandbox-other", (self.home / ".kube/config").read_text())
        self.run_sandbox("delete", "--volume")
        self.assertNotIn("name: flyte-sandbox\n", (self.home / ".kube/config").read_text())
        # One that was another file when it was started.
        self.environment["KUBECONFIG"] = f"{self.home}/.flyte/sandbox/kubeconfig:{mine}"
        self.run_sandbox("start", *FREE_PORTS)
        self.assertIn("name: flyte-sandbox\n", mine.read_text())
        self.run_sandbox("--name", "other", "delete", "--volume")
        self.assertNotIn("flyte-sandbox-other", (self.home / ".kube/config").read_text())
        self.run_sandbox("delete", "--volume")
        self.assertNotIn("flyte-sandbox", mine.read_text())

    def test_broken_kubeconfig(self):
        """Nothing of the user's is overwritten, and the sandbox stays."""
        kube = self.home / ".kube/config"
        kube.parent.mkdir()
        kube.write_text("a: [")
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=12), "malformed-yaml", "clients cannot be configured")
        self.assertEqual(kube.read_text(), "a: [")
        self.assertEqual(self.engine.running(), ["flyte-sandbox"])
        self.assertFalse((self.home / ".kube/config.lock").exists())


class ClientEnvironment(Case):
    def setUp(self):
        super().setUp()
        self.engine.add_container()

    def test_for_a_shell(self):
        script = f'eval "$({BINARY} env)" && printf "%s\\n" "$FLYTE_PLATFORM_URL" "$FLYTECTL_CONFIG" "$FLYTE_AWS_ENDPOINT"'
        self.environment["HOME"] = str(self.home) + " it's"
        done = subprocess.run(["sh", "-c", script], env=self.environment, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.splitlines(), ["localhost:30080", f"{self.home} it's/.flyte/config-sandbox.yaml", "http://localhost:30002"])

    def test_env_file(self):
        values = dict(line.split("=", 1) for line in self.run_sandbox("status", "-o", "env", "--override-name", "console=NEXT_URL").stdout.splitlines())
        self.assertEqual((values["NEXT_URL"], values["SANDBOX_STATE"], values["SANDBOX_NAME"]), ("http://localhost:30080/console", "running", "flyte-sandbox"))
        self.assertNotIn("SANDBOX_CONSOLE_URL", values)
        self.assertNotIn("SANDBOX_STATE", self.run_sandbox("env", "-o", "env").stdout)
        self.assertEqual(json.loads(self.run_sandbox("env", "-o", "json").stdout)["env"]["SANDBOX_POSTGRES_URL"], "postgresql://postgres:postgres@localhost:30001/flyte")
        for wrong in ("console", "console=", "console=1A", "console=A-B"):
            self.assert_error(self.run_sandbox("env", "--override-name", wrong, code=2), "bad-value", "VALUE=VARIABLE")
        self.assert_error(self.run_sandbox("env", "--override-name", "consle=A", code=2), "bad-value", "did you mean 'console'")
        self.assert_error(self.run_sandbox("env", "--override-name", "zzzzzzzzz=A", code=2), "bad-value", "the values are name, config")

    def test_kubeconfig(self):
        self.assertIn("server: https://127.0.0.1:6443", self.run_sandbox("kubeconfig").stdout)
        self.assertEqual(json.loads(self.run_sandbox("kubeconfig", "-o", "json").stdout)["kubeconfig"]["current-context"], "flyte-sandbox")
        self.run_sandbox("kubeconfig", "--merge", "--current")
        self.assertIn("current-context: flyte-sandbox", (self.home / ".kube/config").read_text())
        self.engine.files.clear()
        self.run_sandbox("kubeconfig", code=3)
