"""Writes an image as `docker load` takes it, with the one layer LAYER.tar, to standard output: for a platform of its own, which `docker import` gives an
image only from Docker 23 on.

usage: import.py LAYER.tar NAME ARCHITECTURE | docker load"""

import hashlib
import io
import json
import sys
import tarfile

layer, name, architecture = sys.argv[1:]
digest = hashlib.sha256()
with open(layer, "rb") as source:
    while block := source.read(1 << 20):
        digest.update(block)
config = json.dumps({"architecture": architecture, "os": "linux", "created": "1970-01-01T00:00:00Z", "config": {},
                     "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest.hexdigest()]}, "history": [{"created_by": "sandbox"}]}).encode()
manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
    for path, content in ("config.json", config), ("manifest.json", manifest):
        info = tarfile.TarInfo(path)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    tar.add(layer, "layer.tar")
