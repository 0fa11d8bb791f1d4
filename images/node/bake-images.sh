#!/bin/sh
# Bakes the store that every sandbox's containerd starts from: the images that come with the sandbox, already unpacked. A first start
# mounts and copies next to nothing (sandbox/init/images.h says how it is used).
#
#   OUT/images/NAME/            OCI layout, for volumes of older sandboxes, which import it; NAME.id beside it
#   OUT/images/DIGEST.squashfs  the file system of a large one, in a quarter of its size
#   OUT/containerd/             the store: metadata and small things as they are; links to MOUNTED/DIGEST and to the large blobs
#
# usage: bake-images.sh OUT   (beside it: containerd.toml; of each image NAME.tar and NAME.id, and NAME.squashfs where that has been made before; below.tar,
#                              with OUT/containerd of an earlier run, where the images are to be added to that. Needs CAP_SYS_ADMIN and
#                              /var/lib/sandbox on a volume)
set -eu
source=$(dirname "$0") out=$1
store=/var/lib/sandbox/containerd
snapshots=$store/io.containerd.snapshotter.v1.overlayfs/snapshots
blobs=$store/io.containerd.content.v1.content/blobs/sha256
large=1000000

[ ! -e "$source/below.tar" ] || tar --numeric-owner -C "$(dirname "$store")" -xf "$source/below.tar"
mkdir -p "$out/images" "$snapshots"
containerd --config "$source/containerd.toml" >/tmp/containerd.log 2>&1 &
server=$!
ctr() { command ctr --connect-timeout 30s -n k8s.io "$@" || { tail -n 20 /tmp/containerd.log; exit 1; }; }
for id in "$source"/*.id; do
	name=$(basename "$id" .id)
	mkdir -p "$out/images/$name"
	tar -C "$out/images/$name" -xf "$source/$name.tar"
	cp "$id" "$out/images/"
	read -r digest reference <"$id"
	ls "$snapshots" >/tmp/before
	ctr images import --snapshotter overlayfs "$source/$name.tar" >/dev/null
	# Pinned: the kubelet's garbage collection leaves it alone.
	ctr images label "$reference" io.cri-containerd.pinned=pinned >/dev/null
	printf %s "$digest" >"$store/imported.$name"
	# Each has one layer (images/task/archive.py), and so one snapshot.
	ls "$snapshots" | grep -vxFf /tmp/before >"/tmp/$name.snapshot"
done
kill $server
wait $server || true

for id in "$source"/*.id; do
	name=$(basename "$id" .id)
	read -r digest reference <"$id"
	root=$snapshots/$(cat "/tmp/$name.snapshot")/fs
	layers=$(find "$out/images/$name/blobs/sha256" -type f -size +${large}c)
	[ -n "$layers" ] || continue
	[ -d "$root" ] || { echo "the image '$name' has no snapshot of its own: $root"; exit 1; }
	if [ -e "$source/$name.squashfs" ]; then
		cp "$source/$name.squashfs" "$out/images/$digest.squashfs"
	else
		mksquashfs "$root" "$out/images/$digest.squashfs" -comp zstd -Xcompression-level 15 -b 256K -noappend -no-progress -quiet
	fi
	rm -rf "$root"
	ln -s "/run/sandbox/images/$digest" "$root"
	for blob in $layers; do
		ln -sf "/usr/lib/sandbox/images/$name/blobs/sha256/${blob##*/}" "$blobs/${blob##*/}"
	done
done
# What belongs to one instance, or to the moment.
rm -rf "$store"/io.containerd.grpc.v1.introspection "$store"/io.containerd.runtime.* "$store"/tmpmounts "$store"/io.containerd.content.v1.content/ingest/*
chmod 0711 "$store"
cp -a "$store" "$out/containerd"
