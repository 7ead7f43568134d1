"""Points in time as callers write them: milliseconds since the epoch, or RFC 3339."""

from datetime import UTC, datetime

from gigawatt.spec.units import UnitError, shown

TIME_MS_MAX = 253_402_300_799_999  # the last of the year 9999
TIME_HINT = 'write milliseconds since 1970, or RFC 3339: "2026-01-31T12:00:00Z"'


def time_ms(value: object) -> int:
    """Milliseconds since the Unix epoch. A time without a zone is UTC. Raises UnitError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _bounded(value, value)
    text = str(value).strip()
    if text.isascii() and text.isdecimal() and len(text) <= 15:
        return _bounded(int(text), value)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UnitError(f"is not a time: {shown(value)}", TIME_HINT) from error
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since_epoch = zoned - datetime(1970, 1, 1, tzinfo=UTC)
    seconds = since_epoch.days * 86_400 + since_epoch.seconds
    return _bounded(seconds * 1_000 + since_epoch.microseconds // 1_000, value)


def _bounded(amount_ms: int, value: object) -> int:
    if not 0 <= amount_ms <= TIME_MS_MAX:
        raise UnitError(f"is not a time from 1970 to 9999: {shown(value)}", TIME_HINT)
    return amount_ms
