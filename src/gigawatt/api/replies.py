"""Replies: views as JSON, with a status, a version as ETag, and a place."""

from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response, StreamingResponse

from gigawatt.service.views.text import PageView, page_json, to_json

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
_STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def reply(
    view: object, *, status: int = 200, version: int | None = None, location: str = ""
) -> Response:
    """A view as JSON."""
    headers: dict[str, str] = {}
    if version is not None:
        headers["ETag"] = f'"{version}"'
    if location:
        headers["Location"] = location
    return Response(to_json(view), status_code=status, media_type=JSON, headers=headers)


def page_reply(page: PageView[Any]) -> Response:
    return Response(page_json(page), media_type=JSON)


def nothing() -> Response:
    return Response(status_code=204)


def event_stream(events: AsyncIterator[bytes]) -> Response:
    """Server-sent events."""
    return StreamingResponse(events, media_type=EVENT_STREAM, headers=_STREAM_HEADERS)


def sse(event: str, data: bytes, *, id: str = "") -> bytes:
    """One server-sent event; `data` is one line, as JSON is."""
    lead = f"id: {id}\n" if id else ""
    return f"{lead}event: {event}\ndata: ".encode() + data + b"\n\n"


HEARTBEAT = b": alive\n\n"
