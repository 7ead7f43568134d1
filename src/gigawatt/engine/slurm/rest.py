"""The same questions by slurmrestd: a connection that stays in place of a process each time.

What its version does not tell or take goes by the commands where there are any: topology and timeouts, and in Slurm 22.05
the states of nodes too.
"""

import asyncio
import json
from typing import Any

import httpx2

from gigawatt.engine.slurm import shapes
from gigawatt.engine.slurm.batch import Batch
from gigawatt.engine.slurm.client import (
    UNREACHABLE,
    SlurmCommands,
    SlurmFacts,
    SlurmRefusedError,
    SlurmUnavailableError,
    to_its_end,
)
from gigawatt.engine.slurm.shapes import Raw
from gigawatt.engine.slurm.tables import SlurmJob, SlurmNode
from gigawatt.engine.slurm.tokens import Bearer

CONNECT_S = 5.0
ANSWER_S = 30.0
REQUESTS_MAX = 8  # at once
SILENT_S = 620.0  # of a cluster that cannot be asked: twice SlurmdTimeout and MessageTimeout as they are by default
OVER = frozenset({2017, 2021})  # an invalid job id, and a job that has ended
NOT_FOUND = 404
SAID_MAX = 200  # characters of an answer that is not JSON
UNIX = "unix:"

_UNKNOWN = frozenset({-1, 0})  # "unspecified", which a token that has run out is too
_OF_THE_WAY = (
    range(1000, 2000),
    range(5000, 5010),
)  # numbers for what happens between client and controller


