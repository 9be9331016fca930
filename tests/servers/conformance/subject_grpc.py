"""gRPC's asyncio server, without generated code."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar

import grpc
import grpc.aio
import pytest
from script import Script
from server_kit import where
from subject import Ask, Subject

# What is opened once and kept while any object of gRPC's lives is opened before the first test.
grpc.aio.init_grpc_aio()


class Grpc(Subject):
    name = "grpc"
    cut = (grpc.aio.AioRpcError,)
    half_sent: ClassVar[tuple[bytes, ...]] = (
        b"",
        b"PRI * HTTP",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    )
    lacks: ClassVar[dict[str, str]] = {
        "clients": "it does not speak HTTP/1.1",
        "websockets": "gRPC knows no websockets",
        "event streams": "a call that streams is a request in flight",
        "lifespan": "a gRPC server has no end of its own",
        "access log": "gRPC logs no requests: that is an interceptor's",
    }
    cannot: ClassVar[dict[str, str]] = {
        "sockets": "gRPC takes no sockets, it binds by itself",
        "tls context": "gRPC takes no `SSLContext`, only files",
    }

    def app(self, script: Script) -> Any:
        async def answer(request: bytes, context: Any) -> bytes:
            return (await script.answer(request.decode())).encode()

        async def build(address: str) -> grpc.aio.Server:
            self.address = address
            await script.start()
            server = grpc.aio.server()
            handler = grpc.unary_unary_rpc_method_handler(answer)
            handlers = grpc.method_handlers_generic_handler("Script", {"Ask": handler})
            server.add_generic_rpc_handlers((handlers,))
            return server

        return build

    @asynccontextmanager
    async def talk(self, address: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Ask]:
        place = where(address)
        target = f"unix:{place}" if isinstance(place, str) else address.partition("//")[2]
        # A channel of its own: those to one address would share a connection.
        options = [("grpc.use_local_subchannel_pool", 1)]
        if tls is None:
            channel = grpc.aio.insecure_channel(target, options=options)
        else:
            roots = "".join(map(ssl.DER_cert_to_PEM_cert, tls.get_ca_certs(binary_form=True)))
            credentials = grpc.ssl_channel_credentials(roots.encode())
            channel = grpc.aio.secure_channel(target, credentials, options=options)

        async with channel:

            async def ask(what: str) -> str:
                call = channel.unary_unary("/Script/Ask")
                return bytes(await call(what.encode(), timeout=30)).decode()

            yield ask

    def crash(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
        def crash() -> object:
            loop = asyncio.get_running_loop()
            create_task = loop.create_task

            def failing(coroutine: Any, **kwargs: Any) -> Any:
                # What gRPC makes of a request that has come.
                if getattr(coroutine, "__qualname__", "") == "_schedule_rpc_coro":
                    coroutine.close()
                    raise RuntimeError("the loop of the server is broken")
                return create_task(coroutine, **kwargs)

            request = create_task(self._ask_in_vain())
            monkeypatch.setattr(loop, "create_task", failing)
            return request

        return crash

    async def _ask_in_vain(self) -> None:
        with suppress(grpc.aio.AioRpcError):
            async with self.talk(f"grpc://{self.address}") as ask:
                await ask("hello")
