"""The launcher as users get it: two builds of the same commit, in folders of different names, are the same bytes, and so are their packages; the
package installs in clean containers. The build trees stay in out/portable, where a second run compiles only what the commits between changed."""

import hashlib
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
TREES = [ROOT / "out/portable/one", ROOT / "out/portable/a-longer/path/two"]
# A newcomer in clean Debian. What `apt-get install` of the file brings along is all that the launcher needs; what the shells and man need to show it is theirs, and there before.
# The image leaves manual pages out when packages are installed, which a person's Debian does not.
NEWCOMER = r"""cp /dev/stdin /tmp/p.deb
rm -f /etc/dpkg/dpkg.cfg.d/*
apt-get update -qq && apt-get install -y -qq --no-install-recommends man-db bash-completion zsh fish >/dev/null
files() { find / -xdev \( -path /proc -o -path /sys -o -path /tmp -o -path /root -o -path /var/cache -o -path /var/log -o -path /var/lib/dpkg -o -path /var/lib/apt \) -prune -o -print | sort; }
files >/tmp/before
apt-get install -y -qq /tmp/p.deb >/dev/null
sandbox version && sandbox --help >/dev/null
sandbox --host tcp://127.0.0.1:1 status 2>&1 | grep -q docker-not-running
for page in sandbox sandbox-start; do MANWIDTH=80 man -P cat $page | grep -q 'EXIT STATUS'; done
bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader sandbox || [ $? = 124 ]; COMP_WORDS=(sandbox sta); COMP_CWORD=1; _sandbox; echo "${COMPREPLY[*]}"' | grep -qx 'start status'
zsh -fc 'autoload -Uz compinit; compinit -u; echo $_comps[sandbox]; autoload +X _sandbox' | grep -qx _sandbox
fish -c 'complete -C "sandbox sta"' | grep -q ^status
apt-get purge -y -qq flyte-sandbox >/dev/null && apt-get autoremove -y -qq --purge >/dev/null
# Debian keeps libraries that another package suggests: those have an owner.
files | comm -13 /tmp/before - | while read -r file; do dpkg -S "$file" >/dev/null 2>&1 || echo "left: $file"; done | { ! grep .; }"""


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def sha256(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def check_out(folder):
    """The committed tree; what is there already and has not changed keeps its time."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GIT_INDEX_FILE": str(folder.with_name(f"{folder.name}.index"))}
    run("git", "-C", ROOT, f"--work-tree={folder}", "read-tree", "--reset", "-u", "HEAD", env=environment)


def build(folder):
    check_out(folder)
    # A compiler's cache would give the second what the first has made.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("CMAKE_", "CCACHE_"))}
    environment.update(CCACHE_DISABLE="1", SOURCE_DATE_EPOCH=run("git", "-C", ROOT, "log", "-1", "--format=%ct").strip())
    known = [f"-DSANDBOX_DESCRIPTORS={found}" for found in (ROOT / "out").glob("descriptors-*")][:1]
    run("cmake", "--preset", "release", *known, cwd=folder, env=environment)
    run("cmake", "--build", "--preset", "release", "--target", "all", "sandbox-linked", cwd=folder, env=environment)
    for old in (folder / "build").glob("*.deb"):
        old.unlink()
    run("cpack", cwd=folder / "build", env=environment)
    (package,) = (folder / "build").glob("*.deb")
    return folder / "build/bin/sandbox", package


@pytest.fixture(scope="module")
def builds():
    return [build(folder) for folder in TREES]


@pytest.fixture(scope="module")
def package(builds):
    return builds[0][1]


def test_two_builds_give_the_same_bytes(builds):
    (program, package), (other_program, other_package) = builds
    assert sha256(program) == sha256(other_program)
    assert sha256(package) == sha256(other_package)


def test_what_is_in_the_package(package):
    contents = run("dpkg-deb", "--contents", package)
    for file in ("./usr/bin/sandbox", "man1/sandbox.1", "man1/sandbox-start.1", "bash-completion/completions/sandbox", "_sandbox", "sandbox.fish"):
        assert file in contents
    depends = run("dpkg-deb", "--field", package, "Depends")
    for library in ("libc6", "libcurl", "libjansson", "libyaml", "libarchive", "libssh2", "libssl"):
        assert library in depends


def test_make_install(builds, tmp_path):
    run("cmake", "--install", TREES[0] / "build", "--prefix", tmp_path)
    version = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
    assert version in run(tmp_path / "bin/sandbox", "version")
    for file in ("man/man1/sandbox.1", "man/man1/sandbox-start.1", "bash-completion/completions/sandbox", "zsh/vendor-completions/_sandbox", "fish/vendor_completions.d/sandbox.fish"):
        assert (tmp_path / "share" / file).stat().st_size > 500


def base_images():
    """Of scripts/build-image: this machine's Debian among them, for whose libraries the package is made."""
    if not shutil.which("docker"):
        return []
    listed = run("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "sandbox-base")
    return listed.split()


def test_a_newcomer_installs_uses_and_removes_the_package(package):
    images = base_images()
    assert images, "no image 'sandbox-base' here: scripts/build-image --only base makes one"
    for image in images:
        # Once for these bytes: what it takes is a download.
        script = hashlib.sha256(NEWCOMER.encode()).hexdigest()
        done = ROOT / "out/portable" / f"installed-{sha256(package)[:16]}-{script[:16]}-{run('docker', 'image', 'inspect', '-f', '{{.Id}}', image).strip()[-16:]}"
        if done.exists():
            continue
        with open(package, "rb") as file:
            run("docker", "run", "--rm", "-i", "--network", "host", image, "sh", "-euxc", NEWCOMER, stdin=file)
        done.touch()
