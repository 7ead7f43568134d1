"""One instance, from its claimed ports to its end: parts started in order, stopped in reverse."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Generator

import uvicorn

from gigawatt.api.app import create_app
from gigawatt.api.proxy.app import Proxy
from gigawatt.api.proxy.sockets import MESSAGE_BYTES_MAX as PROXIED_BYTES_MAX
from gigawatt.build.certificates import ServingContext
from gigawatt.console.app import install as install_console
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.server import preflight
from gigawatt.server.gateway import stop_gateway
from gigawatt.server.instance import Instance, forget_instance, write_instance
from gigawatt.server.keys import ensure_keys
from gigawatt.server.parts import Parts, build
from gigawatt.server.standby import claim_when_free, wait_for_lease
from gigawatt.server.tls import Wire, keep_serving, wire_of
from gigawatt.settings import Settings
from gigawatt.spec.talk import MESSAGE_BYTES_MAX
from gigawatt.store.base import LedError, StoreFullError
from gigawatt.telemetry.logs import setup_logging

log = logging.getLogger(__name__)

HALT_TIMEOUT_S = 45.0  # for gangs to end by themselves when the instance is stopped
API_CLOSE_S = 3  # for open requests

SWITCH_S = 0.0005  # commits end in another thread: a busy loop must not keep them waiting

COLLECT_AFTER = (20_000, 20, 100)  # allocations, and collections of the younger generation

STOP, LEAVE = "stop", "leave"  # what runs is stopped; or left to the next control plane


def run(
    settings: Settings, *, ready: Callable[[Instance], None], waits: Callable[[str], None] | None
) -> int:
    """Claim, start, serve until a signal; the exit code. Raises RefusalError before any work.

    With `waits` it waits for the lead where another has it, and tells for whom.
    """
    claimed = preflight.claim(settings) if waits is None else claim_when_free(settings, waits)
    sys.setswitchinterval(SWITCH_S)
    try:
        setup_logging(settings.data / "logs" / "control-plane.log")
        with _runner() as runner:
            return runner.run(_serve(settings, claimed, ready, waits))
    finally:
        os.close(claimed.lock)


def _runner() -> asyncio.Runner:
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


async def _serve(
    settings: Settings,
    claimed: preflight.Claimed,
    ready: Callable[[Instance], None],
    waits: Callable[[str], None] | None,
) -> int:
    wire = wire_of(settings)
    context = wire.context()
    instance = _instance(settings, claimed, wire)
    proxy_url = settings.workspace_url.rstrip("/") or wire.url(_port(claimed.workspaces))
    parts = build(
        settings, instance, wire=wire, gateway_port=claimed.gateway_port, proxy_url=proxy_url
    )
    asked: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    _listen_for_signals(asked)
    if not await _led(settings, parts, asked, waits):
        parts.store.close()
        return 0
    _calm_collector()
    await ensure_keys(parts.leader, settings.data)
    api, proxy = _api(parts, wire, context), Proxy(parts.services)
    serving = asyncio.create_task(api.serve(sockets=[claimed.api]))
    workspaces = _workspaces(proxy, context)
    passing = asyncio.create_task(workspaces.serve(sockets=[claimed.workspaces]))
    keeping = asyncio.create_task(parts.gateway.keep())
    background = _in_background(settings, parts, context)
    try:
        parts.handoff.open()
        await _started(api, serving)
        await _started(workspaces, passing)
        await parts.gateway.ready()
        write_instance(settings.data, instance)
        ready(instance)
        await asyncio.wait([asked, parts.leader.ended], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in background:
            task.cancel()
        workspaces.leave()
        await passing
        await proxy.close()
        await _close(settings, parts, api, serving, keeping, how=_how(asked))
    if parts.leader.ended.done():
        log.error("stopped: %s", parts.leader.ended.result())
        return 1
    return 0


def _in_background(
    settings: Settings, parts: Parts, context: ServingContext | None
) -> list["asyncio.Task[None]"]:
    """What goes on beside the API for as long as it serves."""
    kept = (
        parts.courier.run(),
        parts.caretaker.keep(),
        parts.bursar.keep(),
        parts.inspector.keep(),
        keep_serving(settings, context),
    )
    return [asyncio.create_task(each) for each in kept]


def _calm_collector() -> None:
    """The world is many small lasting values without cycles: collections that walk all of it are pauses for nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def _led(
    settings: Settings,
    parts: Parts,
    asked: "asyncio.Future[str]",
    waits: Callable[[str], None] | None,
) -> bool:
    """Whether the lead was taken; false when a standby was asked to end before. Raises RefusalError."""
    while waits is None or await _turn_came(parts, asked, waits):
        try:
            await _lead(settings, parts)
        except LedError as error:
            if waits is None:
                raise RefusalError(
                    RefusalCode.CONFLICT,
                    f"another control plane leads this store: {error.holder}",
                    hint="wait for its end with gw up --standby",
                ) from None
        else:
            return True
    return False


