"""What draws a request to one replica rather than another: its session, or how its prompt begins."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from gigawatt.model.endpoint import Routing
from gigawatt.routing.prefix import blocks_of

SESSION_HEADER = b"x-session-id"
SESSION_FIELDS = ("prompt_cache_key", "user")  # of the body, where there is no such header
UNIT, RECORD = "\x1f", "\x1e"  # between parts of a message, and after each


@dataclass(frozen=True, slots=True, kw_only=True)
class Affinity:
    """Equal names belong together; `blocks` are the beginnings of the prompt, where those count."""

    name: bytes
    blocks: tuple[bytes, ...] = ()


def affinity_of(
    routing: Routing, fields: Mapping[str, object], headers: Mapping[bytes, bytes]
) -> Affinity | None:
    """None where nothing draws it anywhere: any replica is as good as another."""
    match routing:
        case Routing.LEAST:
            return None
        case Routing.SESSION:
            name = session_of(fields, headers)
            return Affinity(name=name) if name else None
        case Routing.PREFIX:
            blocks = blocks_of(_prompt(fields))
            return Affinity(name=blocks[0], blocks=blocks) if blocks else None


def session_of(fields: Mapping[str, object], headers: Mapping[bytes, bytes]) -> bytes:
    """What the client calls its session; empty where it does not."""
    given = headers.get(SESSION_HEADER, b"")
    named = (fields.get(field) for field in SESSION_FIELDS)
    return given or next((name.encode() for name in named if isinstance(name, str) and name), b"")


def _prompt(fields: Mapping[str, object]) -> bytes:
    """As bytes that begin alike where prompts do; not the text that a runtime makes of it."""
    tools = f"{_text(fields['tools'])}{RECORD}" if fields.get("tools") else ""
    messages = fields.get("messages")
    if not isinstance(messages, list):
        return _text(fields.get("prompt", "")).encode("utf-8", "surrogatepass")
    told = "".join(_message(each) for each in cast("list[object]", messages))
    return f"{tools}{told}".encode("utf-8", "surrogatepass")


def _message(message: object) -> str:
    if not isinstance(message, dict):
        return f"{_text(message)}{RECORD}"
    fields = cast("dict[str, object]", message)
    return f"{fields.get('role')}{UNIT}{_text(fields.get('content'))}{RECORD}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
