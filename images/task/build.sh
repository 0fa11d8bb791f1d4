#!/bin/sh
# Runs in a container of the Debian release whose Python is wanted; leaves there what flytekit's own image has: Python, pip,
# flytekit. arguments: PYTHON_MINOR FLYTEKIT_VERSION
set -eu
python=$1 flytekit=$2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends python3 python3-pip ca-certificates >/dev/null
have=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[ "$have" = "$python" ] || { echo "this Debian has Python $have, not $python" >&2; exit 1; }
# A container is an environment of its own: pip may install into it, as it may in the official Python images.
rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
ln -sf python3 /usr/bin/python
export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 SSL_CERT_FILE=${PIP_CERT:-}
[ -n "$SSL_CERT_FILE" ] || unset SSL_CERT_FILE
pip3 install --quiet --upgrade --ignore-installed pip setuptools
hash -r
# A connection that stalls is given up soon and tried again, instead of holding the build for pip's patience times its retries.
export PIP_DEFAULT_TIMEOUT=20 PIP_RETRIES=5
if grep -qx "flytekit==$flytekit" "$(dirname "$0")/constraints-$python.txt" 2>/dev/null; then
	export PIP_CONSTRAINT="$(dirname "$0")/constraints-$python.txt"
fi
# One after the other: asked for both at once, pip's resolver goes back through every release of one for the other.
python3 -m pip install --quiet "flytekit==$flytekit"
python3 -m pip install --quiet kubernetes
# (It is in flytekit's own image too: pod templates are written with it.)
#
# Tests of libraries are never imported. Everything else stays, the compiled files above all: without them each task would compile
# flytekit anew.
find /usr/local/lib -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
# Perl is not what anybody asks of this image, and each file costs a first start time: the full interpreter goes, dpkg's own stays.
apt-get purge -y -qq python3-pip python3-wheel perl '^perl-modules-.*' '^libperl5.*' >/dev/null 2>&1 || true
apt-get autoremove -y -qq >/dev/null
python3 -m compileall -q /usr/local/lib /usr/lib/python3 /usr/lib/python3.* >/dev/null || true
rm -rf /usr/share/zoneinfo/right /usr/share/zoneinfo/posix /usr/lib/python3.*/test /usr/share/bash-completion
rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf /var/log/*.log /var/log/apt /root/.cache /tmp/*
python3 -c "import flytekit; print('flytekit', flytekit.__version__)"
