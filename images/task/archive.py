"""Writes an image archive (the layout of `docker save`) with one uncompressed layer: unpacking is then a plain copy.

usage: archive.py LAYER.tar ARCHIVE.tar NAME CONFIG.json      (CONFIG is the image's `config` object)
Prints the image's identity: the digest of its configuration.
"""
import hashlib
import json
import platform
import sys
import tarfile
import io

layer, archive, name, config_file = sys.argv[1:]
digest = hashlib.sha256()
with open(layer, "rb") as f:
    while block := f.read(1 << 20):
        digest.update(block)
diff_id = "sha256:" + digest.hexdigest()
config = json.dumps(
    {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": json.load(open(config_file)),
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "sandbox"}],
    },
    sort_keys=True,
).encode()
identity = hashlib.sha256(config).hexdigest()
manifest = [{"Config": identity + ".json", "RepoTags": [name], "Layers": ["layer.tar"]}]


def add(tar, path, content):
    info = tarfile.TarInfo(path)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


with tarfile.open(archive, "w") as tar:
    add(tar, "manifest.json", json.dumps(manifest).encode())
    add(tar, identity + ".json", config)
    tar.add(layer, "layer.tar")
print(identity)
