"""What is not POSIX stands in one file a system: base, docker and cli must build on Linux with glibc or musl, and on macOS.

Looks for includes and names that only Linux has, or only one libc. base/platform_*.c and base/lazy.c (dlopen is POSIX; its library names are not)
are the only exceptions."""

import pathlib
import re
import sys

# POSIX.1-2017, the C library, and the libraries that docs/decisions/0005-libraries.md names.
HEADERS = set("""
assert.h ctype.h errno.h fcntl.h float.h inttypes.h limits.h locale.h math.h setjmp.h signal.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h
stdio.h stdlib.h stdnoreturn.h string.h time.h arpa/inet.h dirent.h dlfcn.h fnmatch.h ftw.h glob.h grp.h langinfo.h libgen.h net/if.h netdb.h netinet/in.h
netinet/tcp.h poll.h pthread.h pwd.h regex.h sched.h semaphore.h spawn.h strings.h sys/file.h sys/ioctl.h sys/mman.h sys/resource.h sys/select.h sys/socket.h
sys/stat.h sys/statvfs.h sys/time.h sys/types.h sys/uio.h sys/un.h sys/utsname.h sys/wait.h syslog.h termios.h unistd.h sys/random.h
archive.h archive_entry.h curl/curl.h jansson.h libssh2.h openssl/evp.h yaml.h nghttp2/nghttp2.h protobuf-c/protobuf-c.h zlib.h
""".split())
NAMES = re.compile(
    r"\b(eventfd|epoll_\w+|signalfd|timerfd_\w+|inotify_\w+|accept4|pipe2|dup3|prctl|gettid|syscall|getrandom|SOCK_CLOEXEC|SOCK_NONBLOCK|MSG_NOSIGNAL|MSG_CMSG_CLOEXEC|"
    r"SO_PEERCRED|O_TMPFILE|O_PATH|st_[amc]tim|sendfile|splice|ppoll|strerror_r|program_invocation_\w+|canonicalize_file_name|secure_getenv|strchrnul|mempcpy|rawmemchr|"
    r"get_current_dir_name|euidaccess|qsort_r|TEMP_FAILURE_RETRY|execvpe|unshare|setns|memfd_create|copy_file_range|fallocate|error\s*\(|"
    r"\w+_np|closefrom|close_range|renameat2|statx|getauxval|asprintf\s*\(\s*NULL)\b"
)
INCLUDE = re.compile(r"^\s*#\s*include\s+<([^>]+)>", re.MULTILINE)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
EXCEPTIONS = {"base/platform_linux.c", "base/platform_macos.c", "base/platform.h"}
# It looks at a Linux machine's files, and to find none is one of its answers.
READS_LINUX_FILES = {"cli/doctor/checks_machine.c"}
LAYERS = ("base", "docker", "cli")


def complaints_of(name, text):
    found = [f"sandbox/{name}: <{header}> is no header of POSIX or of our libraries" for header in INCLUDE.findall(text) if header not in HEADERS]
    without_comments = COMMENT.sub(" ", text)
    if name not in READS_LINUX_FILES and ("/proc/" in without_comments or '"/sys/' in without_comments):
        found.append(f"sandbox/{name}: reads /proc or /sys")
    found += [f"sandbox/{name}: {match.group(1)} is not POSIX" for match in NAMES.finditer(STRING.sub('""', without_comments))]
    return found


def main(root):
    source = pathlib.Path(root) / "sandbox"
    # A check that finds nothing in what is known to be full of it would find nothing anywhere.
    linux = (source / "base/platform_linux.c").read_text(encoding="utf-8")
    if len(complaints_of("base/platform_linux.c", linux)) < 5:
        print("the check does not see what platform_linux.c uses")
        return 1
    files = [file for layer in LAYERS for file in sorted((source / layer).rglob("*.[ch]"))]
    complaints = []
    for file in files:
        name = file.relative_to(source).as_posix()
        if name not in EXCEPTIONS:
            complaints += complaints_of(name, file.read_text(encoding="utf-8"))
    # Each system answers the same questions.
    declared = set(re.findall(r"\b(platform_\w+)\(", (source / "base/platform.h").read_text(encoding="utf-8")))
    for system in ("linux", "macos"):
        defined = set(re.findall(r"^[\w *]*?\b(platform_\w+)\(", (source / f"base/platform_{system}.c").read_text(encoding="utf-8"), re.MULTILINE))
        complaints += [f"sandbox/base/platform_{system}.c: lacks {name}" for name in sorted(declared - defined)]
    print("\n".join(complaints) or f"{len(files)} files, POSIX but for base/platform_*.c")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
