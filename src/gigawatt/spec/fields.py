"""Kinds of field that forms share: each validates one thing and describes itself for the schema."""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from gigawatt.model.job import HANG_OFF
from gigawatt.model.power import CAP_MILLIWATTS_MAX
from gigawatt.spec import limits, names
from gigawatt.spec.cards import CardError, card_metadata
from gigawatt.spec.faults import wrong
from gigawatt.spec.times import TIME_MS_MAX, time_ms
from gigawatt.spec.units import (
    UnitError,
    duration_ms,
    duration_s,
    milli,
    milliwatts,
    shown,
    size_bytes,
)

FORM = ConfigDict(extra="forbid", frozen=True, strict=True)

DURATION_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": r"^([0-9]{1,6}(ms|[smhdw]))+$", "maxLength": 32},
    ],
    "examples": ["90s", "2h", 60],
}
BYTES_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": limits.MEMORY_BYTES_MAX},
        {"type": "string", "pattern": r"^[0-9]{1,6}([KMGT]iB|[KMGT]B|[KMGT]|B)$"},
    ],
    "examples": ["512MiB", "1GiB", 1073741824],
}
WATTS_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": 1_000_000, "multipleOf": 0.001},
        {"type": "string", "pattern": r"^[0-9]{1,6}([kM]?W)$"},
    ],
    "examples": [700, "120kW", "2MW"],
}


def in_units(parse: Callable[[object], int], *, at_least: int, at_most: int) -> BeforeValidator:
    """Parse an amount with a unit, then hold it to its bounds."""

    def checked(value: object) -> int:
        try:
            amount = parse(value)
        except UnitError as error:
            raise wrong(error.detail, error.hint) from error
        if amount < at_least:
            least = "more than 0" if at_least == 1 else f"at least {at_least}"
            raise wrong(f"must be {least}, got {shown(value)}")
        if amount > at_most:
            raise wrong(f"is over the limit, got {shown(value)}", f"the limit is {at_most}")
        return amount

    return BeforeValidator(checked)


def matching(pattern: str, hint: str) -> AfterValidator:
    """Text that must match `pattern`; the hint says so in words."""
    compiled = re.compile(pattern)

    def checked(value: str) -> str:
        if not compiled.fullmatch(value):
            raise wrong(f"is not allowed: {shown(value)}", hint)
        return value

    return AfterValidator(checked)


def pattern_schema(pattern: str) -> WithJsonSchema:
    """The pattern, told in the schema."""
    return WithJsonSchema({"type": "string", "pattern": pattern})


def env_text(value: object) -> object:
    """Numbers stand for their digits; what YAML makes of a bare yes or null is not what was meant."""
    if isinstance(value, bool) or value is None:
        raise wrong(f"must be text, got {shown(value)}", 'put it in quotes, e.g. "true"')
    return str(value) if isinstance(value, int | float) else value


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise wrong("must not hold a NUL character")
    return value


def _card(value: str) -> str:
    try:
        card_metadata(_without_nul(value))
    except CardError as error:
        raise wrong(error.detail, error.hint) from error
    return value


def _labels(value: dict[str, str]) -> dict[str, str]:
    for key, text in value.items():
        if len(text) > limits.LABEL_CHARS_MAX:
            raise wrong(f"has a value over {limits.LABEL_CHARS_MAX} characters, of '{key}'")
    return value


def _hang_steps(value: object) -> int:
    """So many steps; 0 for what is best by default, -1 for never."""
    words = {"auto": 0, "off": HANG_OFF}
    if isinstance(value, str) and value in words:
        return words[value]
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(f'must be a number of steps, "auto" or "off", got {shown(value)}')
    if not 2 <= value <= limits.HANG_STEPS_MAX:
        raise wrong(f"must be from 2 to {limits.HANG_STEPS_MAX} steps, got {value}")
    return value


