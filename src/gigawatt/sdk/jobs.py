"""Jobs: submit, list, and one job's life from outside."""

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from gigawatt import clock
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.artifacts import Artifacts, Progress
from gigawatt.sdk.errors import ApiError, JobFailedError
from gigawatt.sdk.idprefix import JOB_PREFIX, prefix_range_ms
from gigawatt.sdk.jobfile import Ready, Written, made_ready, read_file
from gigawatt.sdk.logs import LogSource, follow_log, read_log, tail_log
from gigawatt.sdk.paging import pages
from gigawatt.sdk.transport import NOT_FOUND, Transport
from gigawatt.sdk.views import (
    CheckpointRecordView,
    DryRunView,
    ExplanationView,
    GoodputView,
    JobView,
    Page,
    VerifiedView,
)
from gigawatt.sdk.watch import events

ENDED = frozenset({"succeeded", "failed", "cancelled"})
PAGE_MAX = 200
VERIFY_S = 3_600.0  # reading a large checkpoint takes as long as its disk takes
PREFIX_JOBS_MAX = 4_000  # looked at for the beginning of an id
SLACK_MS = 1_000  # between the time in an id and the time on record


class Job:
    """One job as the API last described it. `view` is the API's JSON; methods that ask again replace it."""

    def __init__(self, transport: Transport, view: JobView) -> None:
        self._transport = transport
        self.view = view
        self._path = f"/v1/jobs/{quote(view['id'], safe='')}"

    def __repr__(self) -> str:
        return f"<Job {self.name} {self.id} {self.phase}>"

    @property
    def id(self) -> str:
        return self.view["id"]

    @property
    def name(self) -> str:
        return self.view["name"]

    @property
    def phase(self) -> str:
        return self.view["phase"]

    @property
    def ended(self) -> bool:
        return self.phase in ENDED

    def refresh(self) -> "Job":
        """Ask again. Raises ApiError, UnreachableError."""
        self.view = cast("JobView", self._transport.read(self._path))
        return self

    def watch(self, *, until_s: float | None = None) -> Generator[JobView]:
        """The job's view now and at each change, until it has ended.

        Raises:
            TimeoutError: it is later than `until_s` of the monotonic clock.
            ApiError, UnreachableError.
        """
        path = f"{self._path}/watch"
        for event in events(self._transport, path, lambda _: {}, until_s=until_s):
            if event.event == "job":
                self.view = cast("JobView", json.loads(event.data))
                yield self.view
            if event.event == "end" or (event.event == "job" and self.ended):
                return

    def wait(self, *, timeout_s: float | None = None, check: bool = True) -> "Job":
        """Wait until the job has ended.

        Raises:
            TimeoutError: it has not ended after `timeout_s`.
            JobFailedError: it failed or was cancelled, unless `check` is false.
            ApiError, UnreachableError.
        """
        until_s = None if timeout_s is None else clock.monotonic_s() + timeout_s
        if not self.ended:
            for _ in self.watch(until_s=until_s):
                pass
        if check and self.phase != "succeeded":
            raise JobFailedError(
                job_id=self.id, name=self.name, phase=self.phase, message=self.view["message"]
            )
        return self

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

    def tail(
        self, lines: int, *, attempt: int | None = None, rank: int = 0, stream: str = "stdout"
    ) -> tuple[bytes, int]:
        """The last lines of a rank's output, and the offset after them. Raises ApiError, UnreachableError."""
        source = replace(self.log_source(rank=rank, stream=stream), attempt=attempt)
        return tail_log(self._transport, source, lines)

    def cancel(self) -> "Job":
        """Ask for its end; ranks get their grace. Raises ApiError, UnreachableError."""
        self.view = cast("JobView", self._transport.write("POST", f"{self._path}/cancel"))
        return self

    def retry(self) -> "Job":
        """Put an ended job back in the line, from its last checkpoint. Raises ApiError, UnreachableError."""
        self.view = cast("JobView", self._transport.write("POST", f"{self._path}/retry"))
        return self

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


