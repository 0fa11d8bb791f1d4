"""Runs flytekit's own integration tests, unmodified, against a fresh sandbox on the documented ports.

usage: flytekit_suite.py FLYTEKIT [--controlplane FILE] [-k EXPRESSION] [--workers N] [--keep] [--write]

FLYTEKIT is a checked-out tree of github.com/flyteorg/flytekit (v1.16.x). Its tests/flytekit/integration/remote runs with its own flytekit, as
its workflow "integration" runs it: one worker, without the tests marked "lftransfers", tasks in the image localhost:30000/flytekit:dev. That
image is made of the tree by `sandbox build`, on top of the sandbox's task image. --write puts the table into docs/compatibility.md.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from common import IMAGE, ROOT, TASK_IMAGE, TASK_PACKAGES, Conformance, client_environment, collect_wheels, copy_tree, one_line, read_junit, \
    say, write_section

SUITE = "tests/flytekit/integration/remote"
UPSTREAM_SECONDS = 1967
HOST_PACKAGES = ["pytest", "pytest-timeout", "pytest-xdist", "mock", "kubernetes", *TASK_PACKAGES]

DOCKERFILE = f"""FROM {TASK_IMAGE}
COPY tests /flytekit/tests
COPY wheels /flytekit/wheels
RUN pip install --quiet --no-index --find-links /flytekit/wheels {' '.join(TASK_PACKAGES)} && \\
    pip install --quiet --no-index --no-deps /flytekit/wheels/flytekit-*.whl && rm -r /flytekit/wheels
ENV PYTHONPATH="/flytekit:/flytekit/tests/flytekit/integration/remote" FLYTE_SDK_RICH_TRACEBACKS=0
WORKDIR /root
"""


def build_image(sandbox, python, flytekit, directory):
    context = pathlib.Path(directory) / "context"
    copy_tree(flytekit / "tests", context / "tests")
    collect_wheels(python, context / "wheels", *TASK_PACKAGES, flytekit=flytekit)
    (context / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    sandbox.build(context, IMAGE)


def run_suite(sandbox, python, flytekit, directory, options):
    """In a copy of the tests alone: beside them, Python would take the tree's flytekit, which is not whole without an installation."""
    copy = pathlib.Path(directory) / "suite"
    copy_tree(flytekit / "tests", copy / "tests")
    shutil.copy(flytekit / "pyproject.toml", copy)
    results = ROOT / "out" / "results" / "flytekit-suite.xml"
    results.parent.mkdir(parents=True, exist_ok=True)
    results.unlink(missing_ok=True)
    command = [python, "-m", "pytest", SUITE, "-m", "not lftransfers", "-p", "no:cacheprovider", "-v", "--timeout", "900", f"--junitxml={results}",
               "-n", str(options.workers), "--dist", "loadfile" if options.workers == 1 else "load"]
    if options.k:
        command += ["-k", options.k]
    began = time.monotonic()
    subprocess.run([str(part) for part in command], cwd=copy, env=sandbox.client_environment(python), check=False)
    return results, time.monotonic() - began


def table(results, seconds):
    rows = sorted(read_junit(results), key=lambda row: row[0])
    counts = {result: sum(row[1] == result for row in rows) for result in ("passed", "failed", "skipped")}
    lines = [f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped, in {seconds:.0f} s "
             f"(upstream on a 2-core machine: {UPSTREAM_SECONDS:,} s).", "", "| Test | Result | Seconds | Reason |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {result} | {time:.1f} | {one_line(text)} |" for name, result, time, text in rows]
    return counts, "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flytekit", type=pathlib.Path)
    parser.add_argument("--controlplane", help="a control plane to run instead of the image's")
    parser.add_argument("-k", help="only tests that match this, as pytest's -k")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the sandbox running")
    parser.add_argument("--reuse", action="store_true", help="use the sandbox that --keep left, and its images")
    parser.add_argument("--write", action="store_true", help="write the table into docs/compatibility.md")
    options = parser.parse_args()
    flytekit = options.flytekit.resolve()
    if not (flytekit / SUITE).is_dir():
        sys.exit(f"{flytekit} has no {SUITE}: it must be a checked-out flytekit")
    python = client_environment("conformance-venv", *HOST_PACKAGES, flytekit=flytekit)
    with tempfile.TemporaryDirectory() as home, Conformance(home, options.controlplane, options.keep, options.reuse) as sandbox:
        if not options.reuse:
            build_image(sandbox, python, flytekit, home)
        say("running the suite")
        results, seconds = run_suite(sandbox, python, flytekit, home, options)
    if not results.exists():
        sys.exit("the suite has written no results")
    counts, text = table(results, seconds)
    print(text)
    if options.write:
        write_section("flytekit suite", text)
    sys.exit(1 if counts["failed"] or not counts["passed"] else 0)


if __name__ == "__main__":
    main()