def _relative(value: str) -> str:
    if value.startswith("/") or ".." in value.split("/"):
        raise wrong(f"must be a relative path without '..', got {shown(value)}")
    return _without_nul(value)


def _no_way_up(value: str) -> str:
    if ".." in value.split("/"):
        raise wrong(f"must not hold '..', got {shown(value)}")
    return _without_nul(value)


Seconds = Annotated[
    int,
    in_units(duration_s, at_least=0, at_most=limits.DURATION_S_MAX),
    WithJsonSchema(DURATION_SCHEMA),
]
SomeSeconds = Annotated[
    int,
    in_units(duration_s, at_least=1, at_most=limits.DURATION_S_MAX),
    WithJsonSchema(DURATION_SCHEMA),
]
GraceSeconds = Annotated[
    int,
    in_units(duration_s, at_least=0, at_most=limits.GRACE_S_MAX),
    WithJsonSchema(DURATION_SCHEMA),
]
HangSteps = Annotated[
    int,
    BeforeValidator(_hang_steps),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 2, "maximum": limits.HANG_STEPS_MAX},
                {"enum": ["auto", "off"]},
            ],
            "examples": ["auto", 50, "off"],
        }
    ),
]
IntervalMs = Annotated[
    int,
    in_units(duration_ms, at_least=limits.READINESS_INTERVAL_MS_MIN, at_most=60_000),
    WithJsonSchema(DURATION_SCHEMA),
]
MemoryBytes = Annotated[
    int,
    in_units(size_bytes, at_least=0, at_most=limits.MEMORY_BYTES_MAX),
    WithJsonSchema(BYTES_SCHEMA),
]
MilliCpu = Annotated[
    int,
    in_units(milli, at_least=1, at_most=limits.MILLI_CPU_MAX),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.001}),
]
MilliGpu = Annotated[
    int,
    in_units(milli, at_least=0, at_most=limits.MILLI_GPU_MAX),
    WithJsonSchema({"type": "number", "minimum": 0, "multipleOf": 0.001}),
]
Milliwatts = Annotated[
    int,
    in_units(milliwatts, at_least=0, at_most=CAP_MILLIWATTS_MAX),
    WithJsonSchema(WATTS_SCHEMA),
]
Moment = Annotated[
    int,
    in_units(time_ms, at_least=0, at_most=TIME_MS_MAX),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": TIME_MS_MAX},
                {"type": "string", "format": "date-time"},
            ],
            "examples": ["2026-12-24T18:00:00Z"],
        }
    ),
]
Count = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(max_length=limits.TEXT_CHARS_MAX), AfterValidator(_without_nul)]
Card = Annotated[str, Field(max_length=limits.CARD_CHARS_MAX), AfterValidator(_card)]
RelativePath = Annotated[str, Field(max_length=limits.PATH_CHARS_MAX), AfterValidator(_relative)]
WorkPath = Annotated[str, Field(max_length=limits.PATH_CHARS_MAX), AfterValidator(_no_way_up)]
Name = Annotated[
    str, matching(names.NAME_PATTERN, names.NAME_HINT), pattern_schema(names.NAME_PATTERN)
]
ServedName = Annotated[
    str,
    matching(names.SERVED_NAME_PATTERN, names.SERVED_NAME_HINT),
    pattern_schema(names.SERVED_NAME_PATTERN),
]
Alias = Annotated[
    str, matching(names.ALIAS_PATTERN, names.ALIAS_HINT), pattern_schema(names.ALIAS_PATTERN)
]
Digest = Annotated[
    str,
    matching(names.DIGEST_PATTERN, 'a digest is "sha256:" and 64 hex digits'),
    pattern_schema(names.DIGEST_PATTERN),
]
Labels = Annotated[
    dict[
        Annotated[str, matching(names.LABEL_KEY_PATTERN, "use letters, digits and ._/- in keys")],
        Annotated[str, BeforeValidator(env_text)],
    ],
    Field(max_length=limits.LABELS_MAX),
    AfterValidator(_labels),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}}),
]
