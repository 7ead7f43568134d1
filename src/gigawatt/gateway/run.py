"""The gateway as a process: what it is told, what it listens on, and how it ends."""

import asyncio
import gc
import logging
import resource
import signal
import socket
from pathlib import Path
from typing import Protocol

from gigawatt import clock
from gigawatt.build.certificates import ServingContext
from gigawatt.gateway.alone import FileLink
from gigawatt.gateway.batch_run import follow_batches
from gigawatt.gateway.batch_store import batches_dir
from gigawatt.gateway.config import ConfigError
from gigawatt.gateway.config_file import load_config
from gigawatt.gateway.control_link import ControlLink, Served
from gigawatt.gateway.desk import Desk
from gigawatt.gateway.gateway import Gateway, keep_deadlines
from gigawatt.gateway.gauges import follow_gauges
from gigawatt.gateway.head import PINNED_LINE, SAFE_LINES
from gigawatt.gateway.limits import Limits
from gigawatt.gateway.meter import Meter
from gigawatt.gateway.metrics import Metrics
from gigawatt.gateway.settings import Settings
from gigawatt.gateway.shared import Shares, Table, own_table, shared_table
from gigawatt.gateway.wiring import Wiring
from gigawatt.gateway.worker import ParentLink, Place
from gigawatt.model.ids import RANDOM_BYTES, make_id

BACKLOG = 2048
FLUSH_S = 0.5
CERTIFICATES_S = 2.0  # between looks for new ones
GC_THRESHOLD = 50_000  # allocations between collections: requests leave no cycles behind

log = logging.getLogger(__name__)


class Link(Protocol):
    """Where configurations come from, and where counts go."""

    async def run(self) -> None: ...

    async def finish(self) -> None:
        """The gateway has ended."""
        ...


class RunningGateway:
    """A gateway with its listener and its background work; `stop` drains it."""

    def __init__(
        self, gateway: Gateway, server: asyncio.Server, wiring: Wiring, desk: Desk
    ) -> None:
        self.gateway = gateway
        self._desk = desk
        self._wiring = wiring
        self._server = server
        self._limits: Limits = wiring.limits
        self._meter = wiring.meter
        self._tasks: list[asyncio.Task[None]] = []
        self._link: Link | None = None

    @property
    def port(self) -> int:
        return self._server.sockets[0].getsockname()[1]

    def work(self, link: Link, serving: ServingContext | None = None) -> None:
        """Begin the background work."""
        loop = asyncio.get_running_loop()
        self._link = link
        every_s, idle_s = self._limits.sweep_s, self._limits.report_idle_s
        self._tasks = [
            loop.create_task(keep_deadlines(self.gateway, every_s=every_s, idle_s=idle_s)),
            loop.create_task(link.run()),
            loop.create_task(follow_gauges(self.gateway.endpoints)),
            loop.create_task(follow_batches(self.gateway, self._desk, self._wiring)),
        ]
        if serving is not None:
            self._tasks.append(loop.create_task(keep_context(serving)))

    async def ended(self) -> None:
        """Background work is over: raise what it fell over, if it did."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self, *, within_s: float) -> bool:
        """Whether every reply under way came to its end."""
        self._server.close()
        self.gateway.drain()
        try:
            async with asyncio.timeout(within_s):
                await self.gateway.drained.wait()
        except TimeoutError:
            log.warning("replies were cut off", extra={"clients": len(self.gateway.clients)})
        whole = self.gateway.drained.is_set()
        self.gateway.close()
        await self._flush()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._meter.close()
        await self._desk.close()
        if self._link is not None:
            await self._link.finish()
        return whole

    async def _flush(self) -> None:
        """Give the last errors a moment to reach those that read."""
        try:
            async with asyncio.timeout(FLUSH_S):
                await self.gateway.drained.wait()
        except TimeoutError:
            return


async def start_gateway(settings: Settings) -> RunningGateway:
    """Listen, serve by the configuration on disk, and keep up with the control plane. Raises OSError for a taken port."""
    loop = asyncio.get_running_loop()
    someone_waits = asyncio.Event()
    gateway, wiring, desk = _made(settings, own_table(), someone_waits)
    link = link_of(gateway, settings, someone_waits)
    use_file(gateway, settings.config_file)
    serving = _serving(settings)
    server = await loop.create_server(
        gateway.connection,
        settings.host,
        settings.port,
        backlog=BACKLOG,
        reuse_address=True,
        ssl=serving.context if serving else None,
    )
    running = RunningGateway(gateway, server, wiring, desk)
    running.work(link, serving)
    log.info(
        "listening", extra={"host": settings.host, "port": running.port, "gateway": gateway.id}
    )
    return running


async def start_worker(settings: Settings, place: Place) -> RunningGateway:
    """Serve at a listener that is there, by what the parent tells."""
    loop = asyncio.get_running_loop()
    someone_waits = asyncio.Event()
    table = shared_table(place.table, workers=place.workers, slot=place.slot)
    gateway, wiring, desk = _made(settings, table, someone_waits)
    link = ParentLink(gateway, place, settings.limits, someone_waits)
    listener = socket.socket(fileno=place.listener)
    serving = _serving(settings)
    server = await loop.create_server(
        gateway.connection,
        sock=listener,
        backlog=BACKLOG,
        start_serving=False,
        ssl=serving.context if serving else None,
    )
    running = RunningGateway(gateway, server, wiring, desk)
    running.work(link, serving)
    await link.greeted.wait()
    await server.start_serving()
    return running


async def run_gateway(settings: Settings, place: Place | None = None) -> None:
    """Serve until SIGTERM or SIGINT, or a parent that is gone; then drain, unless a second signal comes."""
    running = await (start_worker(settings, place) if place else start_gateway(settings))
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    told = asyncio.create_task(signals.get())
    ended = asyncio.create_task(running.ended())
    await asyncio.wait({told, ended}, return_when=asyncio.FIRST_COMPLETED)
    if ended.done():
        told.cancel()
        ended.result()
    ended.cancel()
    log.info("draining")
    draining = asyncio.create_task(running.stop(within_s=settings.limits.drain_s))
    told_again = asyncio.create_task(signals.get())
    await asyncio.wait({draining, told_again}, return_when=asyncio.FIRST_COMPLETED)
    told_again.cancel()
    draining.cancel()
    await asyncio.wait({draining})
    log.info("stopped")


def allow_many_connections() -> None:
    """Raise the soft limit of open files to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def use_file(gateway: Gateway, path: Path) -> None:
    """Serve by the configuration on disk, if there is one that can be used."""
    try:
        config = load_config(path)
    except (ConfigError, OSError) as error:
        log.warning("the configuration on disk cannot be used", extra={"detail": str(error)})
        return
    if config is not None:
        gateway.apply(config)
        log.info("configuration from disk", extra={"revision": config.revision})


