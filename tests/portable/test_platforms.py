"""All of our C and all Go parts compile for the platform that this machine is not: by the image's own recipe, whose parts for another platform are
compiled here and not run. What has been made is not made again (scripts/build-image), so only a first time takes long: ten minutes for Kubernetes. That
first time is left to who names the class (`scripts/test portable`): a machine that is new has half an hour of compiling before it as it is. From then on, as
on the machine of CI, the parts that others have written are compiled among all tests, too, whenever something of them has changed, from Go's cache."""

import io
import os
import pathlib
import struct
import subprocess
import tarfile

import pytest

ROOT = pathlib.Path(__file__).parents[2]
MACHINES = {"amd64": 62, "arm64": 183}  # of the ELF specification's e_machine
# Each part with a program that has to be in it.
PARTS = {
    "programs": ["usr/bin/sandbox-init", "usr/bin/flyte-controlplane", "usr/bin/docker", "usr/libexec/sandbox/flyte-copilot"],
    "launcher": ["usr/bin/sandbox"],
    "pause": [],  # as an archive
    "copilot": [],
    "cni": ["bridge", "host-local", "loopback", "portmap"],
    "buildkit": ["buildkitd", "buildctl"],
    "minio": ["minio"],
    "kubernetes": ["k3s"],
}
OF_OTHERS = {"buildkit", "minio", "kubernetes"}


@pytest.fixture(scope="module")
def other():
    """The platform that the engine is not."""
    here = subprocess.run(["docker", "version", "--format", "{{.Server.Arch}}"], capture_output=True, text=True, check=True).stdout.strip()
    return "arm64" if here == "amd64" else "amd64"


def files_of(image):
    container = subprocess.run(["docker", "create", image, "none"], capture_output=True, text=True, check=True).stdout.strip()
    try:
        exported = subprocess.run(["docker", "export", container], capture_output=True, check=True).stdout
    finally:
        subprocess.run(["docker", "rm", container], capture_output=True, check=True)
    return tarfile.open(fileobj=io.BytesIO(exported))


def machine_of(program):
    magic, machine = struct.unpack("<4s14xH", program.read(20))
    assert magic == b"\x7fELF"
    return machine


@pytest.mark.parametrize("part", PARTS)
def test_a_part_compiles_for_the_other_platform(part, other):
    build = [ROOT / "scripts/build-image", "--platform", f"linux/{other}", "--only", part]
    if part in OF_OTHERS and "SANDBOX_COMPILE_ALL" not in os.environ:
        before = subprocess.run(["docker", "images", "--quiet", f"sandbox-part-{part}-{other}"], capture_output=True, text=True, check=True).stdout
        if not before:
            pytest.skip(f"{part} for {other} has never been compiled here: scripts/test portable does, in up to ten minutes")
    done = subprocess.run(build, capture_output=True, text=True, timeout=2400, check=False)
    assert done.returncode == 0, done.stderr[-8000:]
    image = done.stderr.splitlines()[-1].removeprefix(f"{part}: ")
    files = files_of(image)
    for name in PARTS[part]:
        assert machine_of(files.extractfile(name)) == MACHINES[other], name
