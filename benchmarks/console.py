"""The console with 10,000 jobs: what its first page weighs, how long its pages take, and what open pages cost.

Times are seen by a client on the same machine, over loopback. The browser's part needs Playwright and a Chromium.
"""

import asyncio
import gzip
import http.client
import os
import re
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import quote, urlsplit

from benchmarks.figures import Figure, median
from benchmarks.http import Api
from benchmarks.instance import Instance, running

JOBS = 10_000
SENDERS = 8
TIMES = 30
OPEN_PAGES = 100
EVENTS = 20  # one a second
PAGE_MS_MAX = 50.0
FIRST_KB_MAX = 200.0
USABLE_MS_MAX = 500.0
SEEN_MS_MAX = 1_000.0
OPEN_PERCENT_MAX = 10.0
TICKS = os.sysconf("SC_CLK_TCK")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
JOB = {"command": ["true"], "gang": {"cpus": 0.1}, "start_after": "2100-01-01T00:00:00Z"}


def run() -> list[Figure]:
    with running(nodes=3) as instance:
        figures = [_weight(instance), *_usable(instance)]
        _seed(instance)
        figures += [
            _page(instance, "/console/jobs", "list of jobs, first page"),
            _page(instance, _second(instance), "  second page"),
            _page(instance, "/console/jobs?text=job-77", "  a part of the name"),
            _page(instance, "/console/jobs?user=nobody", "  a user without jobs"),
            _page(instance, "/console/", "overview"),
            _page(instance, "/console/queue", "queue"),
            _page(instance, _newest(instance), "a job that waits"),
            _page(instance, "/console/search?q=job-", "search by the beginning of a name"),
        ]
        figures += asyncio.run(_open_pages(instance))
    return figures


def _seed(instance: Instance) -> None:
    """Jobs that wait, submitted as anyone would."""

    def send(part: int) -> None:
        api = Api(instance)
        for number in range(part, JOBS, SENDERS):
            status, view = api.call("POST", "/v1/jobs", {"name": f"job-{number}", **JOB})
            assert status == 201, view
        api.close()

    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(send, range(SENDERS)))


def _weight(instance: Instance) -> Figure:
    """Everything that the overview makes a browser load that has nothing yet."""
    page = _got(instance, "/console/")
    html = gzip.decompress(page).decode()
    paths = sorted(set(re.findall(r'(?:href|src)="(/console/static/[^"]+)"', html)))
    parts = [len(_got(instance, path)) for path in paths]
    return Figure(
        what="first page, cold, all bytes",
        value=(len(page) + sum(parts)) / 1_000,
        unit="KB gzip",
        goal=FIRST_KB_MAX,
        note=f"the page and {len(parts)} files",
    )


def _usable(instance: Instance) -> list[Figure]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("without Playwright: no figure of a browser")
        return []
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        print("without Chromium: no figure of a browser")
        return []
    took_ms: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        for _ in range(5):
            context = browser.new_context()
            page = context.new_page()
            page.goto(instance.gw("console").strip())
            session = context.cookies()
            context.close()
            context = browser.new_context()
            context.add_cookies(
                [
                    {"name": each["name"], "value": each["value"], "url": instance.api_url}
                    for each in session
                    if "name" in each and "value" in each
                ]
            )
            page = context.new_page()
            page.goto(f"{instance.api_url}/console/", wait_until="load")
            took_ms.append(
                page.evaluate(
                    "() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
                )
            )
            context.close()
        browser.close()
    return [
        Figure(
            what="  usable in Chromium, nothing cached",
            value=median(took_ms),
            unit="ms",
            goal=USABLE_MS_MAX,
            note="scripts have run; median of 5",
        )
    ]


def _page(instance: Instance, path: str, what: str) -> Figure:
    took_ms: list[float] = []
    connection = _connection(instance)
    for _ in range(TIMES):
        began_s = time.perf_counter()
        _get(connection, instance.token, path)
        took_ms.append((time.perf_counter() - began_s) * 1_000)
    connection.close()
    return Figure(
        what=what,
        value=median(took_ms),
        unit="ms",
        goal=PAGE_MS_MAX,
        note=f"{JOBS} jobs; slowest of {TIMES}: {max(took_ms):.0f} ms",
    )


def _second(instance: Instance) -> str:
    html = gzip.decompress(_got(instance, "/console/jobs")).decode()
    found = re.search(r'href="(\?cursor=[^"]+)"[^>]*rel="next"', html)
    assert found is not None, "the list has no second page"
    return f"/console/jobs{found[1]}"


def _newest(instance: Instance) -> str:
    api = Api(instance)
    _, found = api.call("GET", "/v1/jobs?limit=1")
    api.close()
    return f"/console/jobs/{found['items'][0]['id']}"


