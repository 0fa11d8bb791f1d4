# Shared by the scripts of this folder (sourced, not run): progress with elapsed time, package installation, the Docker engine, Python.
# shellcheck shell=bash

set -euo pipefail
shopt -s inherit_errexit

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
STARTED=$SECONDS
LOG_DIRECTORY=$ROOT/out/log
mkdir -p "$LOG_DIRECTORY"

# shellcheck source=/dev/null
[ -f "$ROOT/images/versions.env" ] && . "$ROOT/images/versions.env"
FLYTEKIT_VERSION=${FLYTEKIT_VERSION:-1.16.31}

elapsed() { printf '%3d:%02d' $(((SECONDS - STARTED) / 60)) $(((SECONDS - STARTED) % 60)); }
say() { printf '[%s] %s\n' "$(elapsed)" "$*" >&2; }
die() {
	printf '[%s] error: %s\n' "$(elapsed)" "$1" >&2
	shift
	for line in "$@"; do printf '        %s\n' "$line" >&2; done
	exit 1
}

# run_logged NAME TEXT COMMAND…: says TEXT, keeps the output in out/log/NAME.log, shows its end when the command fails.
run_logged() {
	local log=$LOG_DIRECTORY/$1.log
	say "$2"
	shift 2
	if ! "$@" >"$log" 2>&1; then
		tail -n 30 "$log" >&2
		die "'$*' failed" "the whole output is in ${log#"$ROOT"/}"
	fi
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "'$1' needs root, and there is no sudo here" "run this script once as root, or install: ${*:2}"
	fi
}

# Once in a run, and only where something is to be installed. Connections that fail are tried again.
PACKAGE_LISTS_FRESH=''
refresh_package_lists() {
	[ -z "$PACKAGE_LISTS_FRESH" ] || return 0
	run_logged apt-update "refreshing the package lists" as_root apt-get -o Acquire::Retries=3 update
	PACKAGE_LISTS_FRESH=yes
}

# install_packages PACKAGE…: what is missing of it, with apt. A package that is installed costs no more than a look.
install_packages() {
	local missing=()
	for package in "$@"; do
		dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
	done
	[ ${#missing[@]} = 0 ] && return
	command -v apt-get >/dev/null || die "these packages are missing: ${missing[*]}" "this script installs on Debian and Ubuntu only; install them by hand"
	refresh_package_lists
	# A machine that has just booted may be upgrading itself: its lock is waited for.
	run_logged apt-install "installing ${missing[*]}" as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}"
}

# The Flyte messages are generated while the launcher is built, from a Python package: hence protoc and Python.
LAUNCHER_PACKAGES=(gcc libc6-dev cmake ninja-build pkg-config libcurl4-openssl-dev libjansson-dev libyaml-dev libarchive-dev libssh2-1-dev libssl-dev
	protobuf-compiler protobuf-c-compiler libprotobuf-c-dev python3 python3-venv)
# Debian's keyring is what Ubuntu lacks to bootstrap Debian.
IMAGE_PACKAGES=(mmdebstrap zstd debian-archive-keyring ca-certificates)
PYTHON_PACKAGES=(python3 python3-venv)
TEST_PACKAGES=(libnghttp2-dev libuv1-dev libpq-dev libhttp-parser-dev zlib1g-dev
	libcmocka-dev postgresql clang-format openssl tzdata mold python3-jsonschema python3-pytest
	python3-pytest-xdist openssh-client binutils zsh fish)

# Of the tests of other systems: musl's compiler, Clang, what makes and reads packages.
PORTABLE_PACKAGES=(musl-tools clang binutils dpkg-dev git python3-pytest)

# Of the tests against a running sandbox: clients that are not Python's. A Node that is not Debian's brings its package manager along.
install_clients() {
	install_packages curl
	{ command -v node && command -v npm; } >/dev/null || install_packages nodejs npm
}

# A clang that can build fuzzers, installed where it is missing; false where there is none to be had.
fuzzing_clang() {
	(install_packages clang) || return 1
	local runtime
	runtime=libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev
	[ -z "$(apt-cache --names-only search "^$runtime\$" 2>/dev/null)" ] || (install_packages "$runtime") || return 1
	echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n); int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return 0; }' |
		clang -x c -fsanitize=fuzzer,address,undefined -o /dev/null - 2>"$LOG_DIRECTORY/fuzzing-clang.log"
}

