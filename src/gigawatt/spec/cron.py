"""Cron expressions in time zones: which are allowed, and when they are due.

Five fields as Debian's cron reads them. Where clocks change, a fixed time that is skipped comes right after the gap,
and one that is repeated comes once; expressions whose minutes or hours begin with `*` follow the clock on the wall.
All times are milliseconds since the epoch.
"""

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from gigawatt.spec.faults import nearest
from gigawatt.spec.units import UnitError, shown

CRON_CHARS_MAX = 200
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
CRON_HINT = (
    "write minute, hour, day of month, month and day of week: `0 3 * * *` is every day at three"
)
FIELDS = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31, L for the last, or LW for the last weekday",
    "month": "1 to 12, or JAN to DEC",
    "day-of-week": "0 to 7 with Sunday as 0 and 7, or SUN to SAT; 5L is the last, MON#1 the first",
}
ZONES_NAMED = (
    "UTC",
    "Africa/Johannesburg",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Paris",
    "Europe/Stockholm",
    "Europe/Zurich",
)


def parse_cron(text: str) -> str:
    """The five fields of an expression, one space apart. Raises UnitError."""
    written = " ".join(text[: CRON_CHARS_MAX + 1].split())
    if written.startswith("@"):
        if written not in NICKNAMES:
            raise UnitError(f"is not known: {shown(written)}", nearest(written, NICKNAMES))
        written = NICKNAMES[written]
    fields = len(written.split(" "))
    if len(written) > CRON_CHARS_MAX or fields != 5:
        raise UnitError(f"must have five fields, got {shown(text)}", CRON_HINT)
    try:
        CronSim(written, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        field = str(error).removeprefix("Bad ")
        raise UnitError(
            f"has a {field} that is not allowed: {shown(written)}",
            f"{field} is {FIELDS.get(field, '')}",
        ) from error
    if next_ms(written, "UTC", after_ms=0) is None:
        raise UnitError(f"names no day that ever comes: {shown(written)}", CRON_HINT)
    return written


def parse_zone(name: str) -> str:
    """A time zone's name. Raises UnitError."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        hint = nearest(name, ZONES_NAMED)
        hint = hint if hint.startswith("did you mean") else "write it like Europe/Berlin, or UTC"
        raise UnitError(f"is no time zone: {shown(name)}", hint) from error


def next_ms(cron: str, zone: str, *, after_ms: int) -> int | None:
    """The first due time after `after_ms`; None where there is none for fifty years."""
    moments = CronSim(cron, _moment(after_ms, zone))
    for moment in moments:
        found = _ms(moment)
        if found > after_ms:  # in a repeated hour, an hour that is over may come up again
            return found
    return None


def upcoming(cron: str, zone: str, *, after_ms: int, count: int) -> tuple[int, ...]:
    """The first `count` due times after `after_ms`."""
    found: list[int] = []
    last = after_ms
    while len(found) < count:
        due = next_ms(cron, zone, after_ms=last)
        if due is None:
            break
        found.append(due)
        last = due
    return tuple(found)


def due_times(cron: str, zone: str, *, first_ms: int, until_ms: int, limit: int) -> tuple[int, ...]:
    """Due times from `first_ms` to `until_ms`, both included; of more than `limit`, the newest ones."""
    second = next_ms(cron, zone, after_ms=first_ms)
    if second is None or second > until_ms:  # nearly always: spare walking back from the end
        due = next_ms(cron, zone, after_ms=first_ms - 1)
        return (due,) if due is not None and due <= until_ms else ()
    back = CronSim(cron, _moment(until_ms + 1_000, zone), reverse=True)
    start = first_ms
    for moment in islice(back, limit, limit + 1):
        start = max(start, _ms(moment))
    found: list[int] = []
    due = next_ms(cron, zone, after_ms=start - 1)
    while due is not None and due <= until_ms:
        found.append(due)
        due = next_ms(cron, zone, after_ms=due)
    return tuple(found[-limit:])


def written(at_ms: int, zone: str) -> str:
    """A time as people read it there: `2026-03-29 03:00 CEST`."""
    return _moment(at_ms, zone).strftime("%Y-%m-%d %H:%M %Z")


def _moment(at_ms: int, zone: str) -> datetime:
    return datetime.fromtimestamp(at_ms // 1_000, tz=ZoneInfo(zone))


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000
