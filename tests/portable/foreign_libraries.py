"""The named libraries for a system that this machine is not. For its compiler: Debian's headers, which say the same everywhere. For macOS' linker: a text stub of each library (.tbd, what Apple's
own SDK has instead of libraries) with the names that Debian's exports, and the place where Homebrew or macOS has it: what is linked finds the real ones on a Mac."""

import os
import pathlib
import subprocess

HEADERS = "archive.h archive_entry.h jansson.h jansson_config.h libssh2.h libssh2_sftp.h libssh2_publickey.h yaml.h curl protobuf-c google openssl".split()
# pkg-config's name: the linker's name, Homebrew's formula (None: part of macOS) and its file.
LIBRARIES = {
    "jansson": ("jansson", "jansson", "libjansson.4.dylib"),
    "yaml-0.1": ("yaml", "libyaml", "libyaml-0.2.dylib"),
    "libprotobuf-c": ("protobuf-c", "protobuf-c", "libprotobuf-c.1.dylib"),
    "libcurl": ("curl", None, "libcurl.4.dylib"),
    "libarchive": ("archive", "libarchive", "libarchive.13.dylib"),
    "libssh2": ("ssh2", "libssh2", "libssh2.1.dylib"),
    "libcrypto": ("crypto", "openssl@3", "libcrypto.3.dylib"),
}
PREFIXES = {"aarch64": "/opt/homebrew", "x86_64": "/usr/local"}


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True).stdout


def link_headers(folder):
    """The libraries' headers alone: /usr/include as a whole would bring this machine's C library along."""
    places = [pathlib.Path("/usr/include"), *pathlib.Path("/usr/include").glob("*-linux-gnu")]
    for name in HEADERS:
        for source in (place / name for place in places if (place / name).exists()):
            for file in [source] if source.is_file() else source.rglob("*.h"):
                target = folder / name / file.relative_to(source) if source.is_dir() else folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.exists() or target.symlink_to(file)


def exported(name):
    """The functions and variables of a library of this machine."""
    library = os.path.realpath(run("gcc", f"-print-file-name=lib{name}.so").strip())
    return sorted({line.split()[-1].partition("@")[0] for line in run("nm", "-D", "--defined-only", library).splitlines()})


def make(folder, architecture):
    """include, lib and lib/pkgconfig of all named libraries in the folder. Returns the places of libraries that a program may name."""
    link_headers(folder / "include")
    (folder / "lib/pkgconfig").mkdir(parents=True, exist_ok=True)
    places = set()
    target = f"{'arm64' if architecture == 'aarch64' else architecture}-macos"
    for package, (name, formula, file) in LIBRARIES.items():
        place = f"{PREFIXES[architecture]}/opt/{formula}/lib/{file}" if formula else f"/usr/lib/{file}"
        symbols = ", ".join(f"_{symbol}" for symbol in exported(name))
        (folder / f"lib/lib{name}.tbd").write_text(
            f"--- !tapi-tbd\ntbd-version: 4\ntargets: [ {target} ]\ninstall-name: '{place}'\ncurrent-version: 1\ncompatibility-version: 1\n"
            f"exports:\n  - targets: [ {target} ]\n    symbols: [ {symbols} ]\n...\n", encoding="utf-8")
        version = run("pkg-config", "--modversion", package).strip()
        (folder / f"lib/pkgconfig/{package}.pc").write_text(
            f"Name: {package}\nDescription: {package}\nVersion: {version}\nLibs: -L{folder}/lib -l{name}\nCflags: -I{folder}/include\n", encoding="utf-8")
        places.add(place)
    return places
