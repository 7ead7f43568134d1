"""One worker of several: told by its parent what to serve, telling it what it counts.

It lives no longer than its parent does, but a little: when the parent is gone, by a crash or because it gives way to
its successor, the worker accepts connections for `HANDOVER_S` more, until others do, and then drains.
"""

import asyncio
import json
import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from gigawatt.gateway.config import ConfigError, parse_config
from gigawatt.gateway.frames import (
    CONFIG,
    CONTROL_DOWN,
    CONTROL_UP,
    DEMANDS,
    ROWS,
    SOMEONE_WAITS,
    frame,
    read_frame,
)
from gigawatt.gateway.gateway import Gateway
from gigawatt.gateway.limits import Limits
from gigawatt.gateway.tally import Counts, Tally

HANDOVER_S = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A worker's place: file descriptors that it was given, and which of how many it is."""

    listener: int
    table: int
    parent: int
    slot: int
    workers: int

    @staticmethod
    def parse(text: str) -> "Place":
        """As `str` writes it. Raises ValueError."""
        listener, table, parent, slot, workers = (int(part) for part in text.split(","))
        return Place(listener=listener, table=table, parent=parent, slot=slot, workers=workers)

    def __str__(self) -> str:
        return f"{self.listener},{self.table},{self.parent},{self.slot},{self.workers}"


class ParentLink:
    """Both directions of the conversation with the parent."""

    def __init__(
        self, gateway: Gateway, place: Place, limits: Limits, someone_waits: asyncio.Event
    ) -> None:
        self._gateway = gateway
        self._place = place
        self._limits = limits
        self._someone_waits = someone_waits
        self._rows: Mapping[str, int] = {}
        self.greeted = asyncio.Event()  # all that the parent knows is known here

    async def run(self) -> None:
        """Until the parent is gone, and the time of handing over is past."""
        pair = socket.socket(fileno=self._place.parent)
        reader, writer = await asyncio.open_connection(sock=pair)
        telling = asyncio.create_task(self._tell(writer))
        try:
            while (told := await read_frame(reader)) is not None:
                self._take(*told)
        finally:
            telling.cancel()
            writer.close()
        self.greeted.set()
        log.warning("the parent is gone")
        await asyncio.sleep(HANDOVER_S)

    async def finish(self) -> None:
        """What was counted last is in the spool."""

    def _take(self, kind: bytes, payload: bytes) -> None:
        if kind == ROWS:
            self._rows = json.loads(payload)
        elif kind == CONFIG:
            try:
                config = parse_config(json.loads(payload))
            except ConfigError as error:  # the parent has read it too: a newer one's, perhaps
                log.warning("a configuration cannot be used", extra={"detail": str(error)})
                return
            self._gateway.apply(config, self._rows)
        elif kind in {CONTROL_UP, CONTROL_DOWN}:
            self._gateway.control_up = kind == CONTROL_UP
            self.greeted.set()  # what a greeting ends with

    async def _tell(self, writer: asyncio.StreamWriter) -> None:
        while True:
            told: list[tuple[Tally, Counts]] = []
            demands: list[object] = []
            for tally in self._gateway.endpoints.tallies.values():
                counts = tally.counts()
                demand = tally.demand(counts)
                if demand is not None:
                    told.append((tally, counts))
                    demands.append(demand)
            if demands:
                writer.write(frame(DEMANDS, json.dumps(demands).encode()))
                await writer.drain()
                for tally, counts in told:
                    tally.acknowledge(counts)
                self._gateway.endpoints.forget_settled()
            try:
                async with asyncio.timeout(self._limits.report_s / 2):
                    await self._someone_waits.wait()
            except TimeoutError:
                continue
            self._someone_waits.clear()
            writer.write(frame(SOMEONE_WAITS))