class SlurmRest:
    """`url` is `http://host:port`, or `unix:/path` of a socket."""

    def __init__(self, url: str, bearer: Bearer, commands: SlurmCommands) -> None:
        self._url = "http://slurmrestd" if url.startswith(UNIX) else url.rstrip("/")
        self._socket = url.removeprefix(UNIX) if url.startswith(UNIX) else None
        self._bearer = bearer
        self._commands = commands
        self._version = 0  # until it is negotiated
        self._client: httpx2.AsyncClient | None = None
        self._left: set[asyncio.Task[httpx2.Response]] = set()

    async def close(self) -> None:
        """The next question connects again."""
        await self._commands.close()
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def facts(self) -> SlurmFacts:
        """Raises SlurmRefusedError where none of the versions is spoken that are known here."""
        told = (await self._ask("GET", "ping"))["meta"]
        about: Raw = told.get("slurm") or told.get("Slurm") or {}
        try:
            more = await self._commands.facts()
        except SlurmRefusedError:
            cluster = str(about.get("cluster") or "slurm")
            more = SlurmFacts(cluster=cluster, version="", silent_s=SILENT_S)
        version = f"{about.get('release', more.version)} by REST v0.0.{self._version}"
        return SlurmFacts(cluster=more.cluster, version=version, silent_s=more.silent_s)

    async def topology(self) -> str:
        return await self._commands.topology()

    async def nodes(self, partition: str) -> tuple[SlurmNode, ...]:
        raw: list[Raw] = (await self._ask("GET", "nodes"))["nodes"]
        return tuple(
            _parsed(shapes.node_of, each)
            for each in raw
            if each.get("name") and (not partition or partition in shapes.partitions_of(each))
        )

    async def jobs(self) -> tuple[SlurmJob, ...]:
        """Those too that have ended some minutes ago."""
        raw: list[Raw] = (await self._ask("GET", "jobs"))["jobs"]
        return tuple(_parsed(shapes.job_of, each) for each in raw)

    async def submit(self, batch: Batch) -> int:
        await self._negotiated()
        try:
            body = shapes.submission(batch, self._version)
        except ValueError as error:
            raise SlurmRefusedError(str(error)) from error
        answer = await self._ask(
            "POST", "job/submit", body, user=batch.user.name if batch.user else ""
        )
        return shapes.number(answer["job_id"])

    async def cancel(self, jobs: tuple[int, ...]) -> None:
        turns = asyncio.Semaphore(REQUESTS_MAX)

        async def one(job: int) -> None:
            async with turns:
                await self._ask("DELETE", f"job/{job}", passing=OVER)

        await asyncio.gather(*map(one, jobs))

    async def describe(self, job: int) -> str:
        found = (await self._ask("GET", f"job/{job}", passing=OVER)).get("jobs")
        if not found:
            return ""
        ended = _parsed(shapes.job_of, found[0])
        return ": ".join(part for part in (ended.state, ended.reason) if part not in {"", "None"})

    async def drain(self, node: str, reason: str) -> None:
        if await self._takes_nodes():
            await self._ask("POST", f"node/{node}", {"state": ["DRAIN"], "reason": reason})
        else:
            await self._commands.drain(node, reason)

    async def resume(self, node: str) -> None:
        if await self._takes_nodes():
            await self._ask("POST", f"node/{node}", {"state": ["RESUME"]})
        else:
            await self._commands.resume(node)

    async def _takes_nodes(self) -> bool:
        await self._negotiated()
        return self._version > shapes.PLAIN

    async def _negotiated(self) -> None:
        """Know the newest version that both sides speak. Raises SlurmUnavailableError, SlurmRefusedError."""
        if self._version:
            return
        for version in range(shapes.NEWEST, shapes.OLDEST - 1, -1):
            answer = await self._send("GET", f"v0.0.{version}/ping", None, "")
            if answer.status_code != NOT_FOUND:
                self._result(answer, frozenset())
                self._version = version
                return
        raise SlurmRefusedError(
            f"slurmrestd speaks none of v0.0.{shapes.OLDEST} to v0.0.{shapes.NEWEST}"
        )

    async def _ask(
        self,
        method: str,
        path: str,
        body: Raw | None = None,
        *,
        user: str = "",
        passing: frozenset[int] = frozenset(),
    ) -> Raw:
        """What a request whose caller does not wait any more asks for, is done all the same."""
        await self._negotiated()
        path = f"v0.0.{self._version}/{path}"
        answer = await to_its_end(self._send(method, path, body, user), self._left)
        return self._result(answer, passing)

    async def _send(self, method: str, path: str, body: Raw | None, user: str) -> httpx2.Response:
        headers = await self._bearer.headers(user)
        if self._client is None:
            self._client = self._connected()
        try:
            return await self._client.request(
                method, f"{self._url}/slurm/{path}", json=body, headers=headers
            )
        except httpx2.HTTPError as error:
            why = str(error) or type(error).__name__
            raise SlurmUnavailableError(f"slurmrestd does not answer: {why}") from error

    def _result(self, answer: httpx2.Response, passing: frozenset[int]) -> Raw:
        """Raises SlurmUnavailableError where it is not known what became of it, SlurmRefusedError for a no."""
        try:
            raw: Raw = json.loads(answer.content)
            errors = [each for each in shapes.errors_of(raw) if each[0] not in passing]
        except ValueError:
            self._bearer.refused()
            text = answer.text.strip()[:SAID_MAX] or f"status {answer.status_code}"
            raise SlurmUnavailableError(f"slurmrestd: {text}") from None
        if not errors or raw.get(
            "job_id"
        ):  # what was taken may come with why it does not start yet
            return raw
        said = "; ".join(text for _, text in errors)
        if any(_is_of_the_way(number, text) for number, text in errors):
            self._bearer.refused()
            raise SlurmUnavailableError(said)
        raise SlurmRefusedError(said)

    def _connected(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(
                uds=self._socket, limits=httpx2.Limits(max_connections=REQUESTS_MAX)
            ),
            timeout=httpx2.Timeout(ANSWER_S, connect=CONNECT_S),
            trust_env=False,
        )


def _is_of_the_way(number: int, text: str) -> bool:
    """Whether it says nothing about the request itself."""
    known = number in _UNKNOWN or any(number in span for span in _OF_THE_WAY)
    return known or UNREACHABLE.search(text) is not None


def _parsed(parse: Any, raw: Raw) -> Any:
    """Raises SlurmUnavailableError: what cannot be understood is no reason to conclude anything."""
    try:
        return parse(raw)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise SlurmUnavailableError(f"slurmrestd is not understood: {error!r}") from error
