"""Keeps an envoy with Ray, and hears from it what nodes there are. While there is none, what is known stays."""

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gigawatt.engine.ray.facts import Facts, parse_facts

log = logging.getLogger(__name__)

RETRY_S = (0.0, 1.0, 2.0, 5.0, 10.0)  # between envoys; the last repeats
CONNECT_S = 2.0
LOOK_S = 0.5
END_S = 10.0
LINE_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Which one, and how we get in. `node_ip` is this machine's address in it, "" where Ray finds that itself.

    `nodes` are `joined`, those that `gw node join` has named, or `all`.
    """

    address: str
    node_ip: str
    token_file: Path
    nodes: str = "joined"


class Scout:
    """`ready` starts the head of a cluster of our own, if it does not run. Raises OSError."""

    def __init__(
        self,
        cluster: Cluster,
        task: Mapping[str, Any],
        *,
        ready: Callable[[], Awaitable[None]] | None,
        found: Callable[[Facts], Awaitable[None]],
        log_file: Path,
    ) -> None:
        self._cluster = cluster
        self._task = task
        self._ready = ready
        self._found = found
        self._log_file = log_file
        self._process: asyncio.subprocess.Process | None = None
        self._running: asyncio.Task[None] | None = None
        self._connected = False
        self._said: dict[str, str] = {}

    def start(self) -> None:
        self._running = asyncio.create_task(self._run())

    @property
    def pid(self) -> int:
        """Of the envoy; 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    async def close(self, *, take_away: bool = False) -> None:
        """End the envoy; with `take_away`, its stewards too, so that nobody starts our supervisors again."""
        process = self._process
        if take_away and process is not None and process.stdin is not None:
            process.stdin.write(b"end\n")
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(END_S):
                    await process.wait()
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        tries = 0
        while True:
            await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
            self._connected = False
            try:
                await self._wait_for_head()
                await self._follow()
            except OSError as error:
                self._tell("", f"Ray cannot be spoken with: {error}")
            tries = 1 if self._connected else tries + 1

    async def _wait_for_head(self) -> None:
        """One of our own is started. An envoy would try for long, and see a head late. Raises OSError."""
        host, _, port = self._cluster.address.rpartition(":")
        while True:
            if self._ready is not None:
                await self._ready()
            try:
                async with asyncio.timeout(CONNECT_S):
                    _, writer = await asyncio.open_connection(host, int(port))
            except (OSError, ValueError) as error:
                self._tell("", f"Ray's head at {self._cluster.address} does not answer: {error}")
            else:
                writer.close()
                return
            await asyncio.sleep(LOOK_S)

    async def _follow(self) -> None:
        self._process = process = await self._spawn()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(self._task).encode() + b"\n")
            while line := await process.stdout.readline():
                with contextlib.suppress(ValueError):
                    await self._hear(json.loads(line))
        finally:
            process.stdin.close()
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await process.wait()
            self._process = None
        log.info("the envoy with Ray has ended (%s); what runs goes on", process.returncode)

    async def _spawn(self) -> asyncio.subprocess.Process:
        environ = {**os.environ, **ray_environ(self._cluster.token_file)}
        with self._log_file.open("ab") as errors:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gigawatt.engine.ray.envoy",
                env=environ,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=LINE_BYTES_MAX,
                start_new_session=True,
            )

    async def _hear(self, message: Mapping[str, Any]) -> None:
        if "facts" in message:
            facts = parse_facts(message["facts"])
            self._said.pop(facts.node, None)
            await self._found(facts)
        elif "failed" in message:
            node = str(message["failed"])
            self._tell(node, f"node {node} of Ray cannot be used: {message['why']}")
        elif "waits" in message:
            node = str(message["waits"])
            self._tell(node, f"node {node} of Ray waits: Ray has given its processors to others")
        elif "error" in message:
            self._tell("", f"Ray cannot be spoken with: {message['error']}")
        elif "connected" in message:
            self._connected = True
            self._said.pop("", None)

    def _tell(self, about: str, text: str) -> None:
        """Once as long as it stays the same."""
        if self._said.get(about) != text:
            self._said[about] = text
            log.warning(text)


def ray_environ(token_file: Path) -> dict[str, str]:
    """What every process of the cluster is started with: a token is asked for, and a dead node is seen soon."""
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token_file),
        "RAY_DISABLE_IMPORT_WARNING": "1",
        "RAY_health_check_period_ms": "500",
        "RAY_health_check_timeout_ms": "1000",
        "RAY_health_check_failure_threshold": "3",
        "RAY_gcs_rpc_server_reconnect_timeout_s": "15",  # without its head: then it joins anew
    }