docker_socket() {
	case ${DOCKER_HOST:-unix:///var/run/docker.sock} in
	unix://*) echo "${DOCKER_HOST#unix://}" | sed 's|^$|/var/run/docker.sock|' ;;
	*) echo "" ;;
	esac
}

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# A Docker engine that answers: the one that is there, else Debian's, started by the service manager or, where there is none, by us.
need_docker() {
	engine_answers && return
	if ! command -v docker >/dev/null || { [ -z "${DOCKER_HOST:-}" ] && ! command -v dockerd >/dev/null && ! [ -S /var/run/docker.sock ]; }; then
		# Debian 13 splits the client off; a fresh machine has no lists yet to look it up in.
		local packages=(docker.io)
		! command -v apt-get >/dev/null || refresh_package_lists
		[ -n "$(apt-cache --names-only search '^docker-cli$' 2>/dev/null)" ] && packages+=(docker-cli)
		install_packages "${packages[@]}" iptables
	fi
	engine_answers && return
	if [ -S /var/run/docker.sock ] && ! [ -w /var/run/docker.sock ]; then
		die "the Docker socket /var/run/docker.sock is not writable for $(id -un)" \
			"sudo usermod -aG docker $(id -un)   # then log in again"
	fi
	[ -z "${DOCKER_HOST:-}" ] || die "no Docker engine answers at DOCKER_HOST=$DOCKER_HOST" "start it, or unset DOCKER_HOST"
	if [ -d /run/systemd/system ]; then
		run_logged dockerd "starting the Docker engine (systemd)" as_root systemctl start docker
	else
		say "starting the Docker engine (no service manager here; its log: /var/log/dockerd.log)"
		as_root sh -c 'setsid dockerd >/var/log/dockerd.log 2>&1 </dev/null &'
	fi
	local deadline=$((SECONDS + 60))
	until engine_answers; do
		[ $SECONDS -lt $deadline ] || die "the Docker engine did not answer within 60 s" "$(as_root tail -n 3 /var/log/dockerd.log 2>/dev/null || true)"
		read -rt 0.3 <> <(:) || true
	done
}

# client_python: sets PYTHON to an interpreter that flytekit supports and for which the sandbox has a task image. flytekit 1.16 refuses Python
# 3.13 (Debian 13), and Debian has no 3.10 or 3.12 (Ubuntu): there, Debian 12's Python 3.11 is put into out/.
client_python() {
	install_packages "${PYTHON_PACKAGES[@]}"
	PYTHON=python3
	[ "$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')" = 3.11 ] && return
	PYTHON=$ROOT/out/python-3.11/usr/bin/python3.11
	[ -x "$PYTHON" ] && return
	need_docker
	install_packages "${IMAGE_PACKAGES[@]}"
	say "flytekit and the task image need Python 3.11, and this machine has $(python3 --version); making 3.11 in out/python-3.11"
	local image container
	image=$("$ROOT/scripts/build-image" --only python 2>&1 | tee /dev/stderr | sed -n 's/^python: //p')
	[ -n "$image" ] || die "Python 3.11 could not be made" "the reason is above"
	rm -rf "$ROOT/out/python-3.11.partial" "$ROOT/out/python-3.11"
	mkdir -p "$ROOT/out/python-3.11.partial"
	container=$(docker create "$image" none)
	docker cp -q "$container:/usr" "$ROOT/out/python-3.11.partial/" 2>/dev/null || docker cp "$container:/usr" "$ROOT/out/python-3.11.partial/" >/dev/null
	docker rm "$container" >/dev/null
	mv "$ROOT/out/python-3.11.partial" "$ROOT/out/python-3.11"
}

