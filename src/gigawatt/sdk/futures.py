"""What a submitted function will return: a future as in `concurrent.futures`, that can also be awaited."""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import Any, Generic, TypeVar, cast

from gigawatt.sdk.batch import Batch
from gigawatt.sdk.errors import ApiError, GigawattError, JobFailedError, ResultError
from gigawatt.sdk.jobhandle import Job
from gigawatt.sdk.results import Returned, Trust, error_of, read_result, value_of
from gigawatt.sdk.transport import NOT_FOUND

R = TypeVar("R")
RANKS_ASKED_MAX = 64  # of those that failed, for the exception that came first
CONFLICT = 409


class Future(concurrent.futures.Future[R], Generic[R]):
    """The outcome of one job. `result()` is what rank 0 returned, `results()` what every rank did.

    It is a `concurrent.futures.Future`: `result(timeout)`, `exception(timeout)`, `done()`, `add_done_callback(f)`, and
    `concurrent.futures.wait` and `as_completed` work as they do everywhere. `await future` gives the result too; being
    cancelled while waiting leaves the job alone. `job` is the job.
    """

    def __init__(self, job: Job, trust: Trust) -> None:
        super().__init__()
        self.job = job
        self._trust = trust
        self._settling = threading.RLock()
        self.forgotten: Callable[[], None] = lambda: None  # set by who follows it

    def __repr__(self) -> str:
        return f"<Future {self.job.name} {self.job.id} {self._phase()}>"

    def __await__(self) -> Generator[Any, None, R]:
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake(_: concurrent.futures.Future[R]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(woken.set)

        self.add_done_callback(wake)
        yield from woken.wait().__await__()
        return self.result(0)

    def cancel(self) -> bool:
        """Stop the job, also while it runs; ranks get their grace. False if it has ended.

        Raises ApiError, UnreachableError.
        """
        with self._settling:
            if self.done():
                return self.cancelled()
            try:
                ended = self.job.cancel().phase in {"succeeded", "failed"}
            except ApiError as error:
                if error.status != CONFLICT:
                    raise
                ended = True
            if ended:
                return False
            self._be_cancelled()
        self.forgotten()
        return True

    def running(self) -> bool:
        """Whether its ranks run, by the API's last word. Raises ApiError, UnreachableError."""
        return not self.done() and self.job.refresh().phase in {"running", "saving"}

    def results(self, timeout: float | None = None) -> list[R]:
        """What every rank returned, by rank. Raises as `result` does, and ResultError for a rank that left nothing."""
        first = self.result(timeout)
        ranks = self.job.view["attempts"][-1]["ranks"]
        others = range(1, len(ranks))
        return [first, *(cast("R", value_of(self._read(rank), self._trust)) for rank in others)]

    def logs(self, *, rank: int = 0, stream: str = "stdout", follow: bool = True) -> Iterator[str]:
        """Lines that a rank writes, as it writes them and until the job has ended, without their line ends.

        Waits for a job that has not started. With `follow` false: those that there are. Raises ApiError,
        UnreachableError.
        """
        return self.job.output(rank=rank, stream=stream, follow=follow)

    async def logs_async(self, *, rank: int = 0, stream: str = "stdout") -> AsyncIterator[str]:
        """The same, for `async for`."""
        lines = self.logs(rank=rank, stream=stream)
        while (line := await asyncio.to_thread(next, lines, None)) is not None:
            yield line

    def settle(self) -> None:
        """Take over what became of the job, which has ended. Whatever is in the way becomes the exception."""
        with self._settling:
            if self.done():
                return
            try:
                value = self._outcome()
            except concurrent.futures.CancelledError:
                self._be_cancelled()
            except BaseException as error:  # noqa: BLE001 - a future holds whatever it was
                self.set_exception(error)
            else:
                self.set_result(value)

    def fail(self, error: Exception) -> None:
        """Give up waiting: nothing more is heard of the job."""
        with self._settling:
            if not self.done():
                self.set_exception(error)

    def _repr_html_(self) -> str:
        from gigawatt.sdk.notebook import future_html

        return future_html(self)

    def _phase(self) -> str:
        return "cancelled" if self.cancelled() else self.job.phase

    def _be_cancelled(self) -> None:
        super().cancel()
        self.set_running_or_notify_cancel()

    def _outcome(self) -> R:
        self.job.refresh()
        if self.job.phase == "cancelled":
            raise concurrent.futures.CancelledError
        if self.job.phase == "succeeded":
            return cast("R", value_of(self._read(0), self._trust))
        raise self._raised() or JobFailedError(
            job_id=self.job.id,
            name=self.job.name,
            phase=self.job.phase,
            message=self.job.view["message"],
        )

    def _read(self, rank: int) -> Returned:
        """What a rank left in the job's last attempt. Raises ResultError, ApiError, UnreachableError."""
        returned = read_result(self.job.result_of(rank), self._trust)
        newest = len(self.job.view["attempts"])
        if returned.attempt != newest or returned.rank != rank:
            raise ResultError(
                f"rank {rank} left nothing in attempt {newest}, the last one",
                f"gw logs {self.job.id} --rank {rank}",
            )
        return returned

    def _raised(self) -> BaseException | None:
        """The exception of the rank that failed first, as far as one of them left one."""
        attempts = self.job.view["attempts"]
        failed = [each for each in attempts[-1]["ranks"] if each["exit_code"]] if attempts else []
        failed.sort(key=lambda each: (each["ended_ms"] or 0, each["rank"]))
        left: list[Returned] = []
        for each in failed[:RANKS_ASKED_MAX]:
            try:
                returned = self._read(each["rank"])
            except ResultError:
                continue
            except ApiError as error:
                if error.status != NOT_FOUND:
                    raise
                continue
            if not returned.ok:
                left.append(returned)
        first = min(left, key=lambda each: (each.at_ms, each.rank), default=None)
        return error_of(first, self._trust) if first else None


def as_completed(
    futures: "Iterable[Future[R]] | Batch[R]", timeout: float | None = None
) -> "Iterator[Future[R]]":
    """Futures as they are done, whichever is first. Raises TimeoutError."""
    done = concurrent.futures.as_completed(_list(futures), timeout)
    return cast("Iterator[Future[R]]", done)


def wait(
    futures: "Iterable[Future[R]] | Batch[R]",
    timeout: float | None = None,
    return_when: str = concurrent.futures.ALL_COMPLETED,
) -> "tuple[set[Future[R]], set[Future[R]]]":
    """Those done and those not, as `concurrent.futures.wait` has it: after `timeout`, or when all are done."""
    done, rest = concurrent.futures.wait(_list(futures), timeout, return_when)
    return cast("set[Future[R]]", done), cast("set[Future[R]]", rest)


def closed() -> GigawattError:
    """Why futures of a client that was closed will not be done."""
    return GigawattError("the client that waited for this job was closed; the job goes on")


def _list(futures: "Iterable[Future[R]] | Batch[R]") -> "list[Future[R]]":
    if isinstance(futures, Batch):
        return list(cast("Batch[R]", futures).futures)
    return list(futures)
