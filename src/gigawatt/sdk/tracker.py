"""Hears of the end of jobs, for all futures of a client: one thread and one stream of events, while any is pending."""

import json
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from gigawatt.sdk.errors import GigawattError
from gigawatt.sdk.instance import Address
from gigawatt.sdk.transport import Params, Transport
from gigawatt.sdk.watch import events

if TYPE_CHECKING:
    from gigawatt.sdk.futures import Future

R = TypeVar("R")

ENDS = ("job.succeeded", "job.failed", "job.cancelled")
REMEMBERED_MAX = 10_000  # ends of jobs that nobody had asked for yet


class Tracker:
    """Threads may share it. Its own thread is a daemon, and ends when nothing is pending."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._pending: dict[str, Future[Any]] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._thread: threading.Thread | None = None
        self._closed = False

    def follow(self, future: "Future[R]") -> "Future[R]":
        """Settle this future when its job ends; the future."""
        job = future.job.id
        with self._lock:
            over = future.job.ended or job in self._ended
            if not over:
                self._pending[job] = future
                future.forgotten = lambda: self._forget(job)
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._run, args=(job,), name="gigawatt-futures", daemon=True
                    )
                    self._thread.start()
        if over:
            future.settle()
        return future

    def close(self) -> None:
        """Give up: what is pending fails, and the jobs go on."""
        from gigawatt.sdk.futures import closed

        self._closed = True
        self._fail(closed())

    def _run(self, first: str) -> None:
        """Until nothing is pending. Its connections are its own: closing the client does not pull them away."""
        transport = Transport(self._address)
        try:
            after = _submitted(transport, first)

            def params(last_id: str) -> Params:
                return {"after": last_id or after, "kind": ENDS}

            for event in events(transport, "/v1/events/watch", params, wanted=self._wanted):
                self._end(json.loads(event.data)["subject"])
        except (GigawattError, httpx2.HTTPError) as error:
            with self._lock:
                self._thread = None
            self._fail(error)
        finally:
            transport.close()

    def _wanted(self) -> bool:
        """Whether to go on; if not, the next future starts a new thread."""
        with self._lock:
            if self._pending and not self._closed:
                return True
            self._thread = None
            self._ended.clear()
            return False

    def _end(self, id: str) -> None:
        with self._lock:
            future = self._pending.pop(id, None)
            if future is None:  # it may be of a job that is just being submitted
                self._ended[id] = None
                if len(self._ended) > REMEMBERED_MAX:
                    self._ended.popitem(last=False)
        if future is not None:
            future.settle()

    def _forget(self, id: str) -> None:
        with self._lock:
            self._pending.pop(id, None)

    def _fail(self, error: Exception) -> None:
        with self._lock:
            failed, self._pending = list(self._pending.values()), {}
        for future in failed:
            future.fail(error)


def _submitted(transport: Transport, job: str) -> int:
    """The number of the event before a job's first: nothing after it is missed."""
    page = transport.read("/v1/events", {"subject": job, "limit": 1})
    return page["items"][0]["seq"] - 1 if page["items"] else 0
