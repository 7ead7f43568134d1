"""Asks servers whether they are well, where no control plane does: one that does not answer gets no requests."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gigawatt.model.endpoint import EndpointPhase

ANSWER_S = 2.0
LOOK_S = 0.25
FAULT_FROM = 500  # a server without the path says 404, and is there
STATUS_LINE_BYTES_MAX = 1024

Address = tuple[str, int]


@dataclass(slots=True)
class _Server:
    due_s: float = 0.0
    failures: int = 0  # in a row
    down: bool = False


class Probes:
    """Of the servers in one configuration document; `changed` is called when one goes down or comes back."""

    def __init__(self, *, monotonic_s: Callable[[], float], changed: Callable[[], None]) -> None:
        self._monotonic_s = monotonic_s
        self._changed = changed
        self._document: dict[str, Any] = {}
        self._servers: dict[Address, _Server] = {}

    def take(self, document: dict[str, Any]) -> None:
        """What is known of servers that stay is kept."""
        self._document = document
        known = {
            (replica["host"], replica["port"])
            for endpoint in document["endpoints"]
            for replica in endpoint["replicas"]
        }
        self._servers = {each: self._servers.get(each, _Server()) for each in sorted(known)}

    def marked(self) -> dict[str, Any]:
        """The document with servers that are down as not ready."""
        endpoints = [self._marked(endpoint) for endpoint in self._document["endpoints"]]
        return {**self._document, "endpoints": endpoints}

    async def run(self) -> None:
        """For ever."""
        while True:
            now_s = self._monotonic_s()
            due = [
                (endpoint["health"], (replica["host"], replica["port"]))
                for endpoint in self._document.get("endpoints", ())
                for replica in endpoint["replicas"]
                if endpoint.get("health", {}).get("path")
                and self._servers[replica["host"], replica["port"]].due_s <= now_s
            ]
            wanted = {address: health for health, address in due}
            for address, health in wanted.items():
                self._servers[address].due_s = now_s + health["every_s"]
            news = await asyncio.gather(*(self._look(*each) for each in wanted.items()))
            if any(news):
                self._changed()
            await asyncio.sleep(LOOK_S)

    def _marked(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        replicas = [
            {**each, "ready": not self._servers[each["host"], each["port"]].down}
            for each in endpoint["replicas"]
        ]
        if any(each["ready"] for each in replicas):
            return {**endpoint, "replicas": replicas}
        failed = {"phase": EndpointPhase.FAILED.value, "message": "none of its servers answers"}
        return {**endpoint, "replicas": replicas, **failed}

    async def _look(self, address: Address, health: dict[str, Any]) -> bool:
        """Whether it has gone down or come back."""
        server = self._servers[address]
        well = await answers(*address, health["path"])
        server.failures = 0 if well else server.failures + 1
        before, server.down = server.down, server.failures >= health["failures"]
        return before != server.down


async def answers(host: str, port: int, path: str) -> bool:
    """Whether a GET is answered in time, by anything but a fault of the server's."""
    request = f"GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection(host, port, limit=STATUS_LINE_BYTES_MAX)
            try:
                writer.write(request.encode())
                words = (await reader.readuntil(b"\r\n")).split(b" ")
            finally:
                writer.close()
    except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
        return False
    return len(words) > 1 and words[1].isdigit() and int(words[1]) < FAULT_FROM
