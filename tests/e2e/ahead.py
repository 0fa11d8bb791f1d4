"""Executions are launched before the tests that look at them have their turn, so that they run beside each other and beside the tests: most of a
task's life is waiting, for a pod and for Python to come up, and one after the other those waits would be most of the suite's time.

    @runs("nodes.nested", x=3)
    def test_...(execution): ...      # of the workflow workflows.nodes.nested; it has finished. `executions` where there are several `runs`, in their order

    @starts("basics.waiting", seconds=600)
    def test_...(started): ...        # it has been launched, and is this test's own

Tests with the same `runs` share the execution. What is marked `alone` changes what executions run into (settings, quotas, processes that are
killed): nothing is launched ahead past it, so what was launched ahead has had its test before."""

import os
import time

import pytest
from flyteidl.core.execution_pb2 import WorkflowExecution

# More than processors, because an execution also waits; not many more, because one may have several pods, and each test has its deadline.
AT_ONCE = 1 + (os.cpu_count() or 1)
INTERVAL_S = 0.3
FINAL = (WorkflowExecution.SUCCEEDED, WorkflowExecution.FAILED, WorkflowExecution.ABORTED, WorkflowExecution.TIMED_OUT)

alone = pytest.mark.alone


def runs(workflow, **inputs):
    return pytest.mark.runs(workflow, inputs)


def starts(workflow, **inputs):
    return pytest.mark.starts(workflow, inputs)


def runs_each(workflow, *inputs):
    """A test for each of these inputs, which it gets as `inputs`."""
    return pytest.mark.parametrize("inputs", [pytest.param(one, marks=runs(workflow, **one)) for one in inputs])


def is_done(remote, execution):
    return remote.client.get_execution(execution.id).closure.phase in FINAL


def wanted_by(item):
    """(key, workflow, inputs) of what a test looks at, top to bottom. What is to be shared has a key that says no more than what runs."""
    found = [(mark.name, *mark.args) for mark in item.iter_markers() if mark.name in ("runs", "starts")]
    return [((kind, workflow, repr(inputs)) if kind == "runs" else (kind, item.nodeid, number), workflow, inputs)
            for number, (kind, workflow, inputs) in enumerate(reversed(found))]


class Ahead:
    """Launches the executions of `items` in their order, some at a time. `launch` takes a workflow's name and its inputs."""

    def __init__(self, items, launch, remote):
        self.items, self.launch, self.remote = items, launch, remote
        self.current = self.next = 0
        self.launched = {}  # by key: the execution, or why it could not be launched
        self.running = []
        self.looked_at = 0

    def begin(self, item):
        """It is the turn of this test: its own executions are launched, however many run, and others as there is room."""
        if self.items:
            self.current = self.items.index(item)
            self.next = max(self.next, self.current)
            if self.next == self.current:
                self.launch_next()
            self.fill()

    def fill(self):
        if time.monotonic() < self.looked_at + INTERVAL_S or not self.items or self.items[self.current].get_closest_marker("alone"):
            return
        self.looked_at = time.monotonic()
        self.running = [execution for execution in self.running if not is_done(self.remote, execution)]
        while self.next < len(self.items) and len(self.running) < AT_ONCE and not self.items[self.next].get_closest_marker("alone"):
            self.launch_next()

    def launch_next(self):
        for key, workflow, inputs in wanted_by(self.items[self.next]):
            if key not in self.launched:
                try:
                    self.launched[key] = self.launch(workflow, **inputs)
                    self.running.append(self.launched[key])
                except Exception as error:  # it is told to the test that wants it
                    self.launched[key] = error
        self.next += 1

    def of(self, item, kind):
        found = [self.launched[key] for key, _, _ in wanted_by(item) if key[0] == kind]
        for execution in found:
            if isinstance(execution, Exception):
                raise execution
        return found
