"""Asks replicas for what their runtimes say of themselves, for endpoints whose replicas follow it."""

import asyncio
import contextlib
import re

from gigawatt.gateway.endpoints import Endpoint
from gigawatt.gateway.replica import Backend
from gigawatt.gateway.roster import Endpoints
from gigawatt.model.runtime import RUNTIMES, Gauge, RuntimeName
from gigawatt.routing.gauges import fullest, read_gauges

EVERY_S = 2.0
ANSWER_S = 1.0
PAGE_BYTES_MAX = 1 << 20
PATH = b"/metrics"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,7})\r\n", re.IGNORECASE)


async def follow_gauges(endpoints: Endpoints) -> None:
    """For ever. A replica that does not answer says nothing."""
    while True:
        await asyncio.sleep(EVERY_S)
        watched = [each for each in endpoints.running.values() if each.config.gauges_of]
        await asyncio.gather(*(_ask_all(each) for each in watched))


async def _ask_all(endpoint: Endpoint) -> None:
    try:
        runtime = RUNTIMES[RuntimeName(endpoint.config.gauges_of)]
    except ValueError:
        return  # a newer control plane's
    pages = await asyncio.gather(*(_page(backend) for backend in endpoint.backends))
    told: list[dict[Gauge, float]] = [read_gauges(page, runtime) for page in pages]
    endpoint.tally.cache_percent = round(fullest(told) * 100)


async def _page(backend: Backend) -> str:
    """Empty where it does not answer in time, or with too much."""
    request = b"GET %b HTTP/1.1\r\nhost: %b\r\nconnection: close\r\n\r\n" % (PATH, backend.host)
    at = backend.config
    with contextlib.suppress(
        OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError
    ):
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection(at.host, at.port, limit=PAGE_BYTES_MAX)
            try:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                found = LENGTH.search(head)
                if (
                    found is None
                ):  # in chunks, or until it hangs up: lines are looked for, so either will do
                    return (await reader.readuntil(b"\r\n0\r\n")).decode(errors="replace")
                return (await reader.readexactly(int(found[1]))).decode(errors="replace")
            finally:
                writer.close()
    return ""
