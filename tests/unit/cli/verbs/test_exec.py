"""Commands in the sandbox, and its logs."""

import signal
import subprocess
import threading

from fake_engine import Exec
from launcher import BINARY, Case


class ExecAndLogs(Case):
    def setUp(self):
        super().setUp()
        self.engine.add_container()

    def test_exec(self):
        self.engine.commands["ls -l x"] = Exec("out\n" * 100, "err\n", 7)
        for seed in range(5):
            self.engine.random.seed(seed)
            done = self.run_sandbox("exec", "--", "ls", "-l", "x", code=7)
            self.assertEqual((done.stdout, done.stderr), ("out\n" * 100, "err\n"))

    def test_options_of_exec_end_at_the_command(self):
        self.engine.commands["env -i -e"] = Exec()
        self.run_sandbox("exec", "-u", "root", "-w", "/tmp", "-e", "A=b", "env", "-i", "-e")
        request = next(iter(self.engine.execs.values()))["request"]
        self.assertEqual((request["User"], request["WorkingDir"], request["Env"], request["AttachStdin"]), ("root", "/tmp", ["A=b"], False))

    def test_stdin(self):
        self.engine.commands["cat"] = Exec(echo=True, code=3)
        for size in (0, 10, 300000):
            with self.subTest(size=size):
                data = ("abcdefg\n" * (size // 8 + 1))[:size]
                done = self.run_sandbox("exec", "-i", "--", "cat", code=3, input=data)
                self.assertEqual(done.stdout, data.upper())

    def test_an_interrupt_ends_endless_output(self):
        flowing = threading.Event()

        def endless(handler):
            handler.wfile.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
            frames = (b"\1\0\0\0\0\0\x40\0" + b"y" * 0x4000) * 64
            try:
                while True:
                    handler.wfile.write(frames)
                    flowing.set()
            except OSError:
                return False

        self.engine.faults["POST /exec/.*/start"] = endless
        process = subprocess.Popen([BINARY, "exec", "-i", "--", "yes"], env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

        def look():
            while process.stdout.read(4096):
                pass

        reader = threading.Thread(target=look)
        reader.start()
        self.assertTrue(flowing.wait(30))
        process.send_signal(signal.SIGINT)
        try:
            code = process.wait(timeout=10)
        finally:
            process.kill()
            reader.join()
            process.stdin.close()
            process.stdout.close()
        self.assertEqual(code, 130)

    def test_stdin_refused(self):
        self.engine.faults["POST /exec/.*/start"] = (409, "container is paused")
        self.assert_error(self.run_sandbox("exec", "-i", "--", "cat", code=125, input="x"), "docker-error", "container is paused")

    def test_exec_needs_a_running_sandbox(self):
        self.engine.die(0)
        self.assert_error(self.run_sandbox("exec", "--", "ls", code=125), "sandbox-stopped", "hint: sandbox start")
        self.engine.containers.clear()
        self.assert_error(self.run_sandbox("exec", "-n", "x", "--", "ls", code=125), "sandbox-absent", "hint: sandbox start --name flyte-sandbox-x")

    def test_broken_stream(self):
        def broken(handler):
            handler.write(b"HTTP/1.1 200 OK\r\n\r\n\1\0\0\0\0\0\0\x10only a part")
            return False

        self.engine.faults["POST /exec/.*/start"] = broken
        done = self.run_sandbox("exec", "--", "ls", code=125)
        self.assertEqual(done.stdout, "only a part")
        self.assert_error(done, "docker-stream")

    def test_container_logs(self):
        done = self.run_sandbox("logs", "--tail", "5")
        self.assertEqual((done.stdout, done.stderr), ("log line one\n", "log line two\n"))
        self.assertEqual(self.engine.asked("GET", "/logs")[0][2]["tail"], "5")

    def test_service_logs(self):
        self.engine.commands["sandbox-init logs postgres --tail 200"] = Exec("pg\n")
        self.assertEqual(self.run_sandbox("logs", "postgres").stdout, "pg\n")
        self.assert_error(self.run_sandbox("logs", "postgress", code=3), "unknown-service", "did you mean 'postgres'")
        self.assert_error(self.run_sandbox("logs", "../../etc/passwd", code=3), "unknown-service")

    def test_logs_of_the_dead(self):
        self.engine.die(1)
        self.engine.files["/var/lib/sandbox/log/postgres.log"] = "a\nb\nc\n"
        self.assertEqual(self.run_sandbox("logs", "postgres", "--tail", "2").stdout, "b\nc\n")
        self.assertEqual(self.run_sandbox("logs", "postgres", "--tail", "9").stdout, "a\nb\nc\n")
        self.assertEqual(self.run_sandbox("logs", "postgres", "--tail", "all").stdout, "a\nb\nc\n")
        self.assertEqual(self.run_sandbox("logs", "postgres", "--tail", "0").stdout, "")
        self.assert_error(self.run_sandbox("logs", "minio", code=3), "unknown-service")

    def test_closed_pipe_is_no_failure(self):
        self.engine.logs = [(1, b"line\n" * 2000)] * 20
        done = subprocess.run(f"{BINARY} logs | head -n 1; echo ${{PIPESTATUS[0]}}", shell=True, executable="/bin/bash", env=self.environment, capture_output=True, text=True)
        self.assertEqual(done.stdout, "line\n0\n", done.stderr)
