"""What goes to the API when a job is submitted: its bundle first, then what it says."""

from dataclasses import replace
from typing import cast

from gigawatt.sdk.artifacts import Artifacts, Progress
from gigawatt.sdk.jobfile import Ready
from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import JobView


def with_bundle(transport: Transport, ready: Ready, *, progress: Progress | None = None) -> Ready:
    """The same with its bundle uploaded. Raises RefusalError, ApiError, UnreachableError."""
    if ready.bundle is None:
        return ready
    bundle = Artifacts(transport).send_bundle(ready.bundle, progress=progress)
    return replace(ready, fields={**ready.fields, "bundle": bundle.digest}, bundle=None)


def sent(transport: Transport, ready: Ready) -> JobView:
    """The job that what is ready has become. Raises ApiError, UnreachableError."""
    view = transport.write("POST", "/v1/jobs", ready.fields, params=transport.place)
    return cast("JobView", view)
