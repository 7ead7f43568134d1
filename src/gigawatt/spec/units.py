"""Amounts as people write them: durations, bytes, and cores or GPUs with a fraction, all to integers."""

import math
import re

DURATION_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
BYTES = {
    "": 1,
    "B": 1,
    **{f"{letter}iB": 1 << (10 * (n + 1)) for n, letter in enumerate("KMGTP")},
    **{f"{letter}i": 1 << (10 * (n + 1)) for n, letter in enumerate("KMGTP")},
    **{letter: 1 << (10 * (n + 1)) for n, letter in enumerate("KMGTP")},
    **{f"{letter}B": 1000 ** (n + 1) for n, letter in enumerate("KMGTP")},
}
DURATION_HINT = 'write seconds, or a number with a unit: "250ms", "90s", "10m", "2h", "1d"'
BYTES_HINT = (
    'write bytes, or a number with a unit: "512MiB", "1GiB", "2G" (binary), "2GB" (decimal)'
)

MILLIWATTS = {"": 1_000, "W": 1_000, "kW": 10**6, "MW": 10**9, "GW": 10**12}
WATTS_HINT = 'write watts, or a number with a unit: "700W", "120kW", "1.5MW"'

_DURATION = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{1,6})?(?:ms|[smhdw]))+")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhdw])")
_AMOUNT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")


class UnitError(ValueError):
    """What was written is not an amount of this kind; `hint` shows what is."""

    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint


def duration_ms(value: object) -> int:
    """Milliseconds. A bare number counts seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _whole(value * 1_000, value, "milliseconds", DURATION_HINT)
    if not isinstance(value, str):
        raise UnitError(f"must be a duration, got {shown(value)}", DURATION_HINT)
    text = value.strip()
    if text.isascii() and text.isdecimal() and len(text) <= 12:
        return int(text) * 1_000
    if not _DURATION.fullmatch(text):
        raise UnitError(f"is not a duration: {shown(value)}", DURATION_HINT)
    total = sum(
        float(amount) * DURATION_MS[unit] if "." in amount else int(amount) * DURATION_MS[unit]
        for amount, unit in _DURATION_PART.findall(text)
    )
    return _whole(total, value, "milliseconds", DURATION_HINT)


def duration_s(value: object) -> int:
    """Whole seconds."""
    span_ms = duration_ms(value)
    if span_ms % 1_000:
        raise UnitError(f"must be whole seconds, got {shown(value)}", DURATION_HINT)
    return span_ms // 1_000


def size_bytes(value: object) -> int:
    """Bytes. One-letter units and those with an `i` are binary, those with a plain `B` decimal."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise UnitError(f"must be a number of bytes, got {shown(value)}", BYTES_HINT)
    match = _AMOUNT.fullmatch(value.strip())
    if match is None or match.group(2) not in BYTES:
        raise UnitError(f"is not a number of bytes: {shown(value)}", BYTES_HINT)
    amount, unit = match.groups()
    factor = BYTES[unit]
    return int(float(amount) * factor) if "." in amount else int(amount) * factor


def milliwatts(value: object) -> int:
    """Milliwatts. A bare number counts watts."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _whole(value * 1_000, value, "milliwatts", WATTS_HINT)
    match = _AMOUNT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or match.group(2) not in MILLIWATTS:
        raise UnitError(f"is not a number of watts: {shown(value)}", WATTS_HINT)
    amount, unit = match.groups()
    return _whole(float(amount) * MILLIWATTS[unit], value, "milliwatts", WATTS_HINT)


def milli(value: object) -> int:
    """Thousandths: 0.5 is 500."""
    hint = "write a number, with at most three decimals"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnitError(f"must be a number, got {shown(value)}", hint)
    return _whole(value * 1_000, value, "thousandths", hint)


def shown(value: object) -> str:
    """A value as an error may repeat it: short, on one line."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _whole(amount: float, value: object, unit: str, hint: str) -> int:
    if isinstance(amount, int):
        return amount
    if not math.isfinite(amount):
        raise UnitError(f"must be a finite number, got {shown(value)}", hint)
    nearest = round(amount)
    if abs(amount - nearest) > 1e-6 * max(1.0, abs(amount)):
        raise UnitError(f"must be whole {unit}, got {shown(value)}", hint)
    return nearest
