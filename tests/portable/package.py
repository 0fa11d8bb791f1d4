"""package.py: builds the launcher twice, in two folders, compares the bytes, packs it, and installs the package in clean containers.

Those are the images `sandbox-base` that scripts/build-image made: of this machine's release, and of the image's own. Where there is none, that is said."""

import hashlib
import shutil
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[2]


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def build(folder):
    """A copy of the committed tree, built there without a cache."""
    folder.mkdir(parents=True)
    archive = subprocess.Popen(["git", "-C", ROOT, "archive", "HEAD"], stdout=subprocess.PIPE)
    run("tar", "-x", "-C", folder, stdin=archive.stdout)
    if archive.wait() != 0:
        sys.exit("git archive failed")
    descriptors = next((ROOT / "out").glob("descriptors-*"), None)
    known = [f"-DSANDBOX_DESCRIPTORS={descriptors}"] if descriptors else []
    run("cmake", "--preset", "release", *known, cwd=folder)
    run("cmake", "--build", "--preset", "release", "--target", "all", "sandbox-linked", cwd=folder)
    return folder / "build"


def main():
    with tempfile.TemporaryDirectory() as scratch:
        first = build(pathlib.Path(scratch, "one"))
        second = build(pathlib.Path(scratch, "a-longer/path/two"))
        hashes = [hashlib.sha256((tree / "bin/sandbox").read_bytes()).hexdigest() for tree in (first, second)]
        if hashes[0] != hashes[1]:
            sys.exit(f"two builds of the same source differ: {hashes}")
        print(f"two builds in two folders: {hashes[0]}")
        run("cpack", cwd=first)
        package = next(first.glob("*.deb"))
        print(run("dpkg-deb", "--info", package))
        contents = run("dpkg-deb", "--contents", package)
        for file in ("./usr/bin/sandbox", "man1/sandbox.1", "man1/sandbox-start.1", "bash-completion/completions/sandbox", "_sandbox", "sandbox.fish"):
            if file not in contents:
                sys.exit(f"the package lacks {file}:\n{contents}")
        staged = pathlib.Path(scratch, "staged")
        run("cmake", "--install", first, "--prefix", staged)
        print(run(staged / "bin/sandbox", "version").strip())
        images = run("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "sandbox-base").split() if shutil.which("docker") else []
        if not images:
            print("no image sandbox-base here: the package is not installed anywhere")
        script = "cp /dev/stdin /tmp/p.deb && apt-get update -qq && apt-get install -y -qq /tmp/p.deb >/dev/null && sandbox version && sandbox --help >/dev/null && sandbox --host tcp://127.0.0.1:1 status 2>&1 | grep -q docker-not-running"
        for image in images:
            with open(package, "rb") as file:
                print(image, run("docker", "run", "--rm", "-i", "--network", "host", image, "sh", "-euc", script, stdin=file))


main()
