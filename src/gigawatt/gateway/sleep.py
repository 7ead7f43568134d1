"""Puts replicas to sleep and wakes them, where their runtime is told to: as the control plane says of their endpoint.

A replica that sleeps gets no requests; the first one waits in line, the control plane says awake, and so does the runtime
before it is given any. Of several workers the first one speaks with runtimes, so nobody wakes what another puts to sleep.
"""

import asyncio
import json
import logging

from gigawatt.gateway.endpoints import Endpoint
from gigawatt.gateway.plain import ask
from gigawatt.gateway.replica import Backend
from gigawatt.gateway.roster import Endpoints
from gigawatt.gateway.wiring import Wiring
from gigawatt.model.runtime import RUNTIMES, Runtime, RuntimeName

EVERY_S = 0.1
ANSWER_S = 60.0  # letting go of memory, and taking it again, take seconds
AGAIN_S = 1.0  # after an answer that was no good

log = logging.getLogger(__name__)


async def follow_sleep(endpoints: Endpoints, wiring: Wiring) -> None:
    """For ever."""
    under_way: dict[Backend, asyncio.Task[None]] = {}
    speaks = wiring.shares.table.slot == 0
    try:
        while True:
            await asyncio.sleep(EVERY_S)
            under_way = {each: task for each, task in under_way.items() if not task.done()}
            for endpoint in endpoints.running.values():
                runtime = _runtime(endpoint.config.sleeper)
                for backend in endpoint.to_settle() if runtime else ():
                    if backend not in under_way:
                        assert runtime is not None
                        settling = _settle(endpoint, backend, runtime, speaks=speaks)
                        under_way[backend] = asyncio.create_task(settling)
    finally:
        for task in under_way.values():
            task.cancel()


async def _settle(endpoint: Endpoint, backend: Backend, runtime: Runtime, *, speaks: bool) -> None:
    """One step from what the replica is to what it should be."""
    if endpoint.config.asleep:
        if speaks and not backend.in_flight and await _told(backend, runtime.sleep_path):
            endpoint.sleeps(backend, asleep=True)
        return
    asleep = await _is_asleep(backend, runtime)
    if asleep and speaks and await _told(backend, runtime.wake_path):
        asleep = await _is_asleep(backend, runtime) if runtime.asleep_path else False
    if asleep is False:
        endpoint.sleeps(backend, asleep=False)
    else:
        await asyncio.sleep(EVERY_S)


async def _told(backend: Backend, path: str) -> bool:
    reply = await ask(_address(backend), "POST", path, within_s=ANSWER_S)
    good = reply is not None and 200 <= reply[0] < 300
    if not good:
        status = reply[0] if reply else 0
        log.warning(
            "a runtime did not do as it was told",
            extra={"replica": backend.id, "path": path, "status": status},
        )
        await asyncio.sleep(AGAIN_S)
    return good


async def _is_asleep(backend: Backend, runtime: Runtime) -> bool | None:
    """What it says; None where it says nothing. One that cannot say is taken for what it was told last."""
    if not runtime.asleep_path:
        return backend.asleep
    reply = await ask(_address(backend), "GET", runtime.asleep_path, within_s=ANSWER_S)
    if reply is None:
        return None
    status, body = reply
    if status >= 400:
        return False  # it was not started so that it can sleep
    try:
        return json.loads(body)["is_sleeping"] is True
    except (ValueError, KeyError, TypeError):
        return None


def _address(backend: Backend) -> tuple[str, int]:
    return backend.config.host, backend.config.port


def _runtime(name: str) -> Runtime | None:
    """None for none, and for one of a newer control plane's."""
    return RUNTIMES[RuntimeName(name)] if name in {each.value for each in RuntimeName} else None
