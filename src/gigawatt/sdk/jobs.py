"""Jobs: submit, find, list and compare."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.artifacts import Progress
from gigawatt.sdk.comparison import ComparisonView, Side, compared
from gigawatt.sdk.environments import Environments
from gigawatt.sdk.errors import ApiError
from gigawatt.sdk.idprefix import JOB_PREFIX, prefix_range_ms
from gigawatt.sdk.jobfile import Ready, Written, made_ready, with_values, written_job
from gigawatt.sdk.jobhandle import Job
from gigawatt.sdk.paging import Listing
from gigawatt.sdk.submission import sent, target, with_bundle
from gigawatt.sdk.transport import NOT_FOUND, Transport
from gigawatt.sdk.views import (
    AskView,
    DryRunView,
    JobView,
    Page,
)

PAGE_MAX = 200
HOST = "host"  # the environment that is not built
PREFIX_JOBS_MAX = 4_000  # looked at for the beginning of an id
SLACK_MS = 1_000  # between the time in an id and the time on record


class Jobs:
    """`client.jobs`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def submit(
        self,
        job: "str | Path | Mapping[str, Any] | Written | None" = None,
        *,
        progress: Progress | None = None,
        parameters: Mapping[str, object] | None = None,
        **fields: Any,
    ) -> Job:
        """Submit a job: the path of a file, or the same fields as a mapping, or as keywords; keywords win.

        `parameters` are values for those that the file declares. Files that it names are read here, and its bundle is packed and uploaded if the store does not have it.

        Raises:
            RefusalError: found wrong before anything was sent: a missing file, a mistake in a job file.
            ApiError: refused by the API; nothing has changed.
            UnreachableError.
        """
        (written,) = with_values((written_job(job),), parameters or {})
        ready = made_ready(written.over(fields))
        return self.send(self.with_bundle(ready, progress=progress))

    def with_bundle(self, ready: Ready, *, progress: Progress | None = None) -> Ready:
        """The same with its bundle uploaded. Raises RefusalError, ApiError, UnreachableError."""
        return with_bundle(self._transport, ready, progress=progress)

    def send(self, ready: Ready) -> Job:
        """Submit what is ready. Raises ApiError, UnreachableError."""
        return Job(self._transport, sent(self._transport, ready))

    def dry_run(self, ready: Ready) -> DryRunView:
        """What would happen if this were submitted now. Raises ApiError, UnreachableError."""
        params = {**self._transport.place, "dry_run": True}
        path, body = target(ready)
        found = self._transport.write("POST", path, body, params=params)
        return cast("DryRunView", found)

    def ask(self, *, priority: int = 0, timeout: str | int = 0, **gang: Any) -> AskView:
        """What would become of a gang if it were submitted now: `gang` as in a job file, e.g. nodes=16, gpus=8,
        gpu_kinds=["b200"], same="rack"; `timeout` is its limit, e.g. "6h". Nothing is submitted.

        Raises ApiError, UnreachableError.
        """
        body = {"gang": gang, "priority": priority, "timeout": timeout}
        found = self._transport.write("POST", "/v1/ask", body, params=self._transport.place)
        return cast("AskView", found)

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
        """One page, newest first. Filters: tenant, project, phase (one or several), name, label (NAME=VALUE,
        one or several), since, until, cursor, limit. With labels a page may hold fewer than `limit` and still have a next.

        Raises ApiError, UnreachableError.
        """
        return cast(
            "Page[JobView]", self._transport.read("/v1/jobs", {**self._transport.place, **filters})
        )

    def label(
        self, ref: str, put: Mapping[str, str] | None = None, *, remove: Sequence[str] = ()
    ) -> JobView:
        """Give a job labels, and take some from it. Raises ApiError, UnreachableError."""
        job = self.find(ref)
        body = {"put": dict(put or {}), "remove": list(remove)}
        path = f"/v1/jobs/{quote(job.id, safe='')}/labels"
        return cast("JobView", self._transport.write("POST", path, body))

    def list(self, **filters: Any) -> Listing[JobView]:
        """Every job that the filters let through, newest first, page by page. Raises ApiError, UnreachableError."""
        return Listing(self.page, filters)

    def compare(self, a: Job, b: Job) -> ComparisonView:
        """In what two jobs differ, and their figures side by side. Raises ApiError, UnreachableError."""
        return compared(self._side(a), self._side(b))

    def _side(self, job: Job) -> Side:
        environments = Environments(self._transport)
        held = job.view["environment"]
        lock = environments.find(held)["lock"] if held != HOST else ""
        return Side(view=job.view, spec=job.spec(), lock=lock, goodput=job.goodput())

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
