"""The fleet map at 1.25 million GPUs: what the control plane takes for its files, and what a browser's main thread takes.

The fleet is that of `scale`: 312,500 nodes, nineteen in twenty GPUs taken by gangs that the scheduler placed. It is put in
the place of the leader's; sign-in, routes, pages and the element are the product's. Chromium is headless, without a GPU.

What the main thread takes for a step of a pan or a zoom is by Chromium's own account of tasks (TaskDuration), from the
event to the frame after it. That includes the drawing of pictures, which without a GPU happens there too.
"""

import asyncio
import gc
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx2
import uvicorn
from playwright.sync_api import Page, sync_playwright

from benchmarks import scale
from benchmarks.figures import Figure, median
from gigawatt.console.app import install
from gigawatt.control.front import Front
from gigawatt.model.node import Node
from gigawatt.server.run import COLLECT_AFTER
from gigawatt.service.ports import Fleet
from tests.surface.api.site import Site, running_site
from tests.surface.console.browsing import CHROMIUM, FLAGS

STEPS = 120
READS = 15
STARTS = 3
VIEWPORT = {"width": 1440, "height": 900}
PATIENCE_MS = 120_000

Send = Callable[[str], dict[str, Any]]


@dataclass(slots=True)
class Served:
    """Where the fleet is served, and what changes it."""

    url: str
    token: str
    fleet: "LargeFleet"


class LargeFleet:
    """A fleet of the scale benchmark."""

    def __init__(self) -> None:
        self.site = scale.Site()
        self.site.fill()
        self.nodes = tuple(_nodes(self.site))

    def now(self) -> Fleet:
        return Fleet(nodes=self.nodes, work=dict(self.site.running))

    def turn(self) -> None:
        """A thousand gangs end."""
        self.site.ended(min(scale.TURNOVER, len(self.site.running)))


class FleetFront(Front):
    """A leader whose fleet is another one."""

    large: LargeFleet

    def fleet(self) -> Fleet:
        return self.large.now()


def run() -> list[Figure]:
    if CHROMIUM is None:
        print("there is no chromium to drive: nothing is measured")
        return []
    with served() as where:
        return [*_server(where), *_browser(where)]


@contextmanager
def served() -> Generator[Served]:
    """The console and the API over a large fleet, in a thread of their own."""
    fleet = LargeFleet()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    told: Future[Served] = Future()
    end = threading.Event()
    with tempfile.TemporaryDirectory() as data:
        serving = _serve(Path(data), fleet, told, end)
        thread = threading.Thread(target=lambda: asyncio.run(serving))
        thread.start()
        try:
            yield told.result()
        finally:
            end.set()
            thread.join()


async def _serve(
    data: Path, fleet: LargeFleet, told: "Future[Served]", end: threading.Event
) -> None:
    async with running_site(data) as site:
        _put_fleet(site, fleet)
        install(site.app, site.services)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            server = uvicorn.Server(uvicorn.Config(site.app, log_level="warning", lifespan="off"))
            task = asyncio.create_task(server.serve(sockets=[listener]))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            told.set_result(Served(url=url, token=site.admin_key, fleet=fleet))
            await asyncio.to_thread(end.wait)
            server.should_exit = True
            await task


def _put_fleet(site: Site, fleet: LargeFleet) -> None:
    front = FleetFront(site.leader)
    front.large = fleet
    site.services.leader = front


def _nodes(site: scale.Site) -> Iterator[Node]:
    return (scale.node(number) for number in range(scale.NODES))


def _server(where: Served) -> Iterator[Figure]:
    gpus = scale.NODES * scale.NODE_GPUS
    with httpx2.Client(
        base_url=where.url, headers={"Authorization": f"Bearer {where.token}"}, timeout=600
    ) as http:
        began_s = time.perf_counter()
        http.get("/v1/fleet/layout").raise_for_status()
        yield Figure(
            what=f"the first look at {gpus:,} GPUs after a start: everything is made",
            value=time.perf_counter() - began_s,
            unit="s",
        )
        for path in ("layout", "state"):
            reply = http.get(f"/v1/fleet/{path}")
            size = float(reply.headers["content-length"]) / 1000
            yield Figure(what=f"  {path}, as gzip", value=size, unit="kB")
        yield from _reads(http, where)


