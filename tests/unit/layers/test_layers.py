"""Includes point downwards only. A layer may include itself and what is listed for it here; anything else is an upward (or sideways) include."""

import pathlib
import re
import sys

# layer -> the layers below it that it may use
ALLOWED = {
    "base": set(),
    "docker": {"base"},
    "flyte": {"base", "proto", "controlplane/compiler"},
    "cli/terminal": {"base"},
    "cli/framework": {"base", "docker", "cli/terminal"},
    "cli/instance": {"base", "docker", "cli/terminal", "cli/framework"},
    "cli/clients": {"base", "docker", "cli/framework", "cli/instance"},
    "cli/lifecycle": {"base", "docker", "cli/terminal", "cli/framework", "cli/instance", "cli/clients"},
    "cli/doctor": {"base", "docker", "cli/framework", "cli/instance", "cli/lifecycle"},
    "cli/flytectl": {"base", "proto", "grpc", "flyte", "cli/terminal", "cli/framework", "cli/instance"},
    "cli/verbs": {"base", "docker", "flyte", "controlplane/compiler", "cli/terminal", "cli/framework", "cli/instance", "cli/clients", "cli/lifecycle",
                  "cli/doctor", "cli/flytectl"},
    "cli": {"base", "cli/framework"},  # main.c
    "pause": set(),
    "docker_shim": {"base"},
    "init": {"base"},
    "proto": {"base"},
    "grpc": {"base", "proto"},
    "rpc": {"base", "proto"},
    "controlplane/settings": {"base"},
    "controlplane/compiler": {"base", "proto"},
    "controlplane/store": {"base", "proto", "grpc"},
    "controlplane/connectors": {"base", "proto", "grpc", "controlplane/settings", "controlplane/store"},
    "controlplane/notify": {"base", "proto", "controlplane/settings", "controlplane/store"},
    "controlplane/launch": {"base", "proto", "grpc", "controlplane/settings", "controlplane/compiler", "controlplane/store"},
    "controlplane/schedule": {"base", "proto", "controlplane/settings", "controlplane/store", "controlplane/launch"},
    "controlplane/cluster": {"base", "proto", "controlplane/settings", "controlplane/store", "controlplane/launch"},
    "controlplane/engine": {"base", "proto", "grpc", "controlplane/settings", "controlplane/compiler", "controlplane/store", "controlplane/launch",
                            "controlplane/connectors"},
    "controlplane/api": {"base", "proto", "grpc", "rpc", "controlplane/settings", "controlplane/compiler", "controlplane/store", "controlplane/launch",
                         "controlplane/schedule", "controlplane/engine"},
    "controlplane/admission": {"base", "proto", "controlplane/settings", "controlplane/store", "controlplane/engine"},
    "copilot": {"base", "proto", "controlplane/store"},
    "controlplane": {"base", "proto", "grpc", "rpc", "controlplane/settings", "controlplane/compiler", "controlplane/store", "controlplane/launch",
                     "controlplane/schedule", "controlplane/cluster", "controlplane/engine", "controlplane/admission", "controlplane/api",
                     "controlplane/connectors", "controlplane/notify"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def layer_of(path):
    """The longest known layer that contains the path, given relative to sandbox/."""
    parent = pathlib.PurePosixPath(path).parent
    while str(parent) != ".":
        if str(parent) in ALLOWED:
            return str(parent)
        parent = parent.parent
    return None


def main(root):
    source = pathlib.Path(root) / "sandbox"
    complaints, files = [], 0
    for file in sorted(source.rglob("*.[ch]")):
        name = file.relative_to(source).as_posix()
        layer = layer_of(name)
        if layer is None:
            complaints.append(f"sandbox/{name}: belongs to no known layer")
            continue
        files += 1
        for included in INCLUDE.findall(file.read_text(encoding="utf-8")):
            other = layer_of(included)
            if other is None or other == layer:
                continue  # generated messages, and the layer's own headers
            if other not in ALLOWED[layer]:
                complaints.append(f"sandbox/{name}: {layer} must not include {included}")
    if not files:
        complaints.append("no sources found")
    print("\n".join(complaints) or f"{files} files, every include points downwards")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