async def _open_pages(instance: Instance) -> list[Figure]:
    """What pages cost that are open while something happens every second, beyond what that costs by itself."""
    api = Api(instance)
    keys = [_key(api, number) for number in range(OPEN_PAGES)]
    alone = await _busy(instance, api, ())
    same = await _busy(instance, api, [instance.token] * OPEN_PAGES)
    apart = await _busy(instance, api, keys)
    api.close()
    note = f"an event a second for {EVENTS} s; without pages it is {alone.percent:.1f} %"
    return [
        Figure(
            what=f"{OPEN_PAGES} open lists, one session",
            value=same.percent - alone.percent,
            unit="% of a core",
            goal=OPEN_PERCENT_MAX,
            note=note,
        ),
        Figure(
            what="  seen after the event",
            value=median(same.seen_ms),
            unit="ms",
            goal=SEEN_MS_MAX,
            note=f"slowest {max(same.seen_ms):.0f} ms; from before the write",
        ),
        Figure(
            what=f"{OPEN_PAGES} open lists, {OPEN_PAGES} sessions",
            value=apart.percent - alone.percent,
            unit="% of a core",
            goal=OPEN_PERCENT_MAX,
        ),
        Figure(
            what="  seen after the event",
            value=median(apart.seen_ms),
            unit="ms",
            goal=SEEN_MS_MAX,
            note=f"slowest {max(apart.seen_ms):.0f} ms",
        ),
    ]


class _Measured:
    def __init__(self) -> None:
        self.percent = 0.0
        self.seen_ms: list[float] = []


async def _busy(instance: Instance, api: Api, tokens: Sequence[str]) -> _Measured:
    measured = _Measured()
    async with AsyncExitStack() as stack:
        streams = [await _Stream.open(instance, token, stack) for token in tokens]
        if streams:
            await asyncio.gather(*(each.next(-1.0) for each in streams))
        before, began_s = _cpu_s(instance.pid), time.perf_counter()
        for number in range(EVENTS):
            due_s = began_s + number + 1
            sent_s = time.perf_counter()
            name = f"new-{len(tokens)}-{number}"
            status, view = await asyncio.to_thread(
                api.call, "POST", "/v1/jobs", {"name": name, **JOB}
            )
            assert status == 201, view
            for each in streams[:: max(len(streams) // 10, 1)]:
                measured.seen_ms.append((await each.next(sent_s) - sent_s) * 1_000)
            await asyncio.sleep(max(due_s - time.perf_counter(), 0))
        spent_s = time.perf_counter() - began_s
        measured.percent = (_cpu_s(instance.pid) - before) / spent_s * 100
    return measured


class _Stream:
    """An open page, as its browser listens to it. Contents that come are noted by their time."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._times: list[float] = []
        self._came = asyncio.Event()

    @classmethod
    async def open(cls, instance: Instance, token: str, stack: AsyncExitStack) -> "_Stream":
        parts = urlsplit(instance.api_url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 22)
        of = quote("/console/jobs", safe="")
        head = f"GET /console/live?of={of}&on=job.&on=array. HTTP/1.1\r\n"
        lines = f"Host: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n"
        writer.write((head + lines).encode())
        await writer.drain()
        found = cls(reader)
        task = asyncio.create_task(found._listen())
        stack.callback(writer.close)
        stack.callback(task.cancel)
        return found

    async def next(self, after_s: float) -> float:
        """When content came after a time."""
        while not (self._times and self._times[-1] > after_s):
            self._came.clear()
            async with asyncio.timeout(60):
                await self._came.wait()
        return next(each for each in self._times if each > after_s)

    async def _listen(self) -> None:
        async for line in self._reader:
            if line.startswith(b"id: "):
                self._times.append(time.perf_counter())
                self._came.set()


def _key(api: Api, number: int) -> str:
    status, view = api.call("POST", "/v1/keys", {"name": f"reader-{number}", "role": "viewer"})
    assert status == 201, view
    return str(view["key"])


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _got(instance: Instance, path: str) -> bytes:
    connection = _connection(instance)
    body = _get(connection, instance.token, path)
    connection.close()
    return body


def _connection(instance: Instance) -> http.client.HTTPConnection:
    parts = urlsplit(instance.api_url)
    assert parts.hostname is not None
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)


def _get(connection: http.client.HTTPConnection, token: str, path: str) -> bytes:
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip"}
    connection.request("GET", path, headers=headers)
    reply = connection.getresponse()
    body = reply.read()
    assert reply.status == 200, f"{path}: {reply.status}"
    return body
