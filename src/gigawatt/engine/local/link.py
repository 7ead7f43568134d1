"""One connection to one supervisor: requests and their replies, and the events between them."""

import asyncio
import hmac
import json
from collections.abc import Callable
from typing import Any

from gigawatt.clock import entropy
from gigawatt.engine.base import StaleEpochError
from gigawatt.engine.supervisor.job import ENGINE, NONCE_BYTES, SUPERVISOR, proof

Message = dict[str, Any]

LINE_BYTES_MAX = 32 << 20
DIAL_S = 5.0
ANSWER_S = 10.0  # a supervisor answers most verbs at once


class LinkLostError(Exception):
    """The supervisor has ended, or does not answer."""


class RefusedError(Exception):
    """The supervisor refuses: `code` is user, machine, unknown or bad-request."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Link:
    """`on_event` gets every event in order; `on_lost` is called once, with why, unless we closed it."""

    def __init__(self, on_event: Callable[[Message], None], on_lost: Callable[[str], None]) -> None:
        self._on_event = on_event
        self._on_lost = on_lost
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._number = 0
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._over = False

    @property
    def over(self) -> bool:
        """Whether it was lost or closed."""
        return self._over

    async def connect(self, path: str) -> None:
        """Raises OSError."""
        self._take_up(*await asyncio.open_unix_connection(path, limit=LINE_BYTES_MAX))

    async def dial(self, host: str, port: int, *, token: str) -> str:
        """Reach a supervisor on another machine, which must prove that it has the token as we do. Our own proof is to
        be the next that is sent, as `prove`; what comes after it need not wait for the answer.

        Raises OSError, LinkLostError or RefusedError.
        """
        async with asyncio.timeout(DIAL_S):
            self._take_up(*await asyncio.open_connection(host, port, limit=LINE_BYTES_MAX))
        ours = entropy(NONCE_BYTES).hex()
        answer = await self.ask("greet", nonce=ours)
        theirs = str(answer["nonce"])
        if not hmac.compare_digest(str(answer["mac"]), proof(token, SUPERVISOR, ours, theirs)):
            raise RefusedError("bad-request", f"at {host}:{port} is not the attempt's supervisor")
        return proof(token, ENGINE, theirs, ours)

    async def ask(self, verb: str, *, timeout_s: float = ANSWER_S, **fields: Any) -> Message:
        """Raises LinkLostError (also for an answer that is late), RefusedError or StaleEpochError."""
        if self._writer is None or self._over:
            raise LinkLostError("not connected")
        self._number += 1
        number = self._number
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": number, "verb": verb, **fields}, separators=(",", ":"))
        try:
            self._writer.write(line.encode() + b"\n")
            async with asyncio.timeout(timeout_s):
                message = await answer
        except TimeoutError:
            raise LinkLostError(f"no answer to {verb} in {timeout_s:g} s") from None
        finally:
            self._waiting.pop(number, None)
        return _result(message)

    def lose(self, why: str) -> None:
        """Give the connection up: whoever waits for an answer learns it."""
        if self._over:
            return
        self._let_go(why)
        self._on_lost(why)

    async def close(self) -> None:
        self._let_go("closed")
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        if self._writer is not None:
            try:
                await self._writer.wait_closed()
            except OSError:
                return  # the other end was gone first

    def _take_up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._task = asyncio.create_task(self._read(reader))

    def _let_go(self, why: str) -> None:
        self._over = True
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(LinkLostError(why))
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        if self._writer is not None:
            self._writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        why = "its supervisor ended"
        try:
            while line := await reader.readline():
                self._take(json.loads(line))
        except OSError as error:
            why = f"the connection to its supervisor broke: {error}"
        except ValueError as error:
            why = f"its supervisor cannot be understood: {error}"
        self.lose(why)

    def _take(self, message: Message) -> None:
        if "event" in message:
            self._on_event(message["event"])
            return
        answer = self._waiting.get(message["id"])
        if answer is not None and not answer.done():
            answer.set_result(message)


def _result(message: Message) -> Message:
    error = message.get("error")
    if error is None:
        return message["ok"]
    if error["code"] == "stale-epoch":
        raise StaleEpochError(error["detail"])
    raise RefusedError(error["code"], error["detail"])
