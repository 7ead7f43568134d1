"""What was seen and waits for the next cycle, in the order in which it was seen."""

from collections.abc import Hashable

from gigawatt.control.cycle import Halt
from gigawatt.model.observation import Observation, RankProgress


class Intake:
    """Progress is coalesced to the newest of a rank, and does not press: a rank may report at every step."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, Observation | Halt] = {}
        self._serial = 0
        self.presses = False  # there is more than progress

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, seen: Observation | Halt) -> None:
        """The newest progress of a rank takes the place that it was seen at: before its exit, after its start."""
        self._serial += 1
        if isinstance(seen, RankProgress):
            key: Hashable = (seen.key, seen.rank)
            self._waiting.pop(key, None)
        else:
            key = self._serial
            self.presses = True
        self._waiting[key] = seen

    def take(self) -> list[Observation | Halt]:
        taken = list(self._waiting.values())
        self._waiting = {}
        self.presses = False
        return taken
