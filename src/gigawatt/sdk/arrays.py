"""Job arrays: submit, list, and one array's life from outside. A task of one is a job: see `gigawatt.sdk.jobs`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from gigawatt.sdk.array_views import ArrayView
from gigawatt.sdk.artifacts import Progress
from gigawatt.sdk.errors import ApiError
from gigawatt.sdk.jobfile import Ready, Written, made_ready, written_job
from gigawatt.sdk.jobhandle import Job
from gigawatt.sdk.jobs import Jobs
from gigawatt.sdk.paging import pages
from gigawatt.sdk.transport import NOT_FOUND, Transport
from gigawatt.sdk.views import DryRunView, JobView, Page
from gigawatt.sdk.work import Work

ARRAY_PREFIX = "array-"


class JobArray(Work[ArrayView]):
    """One array, by its id."""

    kind = "array"

    def task(self, index: int) -> Job:
        """The job of one task, once it has been started. Raises ApiError, UnreachableError."""
        path = f"/v1/jobs/{quote(f'{self.id}[{index}]', safe='')}"
        return Job(self._transport, cast("JobView", self._transport.read(path)))

    def page(self, **filters: Any) -> "Page[JobView]":
        """One page of the tasks that have been started, newest first. Filters: phase, since, until, cursor, limit.

        Raises ApiError, UnreachableError.
        """
        return cast("Page[JobView]", self._transport.read(f"{self._path}/tasks", filters))

    def tasks(self, **filters: Any) -> Iterator[JobView]:
        """Every task that has been started, newest first, page by page. Raises ApiError, UnreachableError."""
        return pages(self.page, filters)


class Arrays:
    """`client.arrays`."""

    def __init__(self, transport: Transport, jobs: Jobs) -> None:
        self._transport = transport
        self._jobs = jobs

    def submit(
        self,
        job: "str | Path | Mapping[str, Any] | Written | None" = None,
        *,
        progress: Progress | None = None,
        **fields: Any,
    ) -> JobArray:
        """Submit a job with `array`, `sweep` or both: as `Jobs.submit` takes one.

        Raises:
            RefusalError: found wrong before anything was sent.
            ApiError: refused by the API; nothing has changed.
            UnreachableError.
        """
        ready = made_ready(written_job(job).over(fields))
        return self.send(self._jobs.with_bundle(ready, progress=progress))

    def send(self, ready: Ready) -> JobArray:
        """Submit what is ready. Raises ApiError, UnreachableError."""
        place = self._transport.place
        view = self._transport.write("POST", "/v1/arrays", ready.fields, params=place)
        return JobArray(self._transport, cast("ArrayView", view))

    def dry_run(self, ready: Ready) -> DryRunView:
        """What would happen to the first task if this were submitted now. Raises ApiError, UnreachableError."""
        params = {**self._transport.place, "dry_run": True}
        found = self._transport.write("POST", "/v1/arrays", ready.fields, params=params)
        return cast("DryRunView", found)

    def find(self, ref: str) -> JobArray:
        """The array of this id, or the newest of this name. Raises ApiError, UnreachableError."""
        path = f"/v1/arrays/{quote(ref, safe='')}"
        view = self._transport.read(path, self._transport.place)
        return JobArray(self._transport, cast("ArrayView", view))

    def page(self, **filters: Any) -> "Page[ArrayView]":
        """One page, newest first. Filters: tenant, project, phase (one or several), name, since, until, cursor, limit.

        Raises ApiError, UnreachableError.
        """
        found = self._transport.read("/v1/arrays", {**self._transport.place, **filters})
        return cast("Page[ArrayView]", found)

    def list(self, **filters: Any) -> Iterator[ArrayView]:
        """Every array that the filters let through, newest first, page by page. Raises ApiError, UnreachableError."""
        return pages(self.page, filters)

    def or_job(self, ref: str) -> JobArray | Job:
        """What `ref` names, a job or an array; of one name, the newer of the two. Raises RefusalError, ApiError."""
        if ref.startswith(ARRAY_PREFIX) and not {".", "["} & set(ref):
            return self.find(ref)
        array = None if "[" in ref else self._found(ref)
        try:
            job = self._jobs.find(ref)
        except ApiError as error:
            if error.status != NOT_FOUND or array is None:
                raise
            return array
        newer = array is not None and array.view["created_ms"] > job.view["created_ms"]
        return array if array is not None and newer else job

    def _found(self, ref: str) -> JobArray | None:
        try:
            return self.find(ref)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            return None


def is_array(ready: Ready) -> bool:
    """Whether what is ready is many tasks, and not one job."""
    return "array" in ready.fields or "sweep" in ready.fields
