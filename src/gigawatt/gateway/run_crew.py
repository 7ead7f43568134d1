"""The parent of a gateway's workers as a process."""

import asyncio
import json
import logging
import signal
import sys

from gigawatt import clock
from gigawatt.gateway.config import ConfigError, parse_config
from gigawatt.gateway.crew import Crew, Places, listeners, reap_predecessors, succeed
from gigawatt.gateway.run import link_of, new_id
from gigawatt.gateway.settings import Settings

STOP_GRACE_S = 2.0  # beyond what workers have for draining

log = logging.getLogger(__name__)


async def run_crew(settings: Settings) -> None:
    """Keep workers until SIGTERM or SIGINT; at SIGHUP, become the program as it is on disk now."""
    held = listeners(settings.host, settings.port, settings.workers)
    reap_predecessors()
    someone_waits = asyncio.Event()
    crew = Crew(new_id("gateway"), monotonic_s=clock.monotonic_s, someone_waits=someone_waits.set)
    places = Places(crew, held, [sys.executable, *sys.orig_argv[1:]])
    _use_file(crew, settings)
    link = link_of(crew, settings, someone_waits)
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, signals.put_nowait, number)
    work = [loop.create_task(places.keep()), loop.create_task(link.run())]
    port = held[0].getsockname()[1]
    extra = {"host": settings.host, "port": port, "workers": len(held), "gateway": crew.id}
    log.info("listening", extra=extra)
    told = loop.create_task(signals.get())
    await asyncio.wait({told, *work}, return_when=asyncio.FIRST_COMPLETED)
    for task in work:
        if task.done():
            task.result()
    if told.result() == signal.SIGHUP:
        log.info("giving way to a new version")
        succeed(held, [worker.process.pid for worker in crew.workers.values()])
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    log.info("draining")
    whole = await places.stop(within_s=settings.limits.drain_s + STOP_GRACE_S)
    await link.finish()
    log.info("stopped", extra={"whole": whole})


def _use_file(crew: Crew, settings: Settings) -> None:
    try:
        body = settings.config_file.read_bytes()
        crew.take(parse_config(json.loads(body)), body)
    except FileNotFoundError:
        return
    except (ConfigError, OSError, ValueError, RecursionError) as error:
        log.warning("the configuration on disk cannot be used", extra={"detail": str(error)})
