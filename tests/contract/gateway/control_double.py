"""A control plane as the gateway knows it: the two routes of its API, on a real port."""

import asyncio
import json
from typing import Any

from tests.contract.gateway.http_server import HttpServer, Received, Reply

GATEWAY_TOKEN = "gateway-token"


class ControlDouble:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.reports: list[dict[str, Any]] = []
        self.polls: list[dict[str, str]] = []
        self.acknowledging = True
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