def _reads(http: httpx2.Client, where: Served) -> Iterator[Figure]:
    tag = http.get("/v1/fleet/state").headers["etag"]
    unchanged = [_took_ms(http, "/v1/fleet/state", {"If-None-Match": tag}) for _ in range(READS)]
    changed: list[float] = []
    for _ in range(READS):
        where.fleet.turn()
        changed.append(_took_ms(http, "/v1/fleet/state", {}))
    yield Figure(what="a state that has not changed", value=median(unchanged), unit="ms", goal=50)
    yield Figure(
        what="a state after 1,000 gangs have ended",
        value=median(changed),
        unit="ms",
        goal=50,
        note=f"slowest {max(changed):.0f} ms, when it is made anew: at most once in two seconds",
    )
    for path in ("/v1/fleet/spot?row=7", "/v1/fleet?at=site", "/console/fleet"):
        times = [_took_ms(http, path, {}) for _ in range(READS)]
        yield Figure(what=f"  {path}", value=median(times), unit="ms", goal=50)


def _took_ms(http: httpx2.Client, path: str, headers: dict[str, str]) -> float:
    began_s = time.perf_counter()
    reply = http.get(path, headers=headers)
    assert reply.status_code in {200, 304}, reply.text
    return 1000 * (time.perf_counter() - began_s)


def _browser(where: Served) -> Iterator[Figure]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        context = opened.new_context(viewport=VIEWPORT)  # pyright: ignore[reportArgumentType] - the same keys
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        _sign_in(page, where)
        starts = [_start(page, where) for _ in range(STARTS)]
        yield Figure(
            what="the map can be used, from the click on",
            value=median(starts) / 1000,
            unit="s",
            goal=2,
            note="page, files, places and colours of every GPU",
        )
        watch = context.new_cdp_session(page)
        send: Send = cast("Any", watch).send
        send("Performance.enable")
        for name, step in _steps().items():
            times = sorted(_step(page, send, step, number) for number in range(STEPS))
            yield Figure(
                what=f"main thread, {name}: p95 of {STEPS}",
                value=times[int(0.95 * STEPS)],
                unit="ms",
                goal=100,
                note=f"median {median(times):.0f} ms",
            )
        opened.close()


def _sign_in(page: Page, where: Served) -> None:
    page.goto(f"{where.url}/console/sign-in")
    page.get_by_label("API key").fill(where.token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/console/")


def _start(page: Page, where: Served) -> float:
    page.goto(f"{where.url}/console/fleet", wait_until="commit")
    page.wait_for_selector("gw-fleet-map[ready]", state="attached")
    found: Any = page.evaluate("() => performance.getEntriesByName('gw-fleet-ready')[0].startTime")
    return float(found)


def _steps() -> dict[str, str]:
    """What is done to the map: by number, so that it goes to and fro."""
    element = "document.querySelector('gw-fleet-map')"
    return {
        "pan over all of it": f"(i) => {element}.pan((i % 2 ? 1 : -1) * 60, 10)",
        "zoom in and out": f"(i) => {element}.zoom(i % 24 < 12 ? 1.3 : 1 / 1.3)",
        "pan at single racks": f"(i) => {{ if (i === 0) {element}.zoom(8); {element}.pan((i % 40 < 20 ? 1 : -1) * 45, 7) }}",
        "pan at single GPUs": f"(i) => {{ if (i === 0) {element}.zoom(4); {element}.pan((i % 40 < 20 ? 1 : -1) * 45, 7) }}",
    }


def _step(page: Page, send: Send, step: str, number: int) -> float:
    before = _tasks_s(send)
    page.evaluate(
        f"(i) => {{ ({step})(i); return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))) }}",
        number,
    )
    return 1000 * (_tasks_s(send) - before)


def _tasks_s(send: Send) -> float:
    metrics: list[dict[str, Any]] = send("Performance.getMetrics")["metrics"]
    return next(each["value"] for each in metrics if each["name"] == "TaskDuration")
