"""Three control planes on one Postgres, with tests/support/pod_double.c as Kubernetes and object store: one is killed while all of them work.
What it had begun is finished by the others, and nothing is done twice."""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from support.engine_stack import NotThere, Stack, Takeover, execute, register_chain  # noqa: E402

BINARIES = os.environ["SANDBOX_BINARIES"]
# What a takeover may take is 2 s (docs/performance.md has the figure); under sanitizers on a busy machine everything else takes longer.
DEADLINE_S = 240


class Replicas(unittest.TestCase):
    def setUp(self):
        try:
            self.stack = Stack(BINARIES).__enter__()
        except NotThere as e:
            self.skipTest(str(e))
        self.addCleanup(self.stack.close)

    def query(self, sql):
        return self.stack.postgres.query(sql)

    def assert_nothing_twice(self, pods):
        stats = self.stack.double.stats()
        self.assertEqual((stats["repeated"], stats["created"], stats["deleted"]), (0, pods, 0))
        self.assertEqual(self.query("select count(*), max(retry_attempt), min(phase) from task_executions"), f"{pods}|0|SUCCEEDED")
        self.assertEqual(self.query("select distinct phase from executions"), "SUCCEEDED")

    def test_one_is_killed_and_the_others_finish_its_work(self):
        takeover = Takeover(self.stack)
        latencies, share = takeover.run(executions=24, length=8, run_ms=20, deadline_s=DEADLINE_S)
        self.assertGreater(share, 0)
        self.assertTrue(latencies)
        self.assert_nothing_twice(24 * 8)

    def test_work_that_nobody_is_left_for_waits_for_the_next(self):
        takeover = Takeover(self.stack, 1)
        plan = register_chain(self.stack.plane, "next", 3)
        self.stack.double.run_ms(-1)
        for _ in range(4):
            execute(self.stack.plane, plan)
        takeover.wait("the first pods", lambda: self.stack.double.stats()["created"] == 4 and "" not in takeover.owners(), DEADLINE_S)
        self.stack.plane.kill()
        self.stack.double.run_ms(0)  # they end while nobody watches
        self.stack.add()
        takeover.wait("the end", lambda: takeover.count("phase = 'SUCCEEDED'") == 4, DEADLINE_S)
        self.assert_nothing_twice(4 * 3)


if __name__ == "__main__":
    unittest.main()
