"""Sending to webhooks: signed, to addresses that are allowed, with every wait bounded, and nothing followed."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import socket
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

import httpcore2
from httpcore2 import AsyncNetworkBackend, AsyncNetworkStream

from gigawatt import clock
from gigawatt.service.answer import Answer, said, untrusted
from gigawatt.service.networks import Network, may_connect
from gigawatt.service.trust import trusting
from gigawatt.version import __version__

ANSWER_S = 10.0  # for all of it: name, connection, request, status
ADDRESSES_MAX = 4  # of a name, tried one after another
CONNECTIONS_MAX = 16
RESOLVERS_MAX = 4
NAMED = "whsec_"  # how Standard Webhooks begins a key


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is sent. `keys` sign it, each by itself."""

    url: str
    message: str
    body: bytes
    keys: tuple[bytes, ...] = ()


class RefusedAddressError(Exception):
    """A name leads to no address that webhooks may go to."""


class Webhooks:
    """`allowed` are networks that messages may go to although they are not public. `close` it at the end.

    `ca_file` holds certificates that receivers are believed by besides the system's.
    """

    def __init__(self, allowed: Sequence[Network] = (), *, ca_file: str = "") -> None:
        self._ca_file = ca_file
        self._backend = _CheckedBackend(allowed)
        self._pool: httpcore2.AsyncConnectionPool | None = None

    async def send(self, letter: Letter) -> Answer:
        """How a message went. Never raises for what the world does."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"gigawatt/{__version__}",
            "Host": urlsplit(letter.url).netloc,
            **signed(letter, at_s=clock.now_ms() // 1_000),
        }
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._post(letter, headers)
        except TimeoutError:
            return Answer(status=0, error=f"no answer in {ANSWER_S:g} s")
        except RefusedAddressError as error:
            return Answer(status=0, error=str(error))
        except (OSError, httpcore2.NetworkError, httpcore2.TimeoutException) as error:
            return untrusted(error) or Answer(status=0, error=f"not reached: {said(error)}")
        except (httpcore2.ProtocolError, httpcore2.UnsupportedProtocol) as error:
            return Answer(status=0, error=f"no HTTP came back: {said(error)}")

    async def close(self) -> None:
        self._backend.close()
        if self._pool is not None:
            await self._pool.aclose()

    async def _post(self, letter: Letter, headers: dict[str, str]) -> Answer:
        if self._pool is None:  # made when it is first used: most instances have no webhooks
            self._pool = httpcore2.AsyncConnectionPool(
                ssl_context=await asyncio.to_thread(trusting, self._ca_file),
                max_connections=CONNECTIONS_MAX,
                max_keepalive_connections=0,  # addresses are checked for each message
                network_backend=self._backend,
            )
        async with self._pool.stream(
            "POST", letter.url, headers=list(headers.items()), content=letter.body
        ) as response:
            status = response.status
        return answered(status)


def answered(status: int) -> Answer:
    """The answer of a receiver, by its status. Most of 4xx are final; what is busy, late, locked or not there yet may come back."""
    if 200 <= status < 300:
        return Answer(status=status)
    final = 400 <= status < 500 and status not in {401, 403, 404, 408, 409, 425, 429}
    return Answer(status=status, error=f"it answered {status}", final=final)


def signed(letter: Letter, *, at_s: int) -> dict[str, str]:
    """The headers by which a receiver knows a message, as Standard Webhooks has them."""
    text = f"{letter.message}.{at_s}.".encode() + letter.body
    macs = [hmac.new(key, text, hashlib.sha256).digest() for key in letter.keys]
    found = {"webhook-id": letter.message, "webhook-timestamp": str(at_s)}
    if macs:
        found["webhook-signature"] = " ".join(
            f"v1,{base64.b64encode(each).decode()}" for each in macs
        )
    return found


def signing_key(secret: str) -> bytes:
    """`whsec_` and base 64 as Standard Webhooks writes keys; any other text is the key itself."""
    if secret.startswith(NAMED):
        try:
            return base64.b64decode(secret.removeprefix(NAMED), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


class _CheckedBackend(AsyncNetworkBackend):
    """Resolves a name itself and connects to the address that it has checked, so that nothing changes in between."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._inner = cast("AsyncNetworkBackend", httpcore2.AnyIOBackend())
        self._resolvers = ThreadPoolExecutor(RESOLVERS_MAX, thread_name_prefix="webhook-names")

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncNetworkStream:
        addresses = await self._addresses(host, port)
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout=timeout)
            except (OSError, httpcore2.NetworkError, httpcore2.TimeoutException):
                continue
        return await self._inner.connect_tcp(addresses[-1], port, timeout=timeout)

    def close(self) -> None:
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    async def _addresses(self, host: str, port: int) -> list[str]:
        # In threads of its own: a name server that hangs must not hold those that commits run in.
        resolve = partial(socket.getaddrinfo, host.strip("[]"), port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._resolvers, resolve)
        every = dict.fromkeys(str(each[4][0]) for each in found)
        good = [each for each in every if may_connect(each, self._allowed)]
        if not good:
            detail = f"{host} leads to no address that webhooks may go to"
            raise RefusedAddressError(detail)
        return good[:ADDRESSES_MAX]
