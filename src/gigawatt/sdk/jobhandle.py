"""One job's life, seen from outside."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from gigawatt.sdk.checkpoint_views import CheckpointRecordView, VerifiedView
from gigawatt.sdk.jobfile import Ready, Written, made_ready
from gigawatt.sdk.logs import (
    LogSource,
    decoded_lines,
    follow_log,
    read_lines,
    read_log,
    tail_log,
)
from gigawatt.sdk.submission import sent, with_bundle
from gigawatt.sdk.views import (
    ExecView,
    ExplanationView,
    GoodputView,
    JobView,
    LineView,
    Page,
    StacksView,
)
from gigawatt.sdk.work import Work

VERIFY_S = 3_600.0  # reading a large checkpoint takes as long as its disk takes


class Job(Work[JobView]):
    """One job, by its id."""

    kind = "job"

    def logs(
        self,
        *,
        follow: bool = False,
        attempt: int | None = None,
        rank: int = 0,
        stream: str = "stdout",
        offset: int = 0,
    ) -> Iterator[bytes]:
        """A rank's output as it was written, in chunks of any size.

        With `follow` it goes on until the job has ended, through every attempt from `attempt` (default: the newest) on.

        Raises:
            ApiError: the job has no such attempt or rank.
            UnreachableError.
        """
        source = LogSource(
            path=f"{self._path}/logs", attempt=attempt, rank=rank, stream=stream, offset=offset
        )
        if not follow:
            return read_log(self._transport, source)
        return self._followed(source)

    def output(
        self, *, rank: int = 0, stream: str = "stdout", follow: bool = True
    ) -> Iterator[str]:
        """A rank's output line by line, without line ends; followed until the job has ended, unless `follow` is false.

        Raises ApiError, UnreachableError.
        """
        own = Job(self._transport, self.view)  # which refreshes itself as it reads
        return decoded_lines(own.logs(follow=follow, rank=rank, stream=stream))

    def result_of(self, rank: int) -> bytes:
        """What the function of this job left in a rank, as `gigawatt.sdk.results` reads it.

        Raises ApiError (404 where it left nothing), UnreachableError.
        """
        return self._transport.read_bytes(f"{self._path}/result", {"rank": rank})

    def lines(
        self,
        *,
        grep: str = "",
        since_ms: int = 0,
        follow: bool = False,
        attempt: int | None = None,
        rank: int = 0,
        stream: str = "stdout",
    ) -> Iterator[LineView]:
        """Lines of a rank's output, found by the server: those in which the regular expression `grep` is found, of those
        that came at `since_ms` or later. Followed, to the end of the attempt.

        Raises:
            ApiError: the pattern is wrong; the job has no such attempt or rank.
            UnreachableError.
        """
        source = LogSource(
            path=f"{self._path}/lines",
            attempt=attempt,
            rank=rank,
            stream=stream,
            grep=grep,
            since_ms=since_ms,
        )
        if not follow:
            return read_lines(self._transport, source)
        n = attempt or max(len(self.view["attempts"]), 1)
        source = replace(source, attempt=n)
        return read_lines(self._transport, source, ended=lambda: self._has_exited(n, rank))

    def tail(
        self, lines: int, *, attempt: int | None = None, rank: int = 0, stream: str = "stdout"
    ) -> tuple[bytes, int]:
        """The last lines of a rank's output, and the offset after them. Raises ApiError, UnreachableError."""
        source = replace(self.log_source(rank=rank, stream=stream), attempt=attempt)
        return tail_log(self._transport, source, lines)

    def stacks(self, *ranks: int) -> StacksView:
        """Where ranks (default: all) are in their programs right now, the same ones together.

        Raises ApiError (none of them runs), UnreachableError.
        """
        params = {"rank": [str(rank) for rank in ranks]}
        return cast("StacksView", self._transport.read(f"{self._path}/stacks", params))

    def exec(self, *command: str, rank: int = 0, timeout_s: float = 60.0) -> ExecView:
        """Run a command beside a rank, in its directory and environment, and wait for its end.

        Raises:
            ApiError: the rank does not run, or there is no such command.
            UnreachableError: it may have run.
        """
        body = {"command": command, "rank": rank, "timeout_s": timeout_s}
        found = self._transport.call_once("POST", f"{self._path}/exec", body, answer_s=timeout_s)
        return cast("ExecView", found)

    def spec(self) -> dict[str, Any]:
        """Everything that it was submitted with, in the job file's words. Raises ApiError, UnreachableError."""
        return cast("dict[str, Any]", self._transport.read(f"{self._path}/spec")["spec"])

    def cloned(self, **changes: Any) -> Ready:
        """The same spec, code and environment with these fields changed, ready to be submitted.

        Raises RefusalError (a file that is named is missing), ApiError, UnreachableError.
        """
        return made_ready(Written(kind="job", fields=self.spec(), base=Path.cwd()).over(changes))

    def clone(self, **changes: Any) -> "Job":
        """Submit it again with these fields changed. Raises RefusalError, ApiError, UnreachableError."""
        transport = self._transport
        return Job(transport, sent(transport, with_bundle(transport, self.cloned(**changes))))

    def checkpoints(self) -> "list[CheckpointRecordView]":
        """All on record, newest first. Raises ApiError, UnreachableError."""
        page = cast("Page[CheckpointRecordView]", self._transport.read(f"{self._path}/checkpoints"))
        return page["items"]

    def verify_checkpoints(self, step: int | None = None) -> "list[VerifiedView]":
        """Have those of a step, or all, read where they are and compared. Raises ApiError, UnreachableError."""
        path = f"{self._path}/checkpoints/verify"
        found = self._transport.read(path, {"step": step}, answer_s=VERIFY_S)
        return cast("Page[VerifiedView]", found)["items"]

    def explain(self) -> ExplanationView:
        """Why it waits, or why it failed. Raises ApiError, UnreachableError."""
        return cast("ExplanationView", self._transport.read(f"{self._path}/explain"))

    def goodput(self) -> GoodputView:
        """Where its device time went. Raises ApiError, UnreachableError."""
        return cast("GoodputView", self._transport.read(f"{self._path}/goodput"))

    def attempts_as_they_come(self, first: int | None = None) -> Iterator[int]:
        """Numbers of attempts from `first` (default: the newest, or the one to come) until the job has ended.

        Raises ApiError, UnreachableError.
        """
        n = first or max(len(self.view["attempts"]), 1)
        while True:
            if len(self.view["attempts"]) < n and not self.ended:
                self._wait_for_attempt(n)
            if len(self.view["attempts"]) < n:
                return
            yield n
            n += 1

    def attempt_logs(self, source: LogSource, n: int) -> Iterator[bytes]:
        """What `source` writes in attempt `n`, until that has ended. Raises ApiError, UnreachableError."""
        return follow_log(
            self._transport,
            replace(source, attempt=n),
            ended=lambda: self._has_exited(n, source.rank),
        )

    def log_source(self, *, rank: int = 0, stream: str = "stdout", offset: int = 0) -> LogSource:
        """Where a rank's output is read."""
        return LogSource(path=f"{self._path}/logs", rank=rank, stream=stream, offset=offset)

    def _repr_html_(self) -> str:
        from gigawatt.sdk.notebook import job_html

        return job_html(self.view)

    def _followed(self, source: LogSource) -> Iterator[bytes]:
        for n in self.attempts_as_they_come(source.attempt):
            yield from self.attempt_logs(source, n)
            source = replace(source, offset=0)

    def _wait_for_attempt(self, n: int) -> None:
        with closing(self.watch()) as views:
            for view in views:
                if len(view["attempts"]) >= n:
                    return

    def _has_exited(self, n: int, rank: int) -> bool:
        attempt = self.refresh().view["attempts"][n - 1]
        exited = any(
            each["rank"] == rank and each["ended_ms"] is not None for each in attempt["ranks"]
        )
        return exited or attempt["phase"] == "ended"
