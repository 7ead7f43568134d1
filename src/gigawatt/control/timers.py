"""Due times of subjects, earliest first. In memory: after a restart they are set anew from the world."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from gigawatt.reconcile.turn import Due


@dataclass(slots=True, kw_only=True)
class Timers:
    _heap: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    _set: set[tuple[int, str]] = field(default_factory=set[tuple[int, str]])

    def add(self, dues: Iterable[Due]) -> None:
        """Each pair of time and subject is kept once."""
        for due in dues:
            entry = (due.at_ms, due.subject)
            if entry not in self._set:
                self._set.add(entry)
                heapq.heappush(self._heap, entry)

    def take(self, *, now_ms: int) -> list[str]:
        """The subjects that are due, each once, in the order of their times."""
        subjects: dict[str, None] = {}
        while self._heap and self._heap[0][0] <= now_ms:
            entry = heapq.heappop(self._heap)
            self._set.discard(entry)
            subjects[entry[1]] = None
        return list(subjects)

    @property
    def next_ms(self) -> int | None:
        return self._heap[0][0] if self._heap else None
