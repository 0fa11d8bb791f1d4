"""Snapshots with the real engine: executions and what container images need of a file system are there in another instance."""

import json
import os
import pathlib
import stat
import urllib.request

import pytest

from conftest import docker, exists


def executions(sandbox):
    with urllib.request.urlopen(f"http://{sandbox.endpoint('grpc')}/api/v1/executions/flytesnacks/development?limit=50", timeout=30) as answer:
        return {entry["id"]["name"]: entry["closure"]["phase"] for entry in json.load(answer)["executions"]}


def volume_directory(sandbox):
    return pathlib.Path(docker("volume", "inspect", "-f", "{{.Mountpoint}}", sandbox.container))


def test_state_goes_to_another_instance(running, make, tmp_path):
    running.run("start", "--wait", "first-task")
    before = executions(running)
    assert "SUCCEEDED" in before.values()
    directory = volume_directory(running)
    if not os.access(directory, os.W_OK):
        pytest.skip("the engine's volumes cannot be written to from here")
    odd = directory / "odd"
    odd.mkdir()
    os.mknod(odd / "whiteout", stat.S_IFCHR | 0o600, os.makedev(0, 0))
    os.setxattr(odd, "trusted.overlay.opaque", b"y")
    with open(odd / "sparse", "wb") as sparse:
        sparse.truncate(50 << 20)
    (odd / "owned").write_text("x")
    os.chown(odd / "owned", 1234, 2345)
    file = tmp_path / "s.sandbox"
    running.run("snapshot", "save", str(file))
    assert running.status()["ready"], "it goes on after the snapshot"
    assert not exists("container", running.container + "-snapshot")

    copy = make("snapshot-copy")
    copy.run("start", "--from", str(file), timeout=600)
    assert executions(copy) == before
    odd = volume_directory(copy) / "odd"
    whiteout = (odd / "whiteout").stat()
    assert stat.S_ISCHR(whiteout.st_mode) and whiteout.st_rdev == 0
    assert os.getxattr(odd, "trusted.overlay.opaque") == b"y"
    assert (odd / "sparse").stat().st_size == 50 << 20 and (odd / "sparse").stat().st_blocks * 512 < 1 << 20
    assert ((odd / "owned").stat().st_uid, (odd / "owned").stat().st_gid) == (1234, 2345)
    # It works on, too.
    copy.run("start", "--wait", "first-task")
    assert len(executions(copy)) == len(before) + 1
    assert copy.run("snapshot", "restore", str(file), check=False).returncode == 6
