// A gRPC client that knows nothing of Flyte: it asks the server by reflection what there is, calls every unary method of every service with an
// empty request, and does a few calls that change something. Prints what it saw as JSON.
//
// usage: node client.js HOST:PORT REFLECTION_DESCRIPTOR_SET
"use strict";
const fs = require("fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const { FileDescriptorProto, FileDescriptorSet } = require("protobufjs/ext/descriptor");

const OPTIONS = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };
const DEADLINE_MS = 20000;

function load(set) {
  return grpc.loadPackageDefinition(loader.loadFileDescriptorSetFromBuffer(set, OPTIONS));
}

// One question at a time over one stream, as the protocol has it.
function reflection(address, set) {
  const Service = load(set).grpc.reflection.v1alpha.ServerReflection;
  const client = new Service(address, grpc.credentials.createInsecure());
  const stream = client.ServerReflectionInfo({ deadline: Date.now() + DEADLINE_MS });
  let settle;
  stream.on("data", (answer) => settle.resolve(answer));
  stream.on("error", (error) => settle && settle.reject(error));
  return {
    ask: (question) => new Promise((resolve, reject) => { settle = { resolve, reject }; stream.write(question); }),
    close: () => { stream.end(); client.close(); },
  };
}

async function discover(address, set) {
  const { ask, close } = reflection(address, set);
  const services = (await ask({ list_services: "" })).list_services_response.service.map((service) => service.name);
  const files = new Map();
  const wanted = services.map((name) => ({ file_containing_symbol: name }));
  while (wanted.length) {
    const answer = await ask(wanted.pop());
    if (!answer.file_descriptor_response) throw new Error(JSON.stringify(answer.error_response));
    for (const bytes of answer.file_descriptor_response.file_descriptor_proto) {
      const file = FileDescriptorProto.decode(bytes);
      if (files.has(file.name)) continue;
      files.set(file.name, file);
      for (const name of file.dependency) if (!files.has(name)) wanted.push({ file_by_filename: name });
    }
  }
  close();
  return { services, set: Buffer.from(FileDescriptorSet.encode({ file: [...files.values()] }).finish()) };
}

function call(client, method, request) {
  return new Promise((resolve) => {
    client[method](request, { deadline: Date.now() + DEADLINE_MS }, (error, response) =>
      resolve({ code: error ? error.code : 0, details: error ? error.details : "", response }));
  });
}

function find(root, name) {
  return name.split(".").reduce((at, part) => at && at[part], root);
}

async function main(address, reflectionSet) {
  const { services, set } = await discover(address, fs.readFileSync(reflectionSet));
  const root = load(set);
  const seen = { services, codes: {} };
  const clients = {};
  for (const name of services) {
    const Service = find(root, name);
    const client = (clients[name] = new Service(address, grpc.credentials.createInsecure(),
                                                { "grpc.default_compression_algorithm": 2 /* gzip */ }));
    for (const [method, definition] of Object.entries(Service.service)) {
      if (definition.requestStream || definition.responseStream) continue;
      seen.codes[`${name}/${method}`] = (await call(client, method, {})).code;
    }
  }
  const admin = clients["flyteidl.service.AdminService"];
  const id = { resource_type: "TASK", project: "flytesnacks", domain: "development", name: "node.client.task", version: `v${process.pid}.${Date.now()}` };
  const template = { type: "container", metadata: { runtime: { version: "1" } }, interface: { inputs: { variables: [] }, outputs: { variables: [] } },
                     container: { image: "example.org/task:1", command: ["true"] } };
  seen.created = await call(admin, "CreateTask", { id, spec: { template } });
  seen.again = await call(admin, "CreateTask", { id, spec: { template } });
  seen.task = await call(admin, "GetTask", { id });
  seen.projects = await call(admin, "ListProjects", {});
  seen.missing = await call(admin, "GetExecution", { id: { project: "flytesnacks", domain: "development", name: "nosuch" } });
  seen.upload = await call(clients["flyteidl.service.DataProxyService"], "CreateUploadLocation",
                           { project: "flytesnacks", domain: "development", filename: "f", content_md5: Buffer.alloc(16) });
  seen.health = await call(clients["grpc.health.v1.Health"], "Check", { service: "flyteadmin" });
  for (const client of Object.values(clients)) client.close();
  console.log(JSON.stringify(seen));
}

main(process.argv[2], process.argv[3]).catch((error) => {
  console.error(error);
  process.exit(1);
});
