"""The heads of HTTP messages as bytes: which headers pass, and how they are written."""

from collections.abc import Iterable
from http import HTTPStatus

Headers = list[tuple[bytes, bytes]]  # names in lower case

# Of one connection only (RFC 9110, 7.6.1), so never passed on.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# What replicas are not told: who calls (the key is not theirs to know), and encodings that would hide usage.
NOT_TO_REPLICA = HOP_BY_HOP | {
    b"accept-encoding",
    b"authorization",
    b"content-length",
    b"expect",
    b"host",
    b"http2-settings",
    b"x-request-id",
}
NOT_TO_CLIENT = HOP_BY_HOP | {b"content-length", b"x-request-id"}
OWN_PREFIX = b"x-gigawatt-"  # said by the gateway alone

BODILESS = frozenset({204, 304})  # statuses whose replies have no body, nor a length of one

# Replies are for programs: what a browser makes of one must not run, be framed, or be guessed at.
SAFE_LINES = (
    b"x-content-type-options: nosniff\r\n"
    b"content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n"
)
PINNED_LINE = b"strict-transport-security: max-age=31536000\r\n"

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MS_PER_DAY = 86_400_000


def status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def request_head(
    target: bytes, headers: Headers, *, host: bytes, request_id: bytes, length: int
) -> bytes:
    """The head of a POST to a replica, with the client's headers except those that end here."""
    lines = [b"POST %b HTTP/1.1\r\nhost: %b\r\nx-request-id: %b\r\n" % (target, host, request_id)]
    lines += passing(headers, NOT_TO_REPLICA)
    lines.append(b"content-length: %d\r\n\r\n" % length)
    return b"".join(lines)


def passing(headers: Headers, dropped: frozenset[bytes]) -> list[bytes]:
    """Header lines without those `dropped`, without what a Connection header names, without our own names."""
    named = _named_by_connection(headers)
    if named:
        dropped |= named
    return [
        b"%b: %b\r\n" % (name, value)
        for name, value in headers
        if name not in dropped and not name.startswith(OWN_PREFIX)
    ]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def http_date(now_ms: int) -> bytes:
    """The time as HTTP writes it, e.g. `Tue, 15 Nov 1994 08:12:31 GMT`."""
    days, ms = divmod(now_ms, _MS_PER_DAY)
    seconds = ms // 1000
    year, month, day = _civil(days)
    text = (
        f"{_DAYS[(days + 3) % 7]}, {day:02d} {_MONTHS[month - 1]} {year:04d} "
        f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d} GMT"
    )
    return text.encode()


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    values = [value for name, value in headers if name == b"connection"]
    return frozenset(_tokens(values)) - {b"close", b"keep-alive"} if values else frozenset()


def _tokens(values: Iterable[bytes]) -> list[bytes]:
    return [token.strip().lower() for value in values for token in value.split(b",")]


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a day since 1970 (Hinnant's `civil_from_days`)."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    return year_of_era + era * 400 + (month <= 2), month, day
