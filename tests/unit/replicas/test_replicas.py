"""Three control planes on one Postgres, with tests/support/pod_double.c as Kubernetes and object store: one is killed while all of them work.
What it had begun is finished by the others, and nothing is done twice: neither a pod nor the tick of a schedule."""

import datetime

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

    # ---- Schedules ----

    MISSED = 20  # ticks of each schedule, all due in the same moment for every replica
    SCHEDULES = 5

    def let_ticks_be_due(self):
        """Schedules of every minute whose last ticks were missed; all replicas hear of it at once. Returns the plans' names."""
        for _ in range(2):
            self.stack.add()
        names = [f"scheduled.{number}" for number in range(self.SCHEDULES)]
        for name in names:
            register_chain(self.stack.plane, name, 1, schedule={"cronSchedule": {"schedule": "* * * * *"}})
        self.stack.double.run_ms(0)
        self.query(f"with late as (update schedules set last_tick_at = date_trunc('minute', now()) - interval '{self.MISSED} minutes',"
                   " next_tick_at = null returning 1) select pg_notify('flyte_schedules', count(*)::text) from late")
        return names

    def wait(self, what, reached):
        Takeover(self.stack, 0).wait(what, reached, DEADLINE_S)

    def all_caught_up(self):
        return self.query("select count(*) from schedules where next_tick_at > now()") == str(self.SCHEDULES)

    def assert_one_execution_a_tick(self, plane, names):
        listed = plane.get("executions/flytesnacks/development?limit=1000")["executions"]
        ticks = {name: [] for name in names}
        for execution in listed:
            metadata = execution["spec"]["metadata"]
            self.assertEqual(metadata["mode"], "SCHEDULED")
            ticks[execution["spec"]["launch_plan"]["name"]].append(datetime.datetime.fromisoformat(metadata["scheduled_at"].rstrip("Z")))
        for times in ticks.values():
            times.sort()
            self.assertGreaterEqual(len(times), self.MISSED)
            self.assertEqual({after - before for before, after in zip(times, times[1:])}, {datetime.timedelta(minutes=1)})

    def test_each_tick_is_one_execution_whoever_hears_of_it(self):
        names = self.let_ticks_be_due()
        self.wait("the ticks that were missed", self.all_caught_up)
        self.assert_one_execution_a_tick(self.stack.plane, names)
        # Who finds a tick started by another does not count it. (A minute may begin between the two figures.)
        self.wait("as many starts as executions", lambda: sum(plane.metric("sandbox_scheduler_started_total") for plane in self.stack.planes)
                  == int(self.query("select count(*) from executions")))
        self.assertEqual([plane.metric("sandbox_scheduler_failures_total") for plane in self.stack.planes], [0, 0, 0])

    def test_ticks_that_the_killed_one_was_at_are_started_by_the_others(self):
        names = self.let_ticks_be_due()
        self.wait("the first ticks", lambda: int(self.query("select count(*) from executions")) >= 3)
        self.stack.planes[1].kill()
        self.wait("the ticks that were missed", self.all_caught_up)
        self.assert_one_execution_a_tick(self.stack.plane, names)


if __name__ == "__main__":
    unittest.main()
