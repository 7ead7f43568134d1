"""When a run says of what waits when it will start: often enough to be scored, seldom enough to cost little.

How often is counted in work, not in time: all plays together look at no more than a fixed part of the gangs that the
decisions of the run look at, so estimates cost a bounded share of it whatever the size of the site and the line.
"""

from gigawatt.control.cycle import State
from gigawatt.scheduler.estimates import ROUND_GANGS

SHARE = 0.1  # of the work of decisions
FIRST_CREDIT = 100_000  # in gangs looked at: the first estimates do not wait for decisions


class Foreteller:
    """Told of every decision, then given its turn when all that follows from a moment has been done."""

    def __init__(self) -> None:
        self._credit = float(FIRST_CREDIT)

    def decided(self, gangs: int) -> None:
        """A decision has looked at so many gangs."""
        self._credit += SHARE * (gangs + ROUND_GANGS)

    def step(self, state: State, *, now_ms: int) -> None:
        """Refresh the estimates if something waits of which nothing was said, and the work is paid for."""
        estimates = state.estimates
        if estimates is None or self._credit < 0 or not estimates.untold:
            return
        plays = estimates.plays(state.snapshot(now_ms), state.policy)
        estimates.refreshed(plays, plays.run(), still=lambda _gang: True)
        self._credit -= plays.looked
