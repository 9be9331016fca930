"""The example of a gRPC server with reflection, as a real process with a real client."""

import re
import signal

import grpc
from example import Example
from google.protobuf import descriptor_pb2, wrappers_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc


def test_it_greets_tells_what_it_serves_and_ends() -> None:
    """A client finds the service by reflection and calls it; SIGTERM ends the program with 0."""
    with Example("grpc_with_reflection.py", 0) as example:
        found = example.until(lambda: re.search(r"ready addresses=grpc://(\S+)", example.printed))
        with grpc.insecure_channel(found[1]) as channel:
            greeting = channel.unary_unary(
                "/Greeter/SayHello",
                request_serializer=wrappers_pb2.StringValue.SerializeToString,
                response_deserializer=wrappers_pb2.StringValue.FromString,
            )(wrappers_pb2.StringValue(value="you"), timeout=20)
            assert greeting.value == "Hello, you!"
            file = described(channel, "Greeter")
        assert [method.name for method in file.service[0].method] == ["SayHello"]
        assert example.end(signal.SIGTERM) == 0
    assert "Traceback" not in example.seen


def described(channel: grpc.Channel, name: str) -> descriptor_pb2.FileDescriptorProto:
    """The file that a service is in, as reflection tells."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=name)
    (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=20)
    files = answer.file_descriptor_response.file_descriptor_proto
    found = map(descriptor_pb2.FileDescriptorProto.FromString, files)
    return next(file for file in found if file.name == "greeter.proto")
