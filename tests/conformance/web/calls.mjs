// The calls, the same in Node and in the browser. `report(case, error)` is called for each, `error` undefined where it went well.
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

const LARGE_REQUEST = 271828;
const LARGE_RESPONSE = 314159;

async function failsWith(code, call) {
	try {
		await call();
	} catch (error) {
		const failure = ConnectError.from(error);
		if (failure.code !== code) throw error;
		return failure;
	}
	throw new Error(`no ${Code[code]}`);
}

export async function run(baseUrl, descriptors, report) {
	const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptors));
	const client = createClient(registry.getService("grpc.testing.TestService"), createGrpcWebTransport({ baseUrl }));
	const large = { responseSize: LARGE_RESPONSE, payload: { body: new Uint8Array(LARGE_REQUEST) } };
	const cases = {
		empty_unary: () => client.emptyCall({}),
		large_unary: async () => {
			const response = await client.unaryCall(large);
			if (response.payload.body.length !== LARGE_RESPONSE) throw new Error(`${response.payload.body.length} bytes`);
		},
		status_code_and_message: async () => {
			const message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
			const failure = await failsWith(Code.Unknown, () => client.unaryCall({ responseStatus: { code: 2, message } }));
			if (failure.rawMessage !== message) throw new Error(`message ${JSON.stringify(failure.rawMessage)}`);
		},
		unimplemented_method: () => failsWith(Code.Unimplemented, () => client.unimplementedCall({})),
		timeout: () => failsWith(Code.DeadlineExceeded, () => client.unaryCall(large, { timeoutMs: 0.01 })),
		cancel: () => failsWith(Code.Canceled, () => client.unaryCall(large, { signal: AbortSignal.abort() })),
	};
	for (const [name, call] of Object.entries(cases)) {
		try {
			await call();
			await report(name);
		} catch (error) {
			await report(name, error);
		}
	}
}
