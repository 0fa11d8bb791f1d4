"""Writes the OpenAPI document (version 2.0, as upstream serves it) of every REST route that the descriptors annotate.

usage: openapi.py DESCRIPTOR_SET OUTPUT

Names are those of the proto files (snake_case), because that is how the gateway prints and reads JSON. A method with several bindings has
one operation for each, numbered from the second on. Fields of the request that neither the path nor the body carries are query parameters,
nested messages with dots; a message inside itself is followed once.
"""

import json
import re
import sys

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FieldDescriptor as Field

SERVICES = [f"flyteidl.service.{name}" for name in
            ("AdminService", "DataProxyService", "SignalService", "IdentityService")]
BINARY = "application/octet-stream"

SCALARS = {
    Field.TYPE_BOOL: {"type": "boolean"},
    Field.TYPE_STRING: {"type": "string"},
    Field.TYPE_BYTES: {"type": "string", "format": "byte"},
    Field.TYPE_FLOAT: {"type": "number", "format": "float"},
    Field.TYPE_DOUBLE: {"type": "number", "format": "double"},
    Field.TYPE_INT32: {"type": "integer", "format": "int32"},
    Field.TYPE_SINT32: {"type": "integer", "format": "int32"},
    Field.TYPE_SFIXED32: {"type": "integer", "format": "int32"},
    Field.TYPE_UINT32: {"type": "integer", "format": "int64"},
    Field.TYPE_FIXED32: {"type": "integer", "format": "int64"},
    # proto3 JSON writes 64 bits as strings
    Field.TYPE_INT64: {"type": "string", "format": "int64"},
    Field.TYPE_SINT64: {"type": "string", "format": "int64"},
    Field.TYPE_SFIXED64: {"type": "string", "format": "int64"},
    Field.TYPE_UINT64: {"type": "string", "format": "uint64"},
    Field.TYPE_FIXED64: {"type": "string", "format": "uint64"},
}

# Messages that proto3 JSON writes in a form of their own.
WELL_KNOWN = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string"},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Any": {"type": "object"},
    "google.protobuf.StringValue": {"type": "string"},
    "google.protobuf.BytesValue": {"type": "string", "format": "byte"},
    "google.protobuf.BoolValue": {"type": "boolean"},
    "google.protobuf.DoubleValue": {"type": "number", "format": "double"},
    "google.protobuf.FloatValue": {"type": "number", "format": "float"},
    "google.protobuf.Int32Value": {"type": "integer", "format": "int32"},
    "google.protobuf.UInt32Value": {"type": "integer", "format": "int64"},
    "google.protobuf.Int64Value": {"type": "string", "format": "int64"},
    "google.protobuf.UInt64Value": {"type": "string", "format": "uint64"},
}

ERROR = {
    "type": "object",
    "properties": {
        "error": {"type": "string"},
        "code": {"type": "integer", "format": "int32", "description": "the gRPC code"},
        "message": {"type": "string"},
        "details": {"type": "array", "items": {"type": "object"}},
    },
}


def is_map(field):
    return field.type == Field.TYPE_MESSAGE and field.message_type.GetOptions().map_entry