class Jobs:
    """`client.jobs`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def submit(
        self,
        job: "str | Path | Mapping[str, Any] | Written | None" = None,
        *,
        progress: Progress | None = None,
        **fields: Any,
    ) -> Job:
        """Submit a job: the path of a file, or the same fields as a mapping, or as keywords; keywords win.

        Files that it names are read here, and its bundle is packed and uploaded if the store does not have it.

        Raises:
            RefusalError: found wrong before anything was sent: a missing file, a mistake in a job file.
            ApiError: refused by the API; nothing has changed.
            UnreachableError.
        """
        ready = made_ready(_written(job).over(fields))
        return self.send(self.with_bundle(ready, progress=progress))

    def with_bundle(self, ready: Ready, *, progress: Progress | None = None) -> Ready:
        """The same with its bundle uploaded. Raises RefusalError, ApiError, UnreachableError."""
        if ready.bundle is None:
            return ready
        sent = Artifacts(self._transport).send_bundle(ready.bundle, progress=progress)
        return replace(ready, fields={**ready.fields, "bundle": sent.digest}, bundle=None)

    def send(self, ready: Ready) -> Job:
        """Submit what is ready. Raises ApiError, UnreachableError."""
        place = self._transport.place
        view = self._transport.write("POST", "/v1/jobs", ready.fields, params=place)
        return Job(self._transport, cast("JobView", view))

    def dry_run(self, ready: Ready) -> DryRunView:
        """What would happen if this were submitted now. Raises ApiError, UnreachableError."""
        params = {**self._transport.place, "dry_run": True}
        found = self._transport.write("POST", "/v1/jobs", ready.fields, params=params)
        return cast("DryRunView", found)

    def find(self, ref: str) -> Job:
        """The job of this id, of this beginning of an id, or the newest of this name.

        Raises:
            RefusalError: several ids begin like this.
            ApiError: there is none.
            UnreachableError.
        """
        try:
            path = f"/v1/jobs/{quote(ref, safe='')}"
            view = self._transport.read(path, self._transport.place)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            view = self._by_prefix(ref)
            if view is None:
                raise
        return Job(self._transport, cast("JobView", view))

    def page(self, **filters: Any) -> "Page[JobView]":
        """One page, newest first. Filters: tenant, project, phase (one or several), name, since, until, cursor, limit.

        Raises ApiError, UnreachableError.
        """
        return cast(
            "Page[JobView]", self._transport.read("/v1/jobs", {**self._transport.place, **filters})
        )

    def list(self, **filters: Any) -> Iterator[JobView]:
        """Every job that the filters let through, newest first, page by page. Raises ApiError, UnreachableError."""
        return pages(self.page, filters)

    def _by_prefix(self, ref: str) -> JobView | None:
        """The one job whose id begins with `ref`. Raises RefusalError where there are several."""
        span = prefix_range_ms(ref, JOB_PREFIX)
        if span is None:
            return None
        since, until = max(0, span[0] - SLACK_MS), span[1] + SLACK_MS
        near = islice(self.list(since=since, until=until, limit=PAGE_MAX), PREFIX_JOBS_MAX)
        found = list(islice((each for each in near if each["id"].startswith(ref)), 2))
        if len(found) > 1:
            named = " and ".join(f"{each['id']} ({each['name']})" for each in found)
            detail = f"more than one job begins with {ref!r}: {named}"
            raise RefusalError(
                RefusalCode.INVALID, detail, field="job", hint="write more of the id"
            )
        return found[0] if found else None


def _written(job: "str | Path | Mapping[str, Any] | Written | None") -> Written:
    if isinstance(job, Written):
        return job
    if isinstance(job, Mapping) or job is None:
        return Written(kind="job", fields=job or {}, base=Path.cwd())
    found = read_file(Path(job))
    if len(found) != 1 or found[0].kind != "job":
        detail = f"{job} does not hold one job but {', '.join(each.kind for each in found)}"
        hint = "read it with gigawatt.sdk.jobfile.read_file and submit each"
        raise RefusalError(RefusalCode.INVALID, detail, field="job", hint=hint)
    return found[0]
