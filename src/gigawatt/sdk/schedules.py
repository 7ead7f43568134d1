"""Schedules: jobs and arrays that are submitted again and again."""

from typing import Any, cast
from urllib.parse import quote

from gigawatt.sdk.array_views import ArrayView
from gigawatt.sdk.arrays import ARRAY_PREFIX, JobArray
from gigawatt.sdk.jobfile import Ready
from gigawatt.sdk.jobhandle import Job
from gigawatt.sdk.paging import Listing
from gigawatt.sdk.standing_views import FireView, ScheduleView
from gigawatt.sdk.submission import filling, with_bundle
from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import JobView, Page


class Schedules:
    """`client.schedules`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, cron: str, job: Ready, **timing: Any) -> ScheduleView:
        """Have `job` submitted at the times of `cron`. `timing`: timezone, overlap (allow, skip, replace), catch_up
        (none, last, all), deadline.

        Raises RefusalError, ApiError, UnreachableError.
        """
        whole = with_bundle(self._transport, job)
        body: dict[str, Any] = {"name": name, "cron": cron, **timing}
        if whole.template is None:
            body["job"] = whole.fields
        else:
            body["template"] = {"name": whole.template.name, **filling(whole)}
        params = self._transport.place
        found = self._transport.write("POST", "/v1/schedules", body, params=params)
        return cast("ScheduleView", found)

    def page(self, **filters: Any) -> Page[ScheduleView]:
        """One page, newest first. Raises ApiError, UnreachableError."""
        params = {**self._transport.place, **filters}
        return cast("Page[ScheduleView]", self._transport.read("/v1/schedules", params))

    def find(self, name: str) -> ScheduleView:
        """Raises ApiError, UnreachableError."""
        return cast("ScheduleView", self._transport.read(_path(name), self._transport.place))

    def fires(self, name: str, **place: Any) -> Page[FireView]:
        """One page of what became of its due times, newest first. Raises ApiError, UnreachableError."""
        params = {**self._transport.place, **place}
        return cast("Page[FireView]", self._transport.read(f"{_path(name)}/fires", params))

    def history(self, name: str) -> Listing[FireView]:
        """All that became of its due times, newest first. Raises ApiError, UnreachableError."""

        def page(**place: Any) -> Page[FireView]:
            return self.fires(name, **place)

        return Listing(page, {})

    def pause(self, name: str) -> ScheduleView:
        """Raises ApiError, UnreachableError."""
        return cast("ScheduleView", self._verb(name, "pause"))

    def resume(self, name: str) -> ScheduleView:
        """It goes on, for your key. Raises ApiError, UnreachableError."""
        return cast("ScheduleView", self._verb(name, "resume"))

    def run(self, name: str) -> Job | JobArray:
        """Its job or array, now. Raises ApiError, UnreachableError."""
        view = self._verb(name, "run")
        if view["id"].startswith(ARRAY_PREFIX):
            return JobArray(self._transport, cast("ArrayView", view))
        return Job(self._transport, cast("JobView", view))

    def remove(self, name: str) -> None:
        """Raises ApiError, UnreachableError."""
        self._transport.write("DELETE", _path(name), params=self._transport.place)

    def _verb(self, name: str, verb: str) -> Any:
        path = f"{_path(name)}/{verb}"
        return self._transport.write("POST", path, params=self._transport.place)


def _path(name: str) -> str:
    return f"/v1/schedules/{quote(name, safe='')}"
