"""What goes to the API when a job is submitted: its bundle first, then what it says."""

from dataclasses import replace
from typing import Any, cast
from urllib.parse import quote

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
    path, body = target(ready)
    return cast("JobView", transport.write("POST", path, body, params=transport.place))


def target(ready: Ready) -> tuple[str, dict[str, Any]]:
    """Where a job is submitted, and as what."""
    if ready.template is None:
        return "/v1/jobs", ready.fields
    return f"/v1/templates/{quote(ready.template.name, safe='')}/jobs", filling(ready)


def filling(ready: Ready) -> dict[str, Any]:
    """What is to be made of a template."""
    use = ready.template
    assert use is not None
    return {"number": use.number, "parameters": dict(use.parameters), "changes": ready.fields}
