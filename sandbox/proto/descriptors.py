"""Writes the FileDescriptorSet from which the C messages are generated and which reflection serves.

usage: descriptors.py OUTPUT LIST

Reads the descriptors out of the installed packages of requirements.txt, so that no .proto file is copied into this repository.
OUTPUT is the serialized set in dependency order; LIST gets the file names, a line each.
"""

import importlib
import pkgutil
import sys

from google.protobuf import descriptor_pb2

PACKAGES = ["flyteidl.admin", "flyteidl.core", "flyteidl.event", "flyteidl.service", "flyteidl.datacatalog"]
MODULES = ["google.rpc.status_pb2", "grpc_health.v1.health_pb2", "grpc_reflection.v1alpha.reflection_pb2"]


def roots():
    for package_name in PACKAGES:
        package = importlib.import_module(package_name)
        for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
            if module.endswith("_pb2"):
                yield importlib.import_module(f"{package_name}.{module}").DESCRIPTOR
    for name in MODULES:
        yield importlib.import_module(name).DESCRIPTOR


def visit(file, ordered):
    if file.name in ordered:
        return
    for dependency in file.dependencies:
        visit(dependency, ordered)
    ordered[file.name] = file


def main(output, listing):
    ordered = {}
    for file in roots():
        visit(file, ordered)
    result = descriptor_pb2.FileDescriptorSet()
    for file in ordered.values():
        file.CopyToProto(result.file.add())
    with open(output, "wb") as out:
        out.write(result.SerializeToString(deterministic=True))
    with open(listing, "w", encoding="utf-8") as out:
        out.writelines(name + "\n" for name in ordered)


if __name__ == "__main__":
    main(*sys.argv[1:])