# python_environment DIRECTORY REQUIREMENTS-FILE…: a virtual environment that holds exactly these; nothing to do when it does already.
python_environment() {
	local directory=$1 stamp wheels
	shift
	client_python
	local constraints=$ROOT/examples/constraints.txt
	stamp=$(cat "$@" "$constraints" <("$PYTHON" --version) | sha256sum)
	[ "$(cat "$directory/.stamp" 2>/dev/null)" = "$stamp" ] && return
	rm -rf "$directory"
	if [ "$PYTHON" = python3 ]; then
		run_logged venv "making the Python environment ${directory#"$ROOT"/}" python3 -m venv "$directory"
	else
		# Its pip comes as a wheel beside it, not where Debian's ensurepip looks.
		run_logged venv "making the Python environment ${directory#"$ROOT"/}" "$PYTHON" -m venv --without-pip "$directory"
		wheels=$ROOT/out/python-3.11/usr/share/python-wheels
		run_logged venv-pip "putting pip into it" "$directory/bin/python" "$(echo "$wheels"/pip-*.whl)/pip" install --no-index --find-links "$wheels" pip
	fi
	local arguments=()
	for file in "$@"; do arguments+=(-r "$file"); done
	run_logged pip "installing $(grep -hv '^#' "$@" | tr '\n' ' ')" "$directory/bin/pip" install --disable-pip-version-check -c "$constraints" "${arguments[@]}"
	echo "$stamp" >"$directory/.stamp"
}

cmake_command() {
	if cmake --version 2>/dev/null | awk 'NR == 1 { split($3, v, "."); exit !(v[1] > 3 || (v[1] == 3 && v[2] >= 25)) }'; then
		echo cmake
	else
		# Ubuntu 22.04 has 3.22; the package index has a current one.
		echo "cmake>=3.25,<4" >"$ROOT/out/cmake-requirements.txt"
		python_environment "$ROOT/out/cmake-venv" "$ROOT/out/cmake-requirements.txt"
		echo "$ROOT/out/cmake-venv/bin/cmake"
	fi
}

build_launcher() {
	install_packages "${LAUNCHER_PACKAGES[@]}"
	local cmake
	cmake=$(cmake_command)
	if ! [ -f "$ROOT/build/build.ninja" ]; then
		(cd "$ROOT" && run_logged cmake-release "configuring the launcher" "$cmake" --preset release)
	fi
	(cd "$ROOT" && run_logged build-release "building the launcher: build/bin/sandbox" "$cmake" --build --preset release)
}

# image_and_sources TAG: the image's id, and a hash of what an image is made of here.
image_and_sources() {
	docker image inspect --format '{{.Id}}' "$1" 2>/dev/null || true
	(cd "$ROOT" && find images sandbox manifests scripts/build-image -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
}

# The sandbox's image: built, in a second or so when nothing that it is made of has changed; or, with SANDBOX_IMAGE_FILE, what somebody else has
# built and saved (scripts/build-image --save FILE), loaded where the engine does not have it. That one is good until something that an image is
# made of changes here: without its parts, building it again would begin with nothing.
build_image() {
	local tag taken=$ROOT/out/taken-image
	tag=flyte-sandbox:$(cat "$ROOT/VERSION")
	if [ -n "${SANDBOX_IMAGE_FILE:-}" ]; then
		if ! docker image inspect "$tag" >/dev/null 2>&1; then
			[ -r "$SANDBOX_IMAGE_FILE" ] || die "there is no image file '$SANDBOX_IMAGE_FILE'" "unset SANDBOX_IMAGE_FILE to build the image"
			run_logged load "loading the image from $SANDBOX_IMAGE_FILE" docker load -i "$SANDBOX_IMAGE_FILE"
			docker image inspect "$tag" >/dev/null 2>&1 || die "there is no $tag in $SANDBOX_IMAGE_FILE" "what is in it: $(cat "$LOG_DIRECTORY/load.log")"
		fi
		image_and_sources "$tag" >"$taken"
		return
	fi
	if [ -f "$taken" ] && [ "$(image_and_sources "$tag")" = "$(cat "$taken")" ]; then
		say "the image is the one that SANDBOX_IMAGE_FILE gave, and what it is made of has not changed since (to build it: scripts/build-image)"
		return
	fi
	rm -f "$taken"
	install_packages "${IMAGE_PACKAGES[@]}"
	client_python
	say "building the image, where something of it has changed"
	"$ROOT/scripts/build-image" --python "$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
}
