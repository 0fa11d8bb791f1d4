#!/bin/sh
# Debian's part of the image. Installed, trimmed and listed in one step, because what a later layer removes still weighs.
set -eu
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends \
	ca-certificates containerd crun postgresql-17 iptables iproute2 mount util-linux kmod procps squashfs-tools \
	libprotobuf-c1 libnghttp2-14 libuv1t64 libcurl4t64 libjansson4 libpq5 libyaml-0-2 libarchive13t64 libhttp-parser2.9 >/dev/null
# PostgreSQL's just-in-time compiler (LLVM, 150 MB) helps long analytic queries only; its Debian wrappers (Perl, 50 MB) manage
# clusters that we don't have.
rm -rf /usr/lib/*/libLLVM* /usr/lib/llvm-* /usr/lib/*/libz3.so* /usr/lib/postgresql/*/lib/llvmjit* /usr/lib/postgresql/*/lib/bitcode \
	/usr/lib/*/libperl.so* /usr/lib/*/perl /usr/share/perl /usr/share/perl5 /usr/share/i18n /usr/share/postgresql/*/man /usr/bin/containerd-stress /usr/bin/containerd-shim /usr/bin/containerd-shim-runc-v1 \
	/var/lib/apt/lists/* /var/cache/apt /var/cache/debconf /var/log/*.log /var/log/apt
# The client itself, not Debian's Perl wrapper, which the trimming above has broken.
for program in psql pg_dump pg_restore; do
	ln -sf "/usr/lib/postgresql/17/bin/$program" "/usr/bin/$program"
done
useradd --system --home-dir /var/lib/sandbox/minio --no-create-home --shell /usr/sbin/nologin minio
mkdir -p /usr/lib/sandbox /usr/lib/cni
dpkg-query -W > /usr/lib/sandbox/packages
