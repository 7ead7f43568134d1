"""A control plane as the gateway knows it: the two routes of its API, on a real port."""

import asyncio
import json
from typing import Any

from tests.contract.gateway.http_server import HttpServer, Received, Reply

GATEWAY_TOKEN = "gateway-token"


class TokenCounts:
    """Takes reports in as the control plane does: the newest value of each row counts."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], dict[str, Any]] = {}
        self.closed: set[str] = set()
        self._reports: dict[str, int] = {}
        self.bodies: list[dict[str, Any]] = []

    def take(self, report: dict[str, Any]) -> None:
        self.bodies.append(report)
        spool = report["spool"]
        if report["report"] <= self._reports.get(spool, 0):
            return
        self._reports[spool] = report["report"]
        for row in report["rows"]:
            self.rows[spool, row["row"]] = row
        if report["closed"]:
            self.closed.add(spool)

    def total(self, field: str, **of: str) -> int:
        rows = self.rows.values()
        return sum(
            row[field] for row in rows if all(row[name] == value for name, value in of.items())
        )


class ControlDouble:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.reports: list[dict[str, Any]] = []
        self.polls: list[dict[str, str]] = []
        self.spent: list[dict[str, Any]] = []
        self.acknowledging = True
        self.usage = TokenCounts()
        self._changed = asyncio.Condition()
        self.server = HttpServer(self._serve)

    async def publish(self, document: dict[str, Any]) -> None:
        async with self._changed:
            self.document = document
            self._changed.notify_all()

    @property
    def demands(self) -> list[dict[str, Any]]:
        """Every endpoint of every report, in order."""
        return [demand for report in self.reports for demand in report["endpoints"]]

    async def _serve(self, received: Received, reply: Reply) -> None:
        if received.headers.get("authorization") != f"Bearer {GATEWAY_TOKEN}":
            await reply.whole(401, b"{}")
        elif (received.method, received.path) == ("GET", "/v1/gateway/config"):
            self.polls.append(received.query)
            await self._wait_for_news(received.query)
            await reply.whole(200, json.dumps(self.document).encode())
        elif (received.method, received.path) == ("POST", "/v1/gateway/demand"):
            self.reports.append(json.loads(received.body))
            if self.acknowledging:
                await reply.whole(200, b"{}")
            else:
                reply.reset()
                raise ConnectionResetError
        elif (received.method, received.path) == ("POST", "/v1/gateway/usage"):
            self.usage.take(json.loads(received.body))
            if not self.acknowledging:
                reply.reset()
                raise ConnectionResetError
            await reply.whole(204, b"")
        elif (received.method, received.path) == ("POST", "/v1/gateway/spent"):
            await reply.whole(200, json.dumps({"items": self.spent}).encode())
        else:
            await reply.whole(404, b"{}")

    async def _wait_for_news(self, query: dict[str, str]) -> None:
        after = query.get("after")
        if after is None:
            return
        try:
            async with asyncio.timeout(float(query.get("wait_s", "0"))), self._changed:
                await self._changed.wait_for(lambda: self.document["revision"] != int(after))
        except TimeoutError:
            return
