"""A gRPC server with reflection, next to a worker. No code is generated.

    pip install 'orchestra-players[grpc]' grpcio-reflection
    python examples/grpc_with_reflection.py 50051
    grpcurl -plaintext localhost:50051 list
    grpcurl -plaintext -d '"you"' localhost:50051 Greeter/SayHello

On SIGTERM calls in flight finish, and both have ended when the program does.
"""

import logging
import sys

import grpc.aio
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.wrappers_pb2 import StringValue
from grpc_reflection.v1alpha import reflection

from orchestra import Conductor, Context, ServerPlayer, run

# What protoc makes of `service Greeter { rpc SayHello(StringValue) returns (StringValue); }`
greeter = descriptor_pb2.FileDescriptorProto(
    name="greeter.proto", syntax="proto3", dependency=["google/protobuf/wrappers.proto"]
)
greeter.service.add(name="Greeter").method.add(
    name="SayHello",
    input_type=".google.protobuf.StringValue",
    output_type=".google.protobuf.StringValue",
)
descriptor_pool.Default().Add(greeter)  # type: ignore[no-untyped-call]


async def say_hello(request: StringValue, context: object) -> StringValue:
    """Greet."""
    return StringValue(value=f"Hello, {request.value}!")


def build() -> grpc.aio.Server:
    """A new server for each run: ServerPlayer gives it its port, starts it and stops it."""
    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(
        say_hello,
        request_deserializer=StringValue.FromString,
        response_serializer=StringValue.SerializeToString,
    )
    services = grpc.method_handlers_generic_handler("Greeter", {"SayHello": method})
    server.add_generic_rpc_handlers((services,))
    reflection.enable_server_reflection(("Greeter", reflection.SERVICE_NAME), server)
    return server


async def worker(ctx: Context) -> None:
    """Something else that goes on."""
    await ctx.wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    run(Conductor({"greeter": ServerPlayer(build, port=int(sys.argv[1])), "worker": worker}))
