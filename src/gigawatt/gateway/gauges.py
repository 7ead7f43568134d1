"""Asks replicas for what their runtimes say of themselves, for endpoints whose replicas follow it."""

import asyncio
import contextlib

from gigawatt.gateway.endpoints import Endpoint, Endpoints
from gigawatt.gateway.replica import Backend
from gigawatt.model.runtime import RUNTIMES, Gauge, RuntimeName
from gigawatt.routing.gauges import fullest, read_gauges

EVERY_S = 2.0
ANSWER_S = 1.0
PAGE_BYTES_MAX = 1 << 20
PATH = "/metrics"


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
    request = f"GET {PATH} HTTP/1.0\r\nhost: {backend.host}\r\n\r\n"
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection(backend.host, backend.port)
            try:
                writer.write(request.encode())
                page = await reader.read(PAGE_BYTES_MAX)
                while more := await reader.read(PAGE_BYTES_MAX):
                    page += more
                    if len(page) > PAGE_BYTES_MAX:
                        return ""
                return page.decode(errors="replace")
            finally:
                writer.close()
    return ""
