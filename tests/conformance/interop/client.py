"""The unary interop cases that grpc-go's client lacks, or mixes with streams, by grpc-python. Prints "case outcome reason" a line.

usage: client.py PORT DESCRIPTORS"""

import sys
import threading

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

LARGE_REQUEST, LARGE_RESPONSE = 271828, 314159


def messages(path):
    pool = descriptor_pool.DescriptorPool()
    with open(path, "rb") as file:
        for description in descriptor_pb2.FileDescriptorSet.FromString(file.read()).file:
            pool.Add(description)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"grpc.testing.{name}"))
            for name in ("Empty", "SimpleRequest", "SimpleResponse")}


class Cases:
    def __init__(self, port, types):
        self.request = types["SimpleRequest"]
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.unary = channel.unary_unary("/grpc.testing.TestService/UnaryCall", request_serializer=self.request.SerializeToString,
                                         response_deserializer=types["SimpleResponse"].FromString)

    def large(self, **fields):
        request = self.request(response_size=LARGE_RESPONSE, **fields)
        request.payload.body = bytes(LARGE_REQUEST)
        return request

    def call(self, request, **options):
        response = self.unary(request, timeout=30, **options)
        assert len(response.payload.body) == LARGE_RESPONSE and not any(response.payload.body)

    def fails(self, code, request, **options):
        try:
            self.unary(request, **{"timeout": 30, **options})
        except grpc.RpcError as error:
            assert error.code() == code, error
            return error
        raise AssertionError(f"no {code}")

    def status_code_and_message(self):
        """Its unary half; the other is a stream."""
        request = self.request()
        request.response_status.code, request.response_status.message = 2, "test status message"
        assert self.fails(grpc.StatusCode.UNKNOWN, request).details() == "test status message"

    def client_compressed_unary(self):
        expects = self.large()
        expects.expect_compressed.value = True
        self.fails(grpc.StatusCode.INVALID_ARGUMENT, expects, compression=grpc.Compression.NoCompression)
        self.call(expects, compression=grpc.Compression.Gzip)
        expects.expect_compressed.value = False
        self.call(expects, compression=grpc.Compression.NoCompression)

    def server_compressed_unary(self):
        for compressed in (True, False):
            request = self.large()
            request.response_compressed.value = compressed
            self.call(request)

    def timeout_of_a_unary_call(self):
        """timeout_on_sleeping_server with a call instead of a stream: the deadline is over before the call can be answered."""
        self.fails(grpc.StatusCode.DEADLINE_EXCEEDED, self.large(), timeout=0.000001)

    def cancel_of_a_unary_call(self):
        cancelled = 0
        for _ in range(50):
            future = self.unary.future(self.large(), timeout=30)
            future.cancel()
            # A few are answered before.
            assert future.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.OK), future.code()
            cancelled += future.cancelled()
        assert cancelled, "none was cancelled in time"
        self.call(self.large())

    def concurrent_large_unary(self):
        failures = []

        def run():
            try:
                for _ in range(5):
                    self.call(self.large())
            except Exception as error:  # noqa: BLE001 - reported below, whatever it is
                failures.append(error)

        threads = [threading.Thread(target=run) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures[0]


def main(port, path):
    cases = Cases(port, messages(path))
    for name in ("status_code_and_message", "client_compressed_unary", "server_compressed_unary", "timeout_of_a_unary_call",
                 "cancel_of_a_unary_call", "concurrent_large_unary"):
        try:
            getattr(cases, name)()
            print(name, "ok")
        except (AssertionError, grpc.RpcError) as error:
            print(name, "FAILED", " ".join(str(error).split()))


if __name__ == "__main__":
    main(*sys.argv[1:])
