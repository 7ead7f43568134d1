"""For how long a replica has had requests: the time in which at least one was at it."""

from collections.abc import Callable

ROUNDING = 1e-6  # that sums of whole milliseconds stay whole


class BusyTime:
    """Of one replica since the gateway first gave it a request. What was reported of it is counted apart."""

    __slots__ = ("_begun_s", "_monotonic_s", "_requests", "_total_s", "reported_ms")

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self.reported_ms = 0  # and acknowledged
        self._monotonic_s = monotonic_s
        self._requests = 0
        self._begun_s = 0.0  # when the first of those there are now came
        self._total_s = 0.0  # up to then

    def begin(self) -> None:
        """A request goes to it."""
        if not self._requests:
            self._begun_s = self._monotonic_s()
        self._requests += 1

    def end(self) -> None:
        """A request has ended."""
        assert self._requests
        self._requests -= 1
        if not self._requests:
            self._total_s += self._monotonic_s() - self._begun_s

    @property
    def open(self) -> bool:
        """It has a request now."""
        return self._requests > 0

    def add(self, more_ms: int) -> None:
        """Another process saw it busy for so long."""
        self._total_s += more_ms / 1000

    @property
    def total_ms(self) -> int:
        """Whole milliseconds until now; differences of it sum to it."""
        running_s = self._monotonic_s() - self._begun_s if self._requests else 0.0
        return int((self._total_s + running_s) * 1000 + ROUNDING)

    @property
    def settled(self) -> bool:
        """Nothing is at it, and all of it was reported."""
        return not self._requests and self.reported_ms == self.total_ms
