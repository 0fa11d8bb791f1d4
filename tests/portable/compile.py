"""compile.py musl|arm64 GENERATED: compiles our C for a system that it does not run on here, warnings are errors.

musl: the launcher's layers with musl's C library. arm64: everything, with Debian's cross compiler. Nothing is linked: Debian has no libraries for musl, and foreign
ones only where dpkg has that architecture added. Whether a variable may be used uninitialized is the optimizer's guess, and the same for every system: it is left to the other builds. What libraries declare is the same everywhere, so links to their headers stand beside the other C
library's own. GENERATED is the folder of the generated Flyte messages, of any build. Exit code 77: the compiler is not here."""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[2]
HEADERS = """archive.h archive_entry.h jansson.h jansson_config.h libssh2.h libssh2_sftp.h libssh2_publickey.h yaml.h curl nghttp2 protobuf-c google openssl uv.h uv postgresql
http_parser.h zlib.h zconf.h libpq-fe.h pg_config_ext.h postgres_ext.h""".split()
# What the launcher is made of; `main` files included.
LAUNCHER = ("base", "docker", "cli", "proto", "grpc", "flyte")
WARNINGS = """-Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Wcast-qual -Wdouble-promotion -Wimplicit-fallthrough
-Wpointer-arith -Wwrite-strings -Wno-sign-conversion -Wno-missing-field-initializers -Wno-maybe-uninitialized -Werror""".split()
TARGETS = {"musl": ("musl-gcc", LAUNCHER), "arm64": ("aarch64-linux-gnu-gcc", None)}


def link_headers(folder):
    """The libraries' headers alone: /usr/include as a whole would bring this machine's C library along."""
    for name in HEADERS:
        for place in (pathlib.Path("/usr/include"), *pathlib.Path("/usr/include").glob("*-linux-gnu"), pathlib.Path("/usr/include/postgresql")):
            source = place / name
            if source.is_file():
                (folder / name).exists() or (folder / name).symlink_to(source)
            elif source.is_dir():
                for file in (file for file in source.rglob("*.h")):
                    target = folder / name / file.relative_to(source)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.exists() or target.symlink_to(file)


def sources(layers):
    files = sorted((ROOT / "sandbox").rglob("*.c"))
    return [file for file in files if file.name != "platform_macos.c" and (layers is None or file.relative_to(ROOT / "sandbox").parts[0] in layers)]


def main(target, generated):
    compiler, layers = TARGETS[target]
    if not shutil.which(compiler):
        print(f"{compiler} is not here")
        return 77
    files = sources(layers)
    with tempfile.TemporaryDirectory() as folder:
        link_headers(pathlib.Path(folder))
        version = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
        command = [compiler, "-std=c17", "-O2", "-g0", "-c", "-o", "/dev/null", "-D_GNU_SOURCE", "-DPROTOBUF_C__NO_DEPRECATED", f'-DSANDBOX_VERSION="{version}"', f"-I{ROOT}/sandbox",
                   "-include", f"{ROOT}/sandbox/base/banned.h", *WARNINGS, "-isystem", folder, "-isystem", generated]

        def build(file):
            return file, subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)

        with concurrent.futures.ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
            failed = [(file, done.stderr) for file, done in pool.map(build, files) if done.returncode != 0]
    for file, text in failed:
        print(f"{file.relative_to(ROOT)}:\n{text}")
    print(f"{compiler}: {len(files) - len(failed)} files compile, {len(failed)} do not")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
