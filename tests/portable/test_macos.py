"""The launcher for macOS, on a machine that is none: by the same CMake files, compiled without a warning against Apple's headers of the C library and linked with the names that libSystem has,
both of which zig brings (cmake/Macos.cmake). The other libraries are Debian's headers and stubs of their names (foreign_libraries.py). That it runs is not shown: nothing here can run it.

zig is a package of the Python package index, 100 MB, of one version and known bytes; where it cannot be had, these tests fail, as they would prove nothing."""

import hashlib
import os
import pathlib
import struct
import subprocess
import sys

import pytest

import foreign_libraries

ROOT = pathlib.Path(__file__).parents[2]
WANTED = ROOT / "tests/portable/zig.txt"
PROCESSORS = {"aarch64": 0x0100000C, "x86_64": 0x01000007}  # of <mach/machine.h>: CPU_TYPE_ARM64, CPU_TYPE_X86_64
MAGIC, EXECUTABLE, POSITION_INDEPENDENT, TWO_LEVELS = 0xFEEDFACF, 2, 0x200000, 0x80  # of <mach-o/loader.h>
LOAD_DYLIB, BUILD_VERSION = 0xC, 0x32
SYSTEM = "/usr/lib/libSystem.B.dylib"
# What the launcher needs before its first line; the rest it loads when it calls it.
AT_THE_START = ("libjansson", "libyaml", "libprotobuf-c")


def run(*command, log, **options):
    """Its output goes into a file of out/log, and is shown when it fails."""
    path = ROOT / "out/log" / log
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        done = subprocess.run([str(part) for part in command], stdout=out, stderr=subprocess.STDOUT, check=False, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{path.read_text(encoding='utf-8')[-6000:]}"


@pytest.fixture(scope="module")
def zig():
    folder = ROOT / f"out/zig-{hashlib.sha256(WANTED.read_bytes()).hexdigest()[:12]}"
    if not (folder / "made").exists():
        run(sys.executable, "-m", "venv", "--clear", folder, log="zig-venv.log")
        run(folder / "bin/pip", "install", "--disable-pip-version-check", "--require-hashes", "--only-binary=:all:", "-r", WANTED, log="zig-pip.log")
        (folder / "made").touch()
    (program,) = folder.glob("lib/python3*/site-packages/ziglang/zig")
    return program


@pytest.fixture(scope="module", params=PROCESSORS)
def built(zig, request):
    """The build folder, the places that programs may load libraries from, and the processor."""
    tree, libraries = (ROOT / f"out/portable/macos-{request.param}{part}" for part in ("", "-libraries"))
    places = foreign_libraries.make(libraries, request.param)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("CMAKE_", "CCACHE_"))}
    environment.update(ZIG_GLOBAL_CACHE_DIR=str(ROOT / "out/zig-cache"), ZIG_LOCAL_CACHE_DIR=str(ROOT / "out/zig-cache"))
    known = [f"-DSANDBOX_DESCRIPTORS={found}" for found in (ROOT / "out").glob("descriptors-*")][:1]
    run("cmake", "--preset", "release", "-B", tree, f"-DCMAKE_TOOLCHAIN_FILE={ROOT}/cmake/Macos.cmake", f"-DSANDBOX_ZIG={zig}", f"-DSANDBOX_MACOS={request.param}",
        f"-DSANDBOX_MACOS_LIBRARIES={libraries}", "-DSANDBOX_LAZY_LIBRARIES=ON", "-DSANDBOX_WERROR=ON", *known, cwd=ROOT, env=environment, log=f"macos-{request.param}-cmake.log")
    run("cmake", "--build", tree, "--target", "sandbox", "sandbox-linked", cwd=ROOT, env=environment, log=f"macos-{request.param}-build.log")
    return tree / "bin", places, request.param


def look_into(program):
    """A Mach-O executable's processor, flags, the libraries that it names, and the oldest macOS that it is for."""
    data = program.read_bytes()
    magic, processor, _, kind, count, _, flags, _ = struct.unpack_from("<8I", data)
    assert (magic, kind) == (MAGIC, EXECUTABLE)
    at, libraries, oldest = 32, set(), None
    for _ in range(count):
        command, size = struct.unpack_from("<2I", data, at)
        if command == LOAD_DYLIB:
            (offset,) = struct.unpack_from("<I", data, at + 8)
            libraries.add(data[at + offset : at + size].partition(b"\0")[0].decode())
        elif command == BUILD_VERSION:
            oldest = struct.unpack_from("<I", data, at + 12)[0] >> 16
        at += size
    return processor, flags, libraries, oldest


@pytest.mark.parametrize("name", ["sandbox", "sandbox-linked"])
def test_the_launcher_is_a_program_of_macos(built, name):
    folder, places, architecture = built
    processor, flags, libraries, oldest = look_into(folder / name)
    assert processor == PROCESSORS[architecture]
    # Each symbol was found in a library when it was linked, and is looked for in that one only.
    assert flags & TWO_LEVELS and flags & POSITION_INDEPENDENT
    assert oldest == 13
    allowed = places if name == "sandbox-linked" else {place for place in places if place.split("/")[-1].startswith(AT_THE_START)}
    assert libraries == allowed | {SYSTEM}


def test_libraries_are_loaded_from_where_macos_has_them(built):
    folder, places, _ = built
    program = (folder / "sandbox").read_bytes()
    later = {place for place in places if not place.split("/")[-1].startswith(AT_THE_START)}
    assert len(later) == 4
    for place in later:
        assert place.encode() + b"\0" in program
    assert not [name for name in ("libcurl", "libarchive", "libssh2", "libcrypto") if f"{name}.so".encode() in program]


@pytest.mark.parametrize("source, complaint", [
    ("int main(void) { return epoll_create1(0); }", "undeclared function 'epoll_create1'"),
    ("int epoll_create1(int);\nint main(void) { return epoll_create1(0); }", "undefined symbol: _epoll_create1"),
    ("int main(void) { return pipe2((int[2]){ 0 }, 0); }", "'pipe2' is only available on macOS 27.0 or newer"),
])
def test_what_macos_lacks_is_seen(zig, tmp_path, source, complaint):
    """Neither a compiler nor a linker that takes everything."""
    (tmp_path / "a.c").write_text(f"#include <unistd.h>\n{source}\n")
    done = subprocess.run([zig, "cc", "-target", "aarch64-macos.13.0", "-std=c17", "-Werror", "-o", tmp_path / "a", tmp_path / "a.c"], capture_output=True, text=True, check=False,
                          env={**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(ROOT / "out/zig-cache"), "ZIG_LOCAL_CACHE_DIR": str(tmp_path)})
    assert done.returncode != 0 and complaint in done.stderr, done.stderr
