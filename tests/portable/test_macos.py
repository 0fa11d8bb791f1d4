"""platform_macos.c compiles without a warning against stand-ins for the three headers that only macOS has (macos/, written from its documentation):
no machine here has the real ones. That shows mistakes in the C, not that Apple's headers say the same. All other files of the launcher are the same
for every system, which tests/unit/layers and the musl build hold them to."""

import pathlib
import subprocess

from test_musl import WARNINGS

ROOT = pathlib.Path(__file__).parents[2]


def test_the_file_for_macos_compiles():
    # Without GNU's extensions: strerror_r is POSIX' there.
    done = subprocess.run(["clang", "--target=x86_64-linux-gnu", "-fsyntax-only", "-std=c17", "-D_XOPEN_SOURCE=700", "-D_DEFAULT_SOURCE", f"-I{ROOT}/sandbox",
                           "-isystem", ROOT / "tests/portable/macos", "-include", ROOT / "sandbox/base/banned.h",
                           *(warning for warning in WARNINGS if warning != "-Wno-maybe-uninitialized"),
                           ROOT / "sandbox/base/platform_macos.c"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
