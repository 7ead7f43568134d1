"""Guesses at keys, by address: after too many, an address is locked out for a while, and longer each time.

What was a good key here within a day is let in also from an address that is locked out. Only keys that this process has
not seen for so long, or never, wait there with the guesses.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from gigawatt.model.refusal import RefusalCode, RefusalError

FAILURES_MAX = 20  # within a window, before an address is locked out
WINDOW_MS = 60_000
LOCK_MS = 60_000  # the first time; twice as long each time after it
LOCK_MS_MAX = 15 * 60_000
CALM_MS = 3_600_000  # after so long without a failure all is forgotten
GOOD_MS = 24 * 3_600_000
ADDRESSES_MAX = 10_000  # the longest quiet one is forgotten first
GOOD_MAX = 10_000


@dataclass(slots=True)
class _Seen:
    since_ms: int  # when the window began
    failures: int = 0
    locks: int = 0
    until_ms: int = 0
    last_ms: int = 0


class Guesses:
    """Of one process. Times come in."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._good: OrderedDict[str, int] = OrderedDict()  # by SHA-256: last good when

    def check(self, address: str, sha256: str, *, now_ms: int) -> None:
        """Raises RefusalError (limit) for a key from an address that is locked out."""
        seen = self._seen.get(place(address))
        if seen is None or now_ms >= seen.until_ms:
            return
        if now_ms - self._good.get(sha256, -GOOD_MS) < GOOD_MS:
            return
        wait_s = -(-(seen.until_ms - now_ms) // 1000)
        raise RefusalError(
            RefusalCode.LIMIT,
            f"too many unknown keys have come from {address}: it is locked out for {wait_s} s",
            hint="keys that were good here within a day are still taken",
            retry_after_s=wait_s,
        )

    def failed(self, address: str, *, now_ms: int) -> bool:
        """An unknown key came from there; whether the address is locked out with it."""
        if not address:
            return False
        key = place(address)
        seen = self._seen.get(key)
        if seen is None or now_ms - seen.last_ms > CALM_MS:
            seen = self._seen[key] = _Seen(since_ms=now_ms)
        if now_ms - seen.since_ms > WINDOW_MS:
            seen.since_ms, seen.failures = now_ms, 0
        self._seen.move_to_end(key)
        if len(self._seen) > ADDRESSES_MAX:
            self._seen.popitem(last=False)
        seen.failures += 1
        seen.last_ms = now_ms
        if seen.failures < FAILURES_MAX:
            return False
        seen.until_ms = now_ms + min(LOCK_MS << min(seen.locks, 8), LOCK_MS_MAX)
        seen.locks += 1
        seen.since_ms, seen.failures = seen.until_ms, 0
        return True

    def succeeded(self, sha256: str, *, now_ms: int) -> None:
        """A key was good."""
        self._good[sha256] = now_ms
        self._good.move_to_end(sha256)
        if len(self._good) > GOOD_MAX:
            self._good.popitem(last=False)


def place(address: str) -> str:
    """What is counted together: an address, of IPv6 the network of 64 bits that one customer has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
