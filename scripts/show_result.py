"""Prints the outputs of the execution whose console URL is in a file that `pyflyte run` wrote.

usage: show_result.py FILE
"""

import re
import sys

from flytekit.configuration import Config
from flytekit.remote import FlyteRemote

with open(sys.argv[1], encoding="utf-8") as source:
    project, domain, name = re.search(r"projects/(.+?)/domains/(.+?)/executions/(\w+)", source.read().replace("\n", "")).groups()
remote = FlyteRemote(Config.auto(), project, domain)
execution = remote.sync_execution(remote.fetch_execution(name=name))
for output, value in execution.outputs.items():
    print(f"  {output} = {value!r}")
