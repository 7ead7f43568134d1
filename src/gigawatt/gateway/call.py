"""A request to a model, read from its body: which model, whether it streams, and what is sent on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn, cast

from gigawatt.gateway.errors import ErrorReply, malformed, too_large
from gigawatt.gateway.limits import MIB

COUNTED_FROM_BYTES = 1 * MIB  # smaller bodies cannot cost much to parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    model: str
    stream: bool
    usage_added: bool  # the stream's usage was asked for here, not by the client
    body: bytes  # what the replica is sent
    fields: Mapping[str, object] = field(compare=False, repr=False)  # as the client sent them


def parse_call(
    body: bytes, *, streams: bool, json_values_max: int, asks_usage: bool = True
) -> Call | ErrorReply:
    """`streams` says that the route can stream; with `asks_usage` it states usage only where that is asked for.

    Where the client streams without asking for usage, the asking is added; every other byte stays as it came.
    """
    fields = _parse_object(body, json_values_max)
    if isinstance(fields, ErrorReply):
        return fields
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        return _wrong("model", "the name of a model, as text", model, present="model" in fields)
    stream = fields.get("stream")
    if stream is None or not streams:
        stream = False
    if not isinstance(stream, bool):
        return _wrong("stream", "true or false", stream, present=True)
    if not stream or not asks_usage:
        return Call(model=model, stream=stream, usage_added=False, body=body, fields=fields)
    options = fields.get("stream_options")
    if options is None and "stream_options" not in fields:
        return Call(
            model=model, stream=True, usage_added=True, body=_with_usage(body), fields=fields
        )
    if options is not None and not isinstance(options, dict):
        return _wrong("stream_options", "an object", options, present=True)
    wanted = cast("dict[str, object]", options or {})
    if wanted.get("include_usage") is True:
        return Call(model=model, stream=True, usage_added=False, body=body, fields=fields)
    changed = {**fields, "stream_options": {**wanted, "include_usage": True}}
    return Call(
        model=model, stream=True, usage_added=True, body=json.dumps(changed).encode(), fields=fields
    )


def renamed(call: Call, model: str) -> Call:
    """The same call with another name of its model for the replica; what is counted by keeps the client's."""
    fields = json.loads(call.body)
    fields["model"] = model
    return replace(call, body=json.dumps(fields).encode())


class _NotJsonError(ValueError):
    pass


def _refuse_constant(name: str) -> NoReturn:
    raise _NotJsonError(f"{name} is not JSON")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def _parse_object(body: bytes, json_values_max: int) -> dict[str, object] | ErrorReply:
    if len(body) > COUNTED_FROM_BYTES and _separators(body) > json_values_max:
        return too_large(
            f"The body holds more than {json_values_max} values.", code="too_many_values"
        )
    try:
        fields: object = _decode(body.decode())
    except UnicodeDecodeError as error:
        byte = body[error.start]
        return malformed(
            f"The body is not UTF-8: byte {error.start} is 0x{byte:02x} ({error.reason}).",
            code="invalid_utf8",
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno} (character {error.pos})"
        what = "The body is empty" if not body else f"The body is not JSON: {error.msg} at {where}"
        return malformed(f"{what}; a JSON object is needed.", code="invalid_json")
    except RecursionError:
        return malformed("The body is nested too deeply.", code="invalid_json")
    except ValueError as error:  # a number of thousands of digits, or NaN
        return malformed(f"The body is not JSON: {error}.", code="invalid_json")
    if not isinstance(fields, dict):
        return malformed(
            f"The body is {_named(fields)}; a JSON object is needed.", code="invalid_json"
        )
    return cast("dict[str, object]", fields)


def _separators(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def _with_usage(body: bytes) -> bytes:
    brace = body.index(b"{") + 1
    return body[:brace] + b'"stream_options":{"include_usage":true},' + body[brace:]


def _wrong(field: str, needed: str, value: object, *, present: bool) -> ErrorReply:
    if not present:
        return malformed(
            f"`{field}` is missing: {needed}.", code="missing_required_parameter", param=field
        )
    return malformed(
        f"`{field}` must be {needed}, not {_named(value)}.", code="invalid_type", param=field
    )


def _named(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "a number"
        case str():
            return "a text" if value else "an empty text"
        case list():
            return "a list"
        case _:
            return "an object"