def link_of(gateway: Served, settings: Settings, someone_waits: asyncio.Event) -> Link:
    """To the control plane, or to the file where there is none."""
    if not settings.api_url:
        return FileLink(gateway, settings, wall_ms=clock.now_ms, monotonic_s=clock.monotonic_s)
    return ControlLink(
        gateway,
        settings,
        someone_waits=someone_waits,
        monotonic_s=clock.monotonic_s,
        wall_ms=clock.now_ms,
    )


def new_id(kind: str) -> str:
    """One of ours."""
    return make_id(kind, now_ms=clock.now_ms(), entropy=clock.entropy(RANDOM_BYTES))


async def keep_context(serving: ServingContext) -> None:
    """Take up certificates that change, for ever."""
    while True:
        await asyncio.sleep(CERTIFICATES_S)
        serving.look()


def _serving(settings: Settings) -> ServingContext | None:
    """Raises OSError for certificates that cannot be served with."""
    return ServingContext(settings.certificates) if settings.certificates else None


def _made(
    settings: Settings, table: Table, someone_waits: asyncio.Event
) -> tuple[Gateway, Wiring, Desk]:
    meter = Meter(settings.spool_dir, make_id=lambda: new_id("spool"), wall_ms=clock.now_ms)
    wiring = Wiring(
        limits=settings.limits,
        loop=asyncio.get_running_loop(),
        monotonic_s=clock.monotonic_s,
        wall_ms=clock.now_ms,
        metrics=Metrics(),
        meter=meter,
        shares=Shares(table),
        report_demand=someone_waits.set,
        safe=SAFE_LINES + (PINNED_LINE if settings.pinned else b""),
    )
    desk = Desk(batches_dir(settings.spool_dir), new_id=new_id, wall_ms=clock.now_ms)
    return Gateway(new_id("gateway"), wiring, desk), wiring, desk
