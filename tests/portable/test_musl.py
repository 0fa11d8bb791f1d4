"""The launcher with musl's C library: it compiles without a warning, and nothing is left over that musl, the named libraries or we ourselves do
not have. It is not linked, because Debian has no libraries for musl: what the libraries declare is the same everywhere, so their headers are used, and
so are the names that they export."""

import concurrent.futures
import os
import pathlib
import subprocess

from foreign_libraries import link_headers

ROOT = pathlib.Path(__file__).parents[2]
LAYERS = ("base", "docker", "cli", "proto", "grpc", "flyte", "controlplane/compiler")
LIBRARIES = "curl jansson yaml archive ssh2 crypto protobuf-c".split()
# Whether a variable may be used uninitialized is the optimizer's guess, and the same for every system: it is left to the other builds.
WARNINGS = """-Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Wcast-qual -Wdouble-promotion
-Wimplicit-fallthrough -Wpointer-arith -Wwrite-strings -Wno-sign-conversion -Wno-missing-field-initializers -Wno-maybe-uninitialized -Werror""".split()


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True).stdout


def sources():
    return sorted(file for layer in LAYERS for file in (ROOT / "sandbox" / layer).rglob("*.c") if file.name != "platform_macos.c")


def names(option, *files):
    """The symbols of object files, archives and shared libraries."""
    return {line.split()[-1].partition("@")[0] for line in run("nm", *option.split(), *files).splitlines() if len(line.split()) > 1}


def library_file(name):
    return os.path.realpath(run("gcc", f"-print-file-name={name}").strip())


def test_the_launcher_is_complete_with_musl(tmp_path):
    generated = ROOT / "build" / "sandbox" / "proto"
    headers, objects = tmp_path / "headers", tmp_path / "objects"
    link_headers(headers)
    objects.mkdir()
    version = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
    command = ["musl-gcc", "-std=c17", "-O2", "-c", "-D_GNU_SOURCE", "-DPROTOBUF_C__NO_DEPRECATED", f'-DSANDBOX_VERSION="{version}"', f"-I{ROOT}/sandbox",
               "-include", f"{ROOT}/sandbox/base/banned.h", *WARNINGS, "-isystem", headers, "-isystem", generated / "generated"]

    def build(number, file):
        object = objects / f"{number}.o"
        return object, subprocess.run([*command, "-o", object, file], capture_output=True, text=True, check=False).stderr

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        made = list(pool.map(build, *zip(*enumerate(sources()))))
    assert len(made) > 100 and not "".join(complaint for _, complaint in made)

    files = [object for object, _ in made]
    there = names("--defined-only", *files) | names("--defined-only", generated / "libsandbox_flyteidl.a")
    (musl,) = pathlib.Path("/usr/lib").glob("*-linux-musl/libc.a")
    there |= names("--defined-only", musl, library_file("libgcc.a"))
    there |= names("-D --defined-only", *(library_file(f"lib{name}.so") for name in LIBRARIES))
    assert "fmod" in there and "gnu_get_libc_version" not in there
    missing = names("--undefined-only", *files) - there - {"_GLOBAL_OFFSET_TABLE_"}
    assert not missing
