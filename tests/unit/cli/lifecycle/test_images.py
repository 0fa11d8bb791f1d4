"""Where a start has the image from."""

import os
import pathlib

from launcher import FREE_PORTS, Case


class Images(Case):
    def setUp(self):
        super().setUp()
        self.engine.images.clear()

    def test_missing(self):
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, code=3), "image-missing", "flyte-sandbox:0.1.0", "--image-file")
        self.assert_nothing_left()

    def test_pull(self):
        self.run_sandbox("start", *FREE_PORTS, "--image", "ghcr.io/acme/sandbox:7")
        query = self.engine.asked("POST", "/images/create")[0][2]
        self.assertEqual((query["fromImage"], query["tag"]), ("ghcr.io/acme/sandbox", "7"))

    def test_pull_from_registry_prefix(self):
        self.environment["SANDBOX_REGISTRY"] = "registry.example/team"
        self.run_sandbox("start", *FREE_PORTS)
        self.assertEqual(self.engine.asked("POST", "/images/create")[0][2]["fromImage"], "registry.example/team/flyte-sandbox")
        self.assertIn("flyte-sandbox:0.1.0", self.engine.images)

    def test_error_inside_a_successful_answer(self):
        for message, code in (("manifest unknown", 3), ("unauthorized: no", 7), ("i/o timeout", 8)):
            with self.subTest(message=message):
                self.engine.pull_answer = [{"status": "Pulling"}, {"errorDetail": {"message": message}, "error": message}]
                self.assert_error(self.run_sandbox("start", *FREE_PORTS, "--image", "ghcr.io/a/b", code=code), "image-pull", message)
                self.assert_nothing_left()

    def test_pull_refused_at_once(self):
        self.engine.faults["POST /images/create"] = (500, "dial tcp 127.0.0.1:1: connect: connection refused")
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, "--image", "ghcr.io/a/b", code=8), "image-pull", "connection refused")

    def test_malformed_progress(self):
        def garbage(handler):
            handler.begin_chunks()
            handler.chunks(b'{"status":"Pulling"}\nnonsense\n')
            handler.end_chunks()

        self.engine.faults["POST /images/create"] = garbage
        self.run_sandbox("start", *FREE_PORTS, "--image", "ghcr.io/a/b", code=12)
        self.assert_nothing_left()

    def test_pull_breaks_off(self):
        def broken(handler):
            handler.begin_chunks()
            handler.chunks(b'{"status":"Pulling"}\n{"sta')
            return False

        self.engine.faults["POST /images/create"] = broken
        self.run_sandbox("start", *FREE_PORTS, "--image", "ghcr.io/a/b", code=8)
        self.assert_nothing_left()

    def test_load(self):
        archive = pathlib.Path(self.directory, "image.tar")
        archive.write_bytes(os.urandom(300000))
        self.run_sandbox("start", *FREE_PORTS, "--image-file", str(archive))
        self.assertEqual(self.engine.asked("POST", "/images/load")[0][3], archive.read_bytes())

    def test_load_under_another_name(self):
        archive = pathlib.Path(self.directory, "image.tar")
        archive.write_bytes(b"x")
        self.engine.load_answer = [{"stream": "Loaded image: other:1\n"}]
        self.environment["SANDBOX_IMAGE_FILE"] = str(archive)
        self.run_sandbox("start", *FREE_PORTS)
        self.assertEqual(self.engine.images["flyte-sandbox:0.1.0"], "sha256:cccc")

    def test_load_fails(self):
        archive = pathlib.Path(self.directory, "image.tar")
        archive.write_bytes(b"x")
        self.engine.load_answer = [{"errorDetail": {"message": "unexpected EOF"}}]
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, "--image-file", str(archive), code=8), "image-file", "unexpected EOF")
        self.assert_error(self.run_sandbox("start", *FREE_PORTS, "--image-file", "/nonexistent.tar", code=3), "image-file")
        self.assert_nothing_left()

    def build_script(self, text):
        scripts = pathlib.Path(self.directory, "tree/scripts")
        scripts.mkdir(parents=True)
        (scripts / "build-image").write_text("#!/bin/sh\n" + text)
        (scripts / "build-image").chmod(0o755)
        self.environment["SANDBOX_SOURCE"] = str(scripts.parent)

    def test_build_script_fails(self):
        self.build_script("echo compiling; exit 3\n")
        done = self.run_sandbox("start", *FREE_PORTS, code=1)
        self.assert_error(done, "image-build", "exit code 3", "compiling")
        self.assertEqual(done.stdout, "")
        self.assert_nothing_left()

    def test_build_script_interrupted(self):
        mark = pathlib.Path(self.directory, "mark")
        self.build_script(f"trap 'echo stopped >{mark}; exit 1' TERM\necho running >{mark}\nwhile :; do sleep 0.05; done\n")
        done = self.interrupt("start", *FREE_PORTS, wait_for=mark.exists)
        self.assertEqual(done.returncode, 130)
        self.assertEqual(mark.read_text(), "stopped\n")
        self.assert_nothing_left()