class Document:
    def __init__(self, pool):
        self.pool = pool
        self.definitions = {"Error": ERROR}
        self.paths = {}

    def reference(self, message):
        """The schema of a message type, defined on the way."""
        name = message.full_name
        if name in WELL_KNOWN:
            return dict(WELL_KNOWN[name])
        if name not in self.definitions:
            self.definitions[name] = schema = {"type": "object"}
            properties = {field.name: self.field(field) for field in message.fields}
            if properties:
                schema["properties"] = properties
        return {"$ref": f"#/definitions/{name}"}

    def enum(self, enum):
        if enum.full_name not in self.definitions:
            names = [value.name for value in enum.values]
            self.definitions[enum.full_name] = {"type": "string", "enum": names, "default": names[0]}
        return {"$ref": f"#/definitions/{enum.full_name}"}

    def single(self, field):
        if field.type == Field.TYPE_MESSAGE:
            return self.reference(field.message_type)
        if field.type == Field.TYPE_ENUM:
            return self.enum(field.enum_type)
        return dict(SCALARS[field.type])

    def field(self, field):
        if is_map(field):
            return {"type": "object", "additionalProperties": self.single(field.message_type.fields_by_name["value"])}
        if field.is_repeated:
            return {"type": "array", "items": self.single(field)}
        return self.single(field)

    def parameter_type(self, field):
        """What may stand in a path or a query, or None: no messages but those that are one string."""
        if field.type == Field.TYPE_ENUM:
            names = [value.name for value in field.enum_type.values]
            return {"type": "string", "enum": names}
        if field.type == Field.TYPE_MESSAGE:
            known = WELL_KNOWN.get(field.message_type.full_name, {})
            return dict(known) if known.get("type") in ("string", "boolean", "number", "integer") else None
        return dict(SCALARS[field.type])

    def query(self, message, prefix, taken, above):
        for field in message.fields:
            name = prefix + field.name
            if name in taken or is_map(field):
                continue
            type = self.parameter_type(field)
            if type and field.is_repeated:
                yield {"name": name, "in": "query", "required": False, "type": "array", "items": type, "collectionFormat": "multi"}
            elif type:
                yield {"name": name, "in": "query", "required": False, **type}
            elif not field.is_repeated and field.message_type.full_name not in WELL_KNOWN and field.message_type not in above:
                yield from self.query(field.message_type, name + ".", taken, above + [field.message_type])

    def path_parameters(self, message, names):
        for name in names:
            found = message
            for part in name.split("."):
                field = found.fields_by_name[part]
                found = field.message_type
            yield {"name": name, "in": "path", "required": True, **self.parameter_type(field)}

    def body(self, message, name):
        if name == "*":
            return self.reference(message)
        return self.field(message.fields_by_name[name])

    def operation(self, service, method, rule, number):
        verb = rule.WhichOneof("pattern")
        path = getattr(rule, verb)
        # "{name=pattern}" would be a template of several segments; only the name is the parameter
        names = [name.split("=")[0] for name in re.findall(r"\{([^}]+)\}", path)]
        path = re.sub(r"\{([^}=]+)=[^}]*\}", r"{\1}", path)
        message = method.input_type
        parameters = list(self.path_parameters(message, names))
        if rule.body:
            parameters.append({"name": "body", "in": "body", "required": True, "schema": self.body(message, rule.body)})
        if rule.body != "*":
            parameters += self.query(message, "", set(names) | {rule.body}, [message])
        operation = {
            "operationId": f"{service.name}_{method.name}{number if number > 1 else ''}",
            "tags": [service.name],
            "responses": {
                "200": {"description": "A successful response.", "schema": self.reference(method.output_type)},
                "default": {"description": "An error; the HTTP status follows from its gRPC code.", "schema": {"$ref": "#/definitions/Error"}},
            },
        }
        if parameters:
            operation["parameters"] = parameters
        self.paths.setdefault(path, {})[verb] = operation

    def add_service(self, service):
        for method in service.methods:
            rule = method.GetOptions().Extensions[annotations_pb2.http]
            if not rule.WhichOneof("pattern"):
                continue
            for number, binding in enumerate([rule, *rule.additional_bindings], 1):
                self.operation(service, method, binding, number)

    def content(self):
        return {
            "swagger": "2.0",
            "info": {"title": "Flyte", "version": "v1", "description": "The REST form of the Flyte v1 services; "
                     f"bodies are proto3 JSON, or binary protobuf as {BINARY}."},
            "consumes": ["application/json", BINARY],
            "produces": ["application/json", BINARY],
            "tags": [{"name": name.rsplit(".", 1)[1]} for name in SERVICES],
            "paths": self.paths,
            "definitions": dict(sorted(self.definitions.items())),
        }


def main(descriptors, output):
    files = descriptor_pb2.FileDescriptorSet()
    with open(descriptors, "rb") as source:
        files.ParseFromString(source.read())
    pool = descriptor_pool.Default()
    for file in files.file:
        if not has(pool, file.name):
            pool.Add(file)
    document = Document(pool)
    for name in SERVICES:
        document.add_service(pool.FindServiceByName(name))
    with open(output, "w", encoding="utf-8") as out:
        json.dump(document.content(), out, separators=(",", ":"))


def has(pool, name):
    try:
        pool.FindFileByName(name)
    except KeyError:
        return False
    return True


if __name__ == "__main__":
    main(*sys.argv[1:])
