from flytekit import Resources, task, workflow


@task(requests=Resources(mem="300Mi"), limits=Resources(mem="800Mi"))
def fill(megabytes: int) -> int:
    """Has so much in memory at once."""
    return len(b"x" * (megabytes << 20)) >> 20


@workflow
def hungry(megabytes: int = 10) -> int:
    return fill(megabytes=megabytes)
