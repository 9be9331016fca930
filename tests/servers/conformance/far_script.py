"""A script for applications in another process: what they do and have seen is asked for and told there."""

from __future__ import annotations

import asyncio
import itertools
import threading
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from asgi_script import asgi_app
from script import Script


class Office:
    """Answers for the scripts of this process, in one thread, to whoever asks."""

    def __init__(self) -> None:
        self._scripts: dict[int, Script] = {}
        self._numbers = itertools.count()
        self._listener = Listener(family="AF_UNIX", backlog=64)
        self.address = str(self._listener.address)
        threading.Thread(target=self._work, name="office of scripts", daemon=True).start()

    def admit(self, script: Script) -> int:
        """The number by which a script is asked for."""
        number = next(self._numbers)
        self._scripts[number] = script
        return number

    def _work(self) -> None:
        while True:
            with self._listener.accept() as line:
                self._answer(line)

    def _answer(self, line: Connection[Any, Any]) -> None:
        try:
            number, call, args = line.recv()
            line.send(_outcome(self._scripts[number], call, args))
        except (EOFError, OSError):
            pass  # the process was killed in the middle of it


def _outcome(script: Script, call: str, args: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
    try:
        return getattr(_Desk, call)(script, *args), None
    except BaseException as error:
        return None, error


class _Desk:
    """What can be asked."""

    @staticmethod
    def get(script: Script, name: str) -> Any:
        return getattr(script, name)

    @staticmethod
    def put(script: Script, name: str, value: Any) -> None:
        setattr(script, name, value)

    @staticmethod
    def log(script: Script, line: str) -> None:
        script.log.append(line)

    @staticmethod
    def start(script: Script) -> None:
        if script.on_start is not None:
            script.on_start()

    @staticmethod
    def set(script: Script, flag: str) -> None:
        getattr(script, flag).set()

    @staticmethod
    def is_set(script: Script, flag: str) -> bool:
        return bool(getattr(script, flag).is_set())


class FarApp:
    """The ASGI application of a script, for a process that is not the script's."""

    def __init__(self, office: Office, script: Script) -> None:
        self._at = office.address, office.admit(script)
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._app is None:
            self._app = asgi_app(FarScript(*self._at))
        await self._app(scope, receive, send)


class FarScript(Script):
    """The script of this number, in the process of that office."""

    def __init__(self, address: str, number: int) -> None:
        self._at = address, number
        self.log = _FarLog(self)  # type: ignore[assignment]
        self.entered, self.gate, self.gone = (  # type: ignore[assignment]
            _FarFlag(self, name) for name in ("entered", "gate", "gone")
        )

    def ask(self, call: str, *args: Any) -> Any:
        address, number = self._at
        with Client(address, "AF_UNIX") as line:
            line.send((number, call, args))
            value, error = line.recv()
        if error is not None:
            raise error
        return value

    def on_start(self) -> None:  # type: ignore[override]
        self.ask("start")

    @property
    def hangs(self) -> bool:  # type: ignore[override]
        return bool(self.ask("get", "hangs"))

    @property
    def cancelled(self) -> int:  # type: ignore[override]
        return int(self.ask("get", "cancelled"))

    @cancelled.setter
    def cancelled(self, number: int) -> None:
        self.ask("put", "cancelled", number)

    @property
    def close_code(self) -> int | None:  # type: ignore[override]
        return self.ask("get", "close_code")  # type: ignore[no-any-return]

    @close_code.setter
    def close_code(self, code: int | None) -> None:
        self.ask("put", "close_code", code)


class _FarLog:
    def __init__(self, script: FarScript) -> None:
        self._script = script

    def append(self, line: str) -> None:
        self._script.ask("log", line)


class _FarFlag:
    def __init__(self, script: FarScript, name: str) -> None:
        self._script, self._name = script, name

    def set(self) -> None:
        self._script.ask("set", self._name)

    def is_set(self) -> bool:
        return bool(self._script.ask("is_set", self._name))

    async def wait(self) -> None:
        async with asyncio.timeout(30):
            while not self.is_set():
                await asyncio.sleep(0.01)
