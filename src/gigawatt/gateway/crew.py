"""The parent of a gateway's workers: it holds the port, has one worker per place, and speaks with the control plane.

Every place has a listening socket of its own (SO_REUSEPORT), which the parent never lets go of: connections that have
come while a worker is replaced wait in it for the next one. A new version is taken up by starting this program anew
within the same process (SIGHUP): the sockets go along, the old workers see their parent gone and drain.
"""

import asyncio
import fcntl
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import NoReturn

from gigawatt.gateway.config import Config
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
from gigawatt.gateway.quotas import allowances
from gigawatt.gateway.shared import Rows, Table, shared_table, table_bytes
from gigawatt.gateway.subjects import counted_names
from gigawatt.gateway.tally import EndpointDemand, Tally
from gigawatt.gateway.worker import Place

LISTENERS = "GIGAWATT_GATEWAY_LISTENERS"  # descriptors that a predecessor has left
LEAVING = "GIGAWATT_GATEWAY_LEAVING"  # its workers
BACKLOG = 2048
AGAIN_S = 0.2  # before a worker that ended is replaced: one that cannot start would be busy at it

log = logging.getLogger(__name__)


class Crew:
    """What the control plane's link sees as the gateway."""

    def __init__(
        self, id: str, *, monotonic_s: Callable[[], float], someone_waits: Callable[[], None]
    ) -> None:
        self.id = id
        self.config: Config | None = None
        self.tallies: dict[str, Tally] = {}
        self.workers: dict[int, Worker] = {}
        self.rows: Mapping[str, int] = {}
        self.table: Table | None = None
        self._body = b""
        self._monotonic_s = monotonic_s
        self._someone_waits = someone_waits
        self._assigning = Rows()
        self._control_up = False

    def take(self, config: Config, body: bytes) -> None:
        """A new configuration, for all workers."""
        self.config, self._body = config, body
        self.rows = self._assigning.assign(counted_names(config), now_s=self._monotonic_s())
        for worker in self.workers.values():
            self.greet(worker)

    def spend(self, spent: Mapping[str, int]) -> None:
        """Let every worker see what holders of budgets have used."""
        config, table = self.config, self.table
        if config is None or table is None:
            return
        for name in allowances(config):
            if name in self.rows:
                table.share(self.rows[name]).spent = spent.get(name, 0)

    @property
    def control_up(self) -> bool:
        return self._control_up

    @control_up.setter
    def control_up(self, up: bool) -> None:
        self._control_up = up
        for worker in self.workers.values():
            worker.send(frame(CONTROL_UP if up else CONTROL_DOWN))

    def greet(self, worker: "Worker") -> None:
        """Tell a worker all that there is to know."""
        if self._body:
            worker.send(frame(ROWS, json.dumps(dict(self.rows)).encode()))
            worker.send(frame(CONFIG, self._body))
        worker.send(frame(CONTROL_UP if self._control_up else CONTROL_DOWN))

    def heard(self, worker: "Worker", kind: bytes, payload: bytes) -> None:
        """What a worker tells."""
        if kind == SOMEONE_WAITS:
            self._someone_waits()
        elif kind == DEMANDS:
            demands: list[EndpointDemand] = json.loads(payload)
            for demand in demands:
                worker.demands[demand["id"]] = demand
                self._add(demand)

    def left(self, worker: "Worker") -> None:
        """A worker has ended: what it had under way is no more."""
        worker.demands, gone = {}, worker.demands
        for endpoint in gone:
            self._sum_up(endpoint)

    def forget_settled(self) -> None:
        """Let go of tallies of endpoints that are gone, once all of it is told."""
        known = {endpoint.id for endpoint in self.config.endpoints} if self.config else set[str]()
        replicas = {
            replica.id
            for endpoint in (self.config.endpoints if self.config else ())
            for replica in endpoint.replicas
        }
        for endpoint, tally in tuple(self.tallies.items()):
            tally.forget_replicas(replicas)
            if endpoint not in known and tally.settled:
                del self.tallies[endpoint]

    def _add(self, demand: EndpointDemand) -> None:
        tally = self.tallies.setdefault(demand["id"], Tally(demand["id"]))
        tally.requests += demand["requests_more"]
        tally.prompt_tokens += demand["prompt_tokens_more"]
        tally.completion_tokens += demand["completion_tokens_more"]
        tally.last_request_ms = max(tally.last_request_ms, demand["last_request_ms"])
        for replica, more_ms in demand["busy_ms_more"].items():
            tally.busy(replica, self._monotonic_s).add(more_ms)
        for generation, more in demand["revisions"].items():
            tally.revision(int(generation)).add(more)
        self._sum_up(demand["id"])

    def _sum_up(self, endpoint: str) -> None:
        there = [
            worker.demands[endpoint]
            for worker in self.workers.values()
            if endpoint in worker.demands
        ]
        tally = self.tallies[endpoint]
        tally.in_flight = sum(demand["in_flight"] for demand in there)
        tally.queued = sum(demand["queued"] for demand in there)
        tally.backlog_tokens = sum(demand["backlog_tokens"] for demand in there)
        tally.cache_percent = max((demand["cache_percent"] for demand in there), default=0)
        tally.open_elsewhere = frozenset(each for demand in there for each in demand["open"])
        ttft_ms = max((demand["ttft_ms"] for demand in there), default=0)
        tally.told_ms = (ttft_ms, max((demand["tpot_ms"] for demand in there), default=0))


