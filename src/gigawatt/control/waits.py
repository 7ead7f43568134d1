"""Why every waiting gang waits, by the last decision. Worked out when somebody asks, and then kept.

A cycle is made whenever anything changes, and most have nobody who looks at their reasons.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from gigawatt.model.decision import Wait
from gigawatt.model.reason import ReasonCode
from gigawatt.scheduler.decide import Finished


class Waits(Mapping[str, Wait]):
    """By gang. `finished` is made when it is first asked for.

    `before` is what the decision before said: of a gang that this one did not get to, it still holds.
    """

    def __init__(self, finished: Callable[[], Finished], before: Mapping[str, Wait]) -> None:
        self._finished = finished
        self._before: Mapping[str, Wait] = before
        self._told: dict[str, Wait] | None = None

    @classmethod
    def of(cls, finished: Finished, before: Mapping[str, Wait]) -> "Waits":
        """Those of a decision that was made."""
        cut_short = bool(finished.turn.resume)
        return cls(lambda: finished, dict(before) if cut_short else {})

    def __getitem__(self, gang: str) -> Wait:
        return self._all()[gang]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, Wait]:
        if self._told is None:
            self._told = {wait.gang: self._still(wait) for wait in self._finished().waits()}
            self._before = dict[str, Wait]()  # or each would keep all before it alive
        return self._told

    def _still(self, wait: Wait) -> Wait:
        before = self._before.get(wait.gang)
        if wait.reason.code is not ReasonCode.NOT_CONSIDERED or before is None:
            return wait
        return replace(wait, reason=before.reason)