async def _turn_came(
    parts: Parts, asked: "asyncio.Future[str]", waits: Callable[[str], None]
) -> bool:
    """Whether the lead is free now; false when it was asked to end before."""
    config = parts.leader.config
    waiting = asyncio.create_task(
        wait_for_lease(parts.store, holder=config.holder, lease_ms=config.lease_ms, say=waits)
    )
    await asyncio.wait([asked, waiting], return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        return False
    await waiting
    return True


async def _lead(settings: Settings, parts: Parts) -> None:
    """Bring the store up to date and take the lead. Raises LedError, RefusalError."""
    try:
        await asyncio.to_thread(parts.store.migrate)
        await asyncio.to_thread(parts.workshop.sweep)
        await parts.leader.start(parts.actuator)
    except StoreFullError:
        raise RefusalError(
            RefusalCode.DISK_FULL,
            "the store has no room",
            field="data",
            hint=f"make room on the disk of {settings.data}",
        ) from None


def _listen_for_signals(asked: "asyncio.Future[str]") -> None:
    def ask(how: str) -> None:
        if not asked.done():
            asked.set_result(how)

    loop = asyncio.get_running_loop()
    for number, how in (
        (signal.SIGTERM, STOP),
        (signal.SIGINT, STOP),
        (signal.SIGUSR2, LEAVE),
    ):
        loop.add_signal_handler(number, ask, how)


def _how(asked: "asyncio.Future[str]") -> str:
    """A leader that was deposed or failed leaves what runs to the next one."""
    return asked.result() if asked.done() else LEAVE


def _instance(settings: Settings, claimed: preflight.Claimed, wire: Wire) -> Instance:
    return Instance(
        pid=os.getpid(),
        api_url=wire.url(_port(claimed.api)),
        gateway_url=wire.url(claimed.gateway_port),
        token_path=str(settings.data / "token"),
        ca_path=wire.authority,
    )


def _port(bound: socket.socket) -> int:
    port: int = bound.getsockname()[1]
    return port


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handlers, as this process has one way to stop, and without its ten ticks a second.

    They are for the date of replies, which the API sets by itself, and a good part of what an idle instance costs.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._left = asyncio.Event()

    def leave(self) -> None:
        """End `serve`, once open requests have been answered."""
        self.should_exit = True
        self._left.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._left.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _workspaces(proxy: Proxy, context: ServingContext | None) -> _Server:
    """The proxy to workspaces. Nobody is waited for at its end: a browser comes back."""
    config = uvicorn.Config(
        proxy,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        ws="websockets-sansio",
        ws_max_size=PROXIED_BYTES_MAX,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
        ssl_context_factory=_factory(context),
    )
    return _Server(config)


def _api(parts: Parts, wire: Wire, context: ServingContext | None) -> _Server:
    app = create_app(parts.services, pinned=wire.pinned)
    install_console(app, parts.services)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=API_CLOSE_S,
        timeout_keep_alive=75,
        ws_max_size=MESSAGE_BYTES_MAX,
        ws_per_message_deflate=False,
        ssl_context_factory=_factory(context),
    )
    return _Server(config)


def _factory(context: ServingContext | None) -> Callable[..., ssl.SSLContext] | None:
    """What gives uvicorn the very context, so that it takes up what this one does."""
    return (lambda *_: context.context) if context else None


async def _started(api: uvicorn.Server, serving: "asyncio.Task[None]") -> None:
    while not api.started:
        if serving.done():
            await serving
        await asyncio.sleep(0.005)


async def _close(
    settings: Settings,
    parts: Parts,
    api: _Server,
    serving: "asyncio.Task[None]",
    keeping: "asyncio.Task[None]",
    *,
    how: str,
) -> None:
    """In reverse: the gateway, the gangs, the API, the leader, the store."""
    keeping.cancel()
    if how == STOP:
        await asyncio.to_thread(stop_gateway, settings.data)
        await parts.leader.halt(timeout_s=HALT_TIMEOUT_S)
    parts.services.closing.set()
    parts.leader.gateway.close()
    await parts.handoff.close()
    api.leave()
    await serving
    await parts.leader.stop()
    if how == STOP:
        await parts.engine.shutdown()
    else:
        await parts.engine.close()
    parts.store.close()
    forget_instance(settings.data)