class Worker:
    """One worker process, and the parent's side of their conversation."""

    def __init__(self, process: subprocess.Popen[bytes], writer: asyncio.StreamWriter) -> None:
        self.process = process
        self.demands: dict[str, EndpointDemand] = {}
        self._writer = writer

    def send(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    def close(self) -> None:
        self._writer.close()


class Places:
    """Keeps a worker in each place."""

    def __init__(self, crew: Crew, listeners: list[socket.socket], command: list[str]) -> None:
        """`command` starts a worker; where its place is follows it."""
        self._crew = crew
        self._listeners = listeners
        self._command = command
        self._table = os.memfd_create("gateway-table", 0)
        count = len(listeners)
        os.ftruncate(self._table, table_bytes(count))
        crew.table = shared_table(self._table, workers=count, slot=count)

    async def keep(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for slot in range(len(self._listeners)):
                tasks.create_task(self._keep(slot))

    async def stop(self, *, within_s: float) -> bool:
        """Have every worker drain; whether all ended by themselves."""
        workers = list(self._crew.workers.values())
        for worker in workers:
            worker.process.terminate()
        loop = asyncio.get_running_loop()
        until_s = loop.time() + within_s
        while any(worker.process.poll() is None for worker in workers):
            if loop.time() > until_s:
                for worker in workers:
                    worker.process.kill()
                return False
            await asyncio.sleep(0.02)
        return all(worker.process.returncode == 0 for worker in workers)

    async def _keep(self, slot: int) -> None:
        while True:
            ours, theirs = socket.socketpair()
            reader, writer = await asyncio.open_connection(sock=ours)
            worker = Worker(self._start(slot, theirs), writer)
            self._crew.workers[slot] = worker
            self._crew.greet(worker)
            try:
                while (told := await read_frame(reader)) is not None:
                    self._crew.heard(worker, *told)
            finally:
                worker.close()
            await asyncio.to_thread(worker.process.wait)
            self._crew.left(worker)
            assert self._crew.table is not None
            self._crew.table.clear_slot(slot)
            log.error(
                "a worker ended",
                extra={"pid": worker.process.pid, "code": worker.process.returncode},
            )
            await asyncio.sleep(AGAIN_S)

    def _start(self, slot: int, theirs: socket.socket) -> subprocess.Popen[bytes]:
        listener = self._listeners[slot].fileno()
        place = Place(
            listener=listener,
            table=self._table,
            parent=theirs.fileno(),
            slot=slot,
            workers=len(self._listeners),
        )
        given = (listener, self._table, theirs.fileno())
        process = subprocess.Popen([*self._command, "--place", str(place)], pass_fds=given)
        theirs.close()
        return process


def listeners(host: str, port: int, count: int) -> list[socket.socket]:
    """A predecessor's, or new ones on one port; 0 is any that is free. Raises OSError."""
    left = os.environ.pop(LISTENERS, "")
    found = [socket.socket(fileno=int(part)) for part in left.split(",") if part]
    if found:
        port = found[0].getsockname()[1]
    while len(found) < count:
        found.append(_listener(host, port))
        port = found[0].getsockname()[1]
    for surplus in found[count:]:
        surplus.close()
    return found[:count]


def reap_predecessors() -> None:
    """Wait, in the background, for the workers of the program that this one has taken the place of."""
    for pid in os.environ.pop(LEAVING, "").split(","):
        if pid:
            threading.Thread(target=os.waitpid, args=(int(pid), 0), daemon=True).start()


def succeed(held: list[socket.socket], pids: list[int]) -> NoReturn:
    """Become a new version of this program, in the same process, with the same sockets. Does not return."""
    for each in held:
        fcntl.fcntl(each.fileno(), fcntl.F_SETFD, 0)  # not closed by what follows
    os.environ[LISTENERS] = ",".join(str(each.fileno()) for each in held)
    os.environ[LEAVING] = ",".join(str(pid) for pid in pids)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - it is this program


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((host, port))
    made.listen(BACKLOG)
    return made
