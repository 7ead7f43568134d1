"""Values as people read them: times, durations, bytes, shares, money. Templates have each as a filter of its name."""

from collections.abc import Mapping
from datetime import UTC, datetime

MINUTE_S, HOUR_S, DAY_S, YEAR_S = 60, 3_600, 86_400, 365 * 86_400
NOTHING = "–"

_UNITS = ((YEAR_S, "y"), (DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min"), (1, "s"))


def duration(ms: float | None) -> str:
    """At most two units: `420 ms`, `42 s`, `3 min 5 s`, `2 h 7 min`, `3 d 4 h`."""
    if ms is None:
        return NOTHING
    if ms < 0:
        return f"-{duration(-ms)}"
    if ms < 1_000:
        return f"{round(ms)} ms"
    seconds = round(ms / 1_000)
    for size, unit, smaller, smaller_unit in (
        (DAY_S, "d", HOUR_S, "h"),
        (HOUR_S, "h", MINUTE_S, "min"),
        (MINUTE_S, "min", 1, "s"),
    ):
        if seconds >= size:
            rest = seconds % size // smaller
            lead = f"{seconds // size} {unit}"
            return f"{lead} {rest} {smaller_unit}" if rest else lead
    return f"{seconds} s"


def ago(ms: int | None, now_ms: int) -> str:
    """How long a moment is past, or still to come, in one unit."""
    if not ms:
        return NOTHING
    away_s = abs(now_ms - ms) // 1_000
    text = "now"
    for size, unit in _UNITS:
        if away_s >= size:
            text = f"{away_s // size} {unit}"
            break
    if text == "now":
        return text
    return f"{text} ago" if ms <= now_ms else f"in {text}"


def moment(ms: int | None) -> str:
    """A time in UTC, to the second."""
    return f"{_utc(ms):%Y-%m-%d %H:%M:%S} UTC" if ms else NOTHING


def clock_time(ms: int | None, now_ms: int) -> str:
    """A time in UTC to the minute: with its day where that is not today."""
    if not ms:
        return NOTHING
    there = _utc(ms)
    return f"{there:%H:%M}" if there.date() == _utc(now_ms).date() else f"{there:%Y-%m-%d %H:%M}"


def iso(ms: int | None) -> str:
    """A time as machines read it; empty for none."""
    return _utc(ms).isoformat(timespec="seconds") if ms else ""


def size(count: float | None) -> str:
    """Bytes in powers of 1,024: `1.5 GiB`."""
    if count is None:
        return NOTHING
    for unit, factor in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= factor:
            return f"{count / factor:.4g} {unit}"
    return f"{count:.0f} B"


def count(value: float | None) -> str:
    """A number with thousands apart; large ones short: `12,400`, `3.1 M`."""
    if value is None:
        return NOTHING
    for factor, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"


def share(value: float | None) -> str:
    """A part of one in percent, with a digit where it matters: `97.4 %`, `100 %`."""
    if value is None:
        return NOTHING
    percent = value * 100
    return f"{percent:.0f} %" if percent in {0, 100} else f"{percent:.1f} %"


def shares(amounts: Mapping[str, float]) -> dict[str, str]:
    """What part of the whole each is."""
    total = sum(amounts.values())
    return {name: share(amount / total if total else None) for name, amount in amounts.items()}


def shares_text(amounts: Mapping[str, float]) -> str:
    """The same as a sentence's part: `useful 80.0 %, idle 20.0 %`."""
    return ", ".join(f"{name.replace('_', ' ')} {text}" for name, text in shares(amounts).items())


def money(value: float | None, currency: str = "") -> str:
    """An amount of a currency, to the cent, or finer where it is less than that."""
    if value is None:
        return NOTHING
    digits = 2 if abs(value) >= 0.1 or value == 0 else 4
    return f"{value:,.{digits}f} {currency}".strip()


def devices(milli: float, unit: str) -> str:
    """An amount of devices that is given in thousandths: `2.5 GPU`."""
    return f"{milli / 1_000:,.4g} {unit}"


def _utc(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1_000, UTC)
