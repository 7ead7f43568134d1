"""Token usage, read from what replicas answer: the JSON of a reply, or the last chunk of a stream."""

import json
import re
from dataclasses import dataclass
from typing import cast

WHOLE_BYTES_MAX = 64 * 1024  # larger bodies (embeddings) are read at their `usage` only
TAIL_BYTES = 16 * 1024  # of a reply passed on as it comes, where its `usage` is looked for

_USAGE_OBJECT = re.compile(rb'"usage"\s*:\s*\{')
_EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0  # of the prompt's


def usage_of_body(body: bytes) -> Usage | None:
    """The usage that a reply's JSON (or the end of it) states; None where it states none."""
    found = list(_USAGE_OBJECT.finditer(body))
    if not found:
        return None
    start = found[-1].end() - 1
    try:
        if len(body) <= WHOLE_BYTES_MAX and body[:1] == b"{":
            return _usage_in(json.loads(body))
        text = body[start : start + TAIL_BYTES].decode(errors="replace")
        usage, _ = _DECODER.raw_decode(text)
    except ValueError:
        return None
    return _parse_usage(usage)


class UsageFilter:
    """Reads usage out of a stream of server-sent events that passes through it.

    With `strip` the chunk that only carries usage is taken out, because the client did not ask for it; then an event
    whose end has not come yet is held back. All other bytes pass as they are.
    """

    __slots__ = ("_event_bytes_max", "_held", "_strip", "_tail", "usage")

    def __init__(self, *, strip: bool, event_bytes_max: int) -> None:
        self._strip = strip
        self._event_bytes_max = event_bytes_max
        self._held = b""  # an event whose end has not come
        self._tail = b"\n\n"  # the last bytes passed on
        self.usage: Usage | None = None

    @property
    def between_events(self) -> bool:
        """What was passed on so far ends where an event ends."""
        return self._tail.endswith((b"\n\n", b"\r\n\r\n", b"\r\r"))

    def feed(self, data: bytes) -> bytes:
        """The bytes to pass on now."""
        if not self._held and b'"usage"' not in data and data.endswith((b"\n\n", b"\r\n\r\n")):
            return self._passed(data)
        pending = self._held + data
        passed: list[bytes] = []
        start = 0
        for end in _EVENT_END.finditer(pending):
            event = pending[start : end.end()]
            if not self._is_extra(event):
                passed.append(event)
            start = end.end()
        self._held = pending[start:]
        if not self._strip:
            self._bound_held()
            return self._passed(data)
        if len(self._held) > self._event_bytes_max:
            passed.append(self._held)
            self._held = b""
        return self._passed(b"".join(passed))

    def finish(self) -> bytes:
        """What was held back, at the end of the stream."""
        held, self._held = self._held, b""
        if not self._strip or self._is_extra(held):
            return b""
        return self._passed(held)

    def _bound_held(self) -> None:
        if len(self._held) > self._event_bytes_max:
            self._held = b""

    def _passed(self, data: bytes) -> bytes:
        if data:
            self._tail = (self._tail + data[-4:])[-4:]
        return data

    def _is_extra(self, event: bytes) -> bool:
        """Whether `event` is there for its usage alone and is to be taken out; remembers the usage."""
        if not _USAGE_OBJECT.search(event):
            return False
        try:
            chunk: object = json.loads(_data_of(event))
        except ValueError:
            return False
        usage = _usage_in(chunk)
        if usage is None:
            return False
        self.usage = usage
        choices = cast("dict[str, object]", chunk).get("choices")
        return self._strip and choices == []


def _data_of(event: bytes) -> bytes:
    lines = [line for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(line[5:] for line in lines)


def _usage_in(reply: object) -> Usage | None:
    if not isinstance(reply, dict):
        return None
    fields = cast("dict[str, object]", reply)
    inner = fields.get("response")  # of the last event of a stream of /v1/responses
    if isinstance(inner, dict):
        fields = cast("dict[str, object]", inner)
    return _parse_usage(fields.get("usage"))


def _parse_usage(value: object) -> Usage | None:
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, object]", value)
    details = fields.get("prompt_tokens_details", fields.get("input_tokens_details"))
    cached = (
        cast("dict[str, object]", details).get("cached_tokens") if isinstance(details, dict) else 0
    )
    return Usage(
        prompt_tokens=_count(fields.get("prompt_tokens", fields.get("input_tokens"))),
        completion_tokens=_count(fields.get("completion_tokens", fields.get("output_tokens"))),
        cached_tokens=_count(cached),
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
