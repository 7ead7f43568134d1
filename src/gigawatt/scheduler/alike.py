"""Gangs of a line that are alike to a round: once one of them was refused, the others need not be looked at.

A long line has many gangs and few kinds of them: those that ask the same, pay by the same project, and have the same
priority and level. What was refused one of a kind is refused all of it for the rest of the round, as nothing becomes free in a
round, but that limits and quotas are looked at anew once anybody has taken something.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

from gigawatt.scheduler.claims import Claims
from gigawatt.scheduler.levels import levels
from gigawatt.scheduler.plan import Planner
from gigawatt.scheduler.policy import Line, Policy
from gigawatt.scheduler.share import Shares
from gigawatt.scheduler.snapshot import Flags, Rows, Snapshot

KINDS_MAX = 1 << 62  # that numbers can tell apart
UNLIKE = -1


class Turn(Protocol):
    """What is looked at of the round."""

    @property
    def snapshot(self) -> Snapshot: ...

    @property
    def policy(self) -> Policy: ...

    @property
    def ask_G(self) -> Rows: ...

    @property
    def overdue_G(self) -> Flags: ...

    @property
    def shares(self) -> Shares | None: ...

    @property
    def claims(self) -> Claims: ...

    @property
    def planner(self) -> Planner | None: ...


class Alike:
    """Of one round. Told of who was `refused`, it leaves out those that wait as well."""

    def __init__(self, turn: Turn) -> None:
        self._shares, self._planner = turn.shares, turn.planner
        self._kinds = _kinds(turn)
        self._refused: dict[int, int] = {}  # by kind: what had been taken when it was

    def left(self, rows: Iterable[int]) -> Iterator[int]:
        """Those of which none like it was refused since anything was taken.

        Whoever stops early leaves the others in `rows`, which may be gone on with.
        """
        return self._sieved(rows) if self._kinds else iter(rows)

    def refused(self, row: int) -> None:
        """It finds no place, and what it keeps from others is kept; those like it wait, if no plan can be made for any."""
        if not self._kinds or self._kinds[row] == UNLIKE:
            return
        if self._planner is None or self._planner.given_up(row):
            self._refused[self._kinds[row]] = self._taken

    def _sieved(self, rows: Iterable[int]) -> Iterator[int]:
        kinds, refused = self._kinds, self._refused
        for row in rows:
            at = refused.get(kinds[row])
            if at is None or at != self._taken:
                yield row

    @property
    def _taken(self) -> int:
        return 0 if self._shares is None else self._shares.taken


def _kinds(turn: Turn) -> list[int]:
    """For each gang a number of its kind; UNLIKE for one that is like no other. None where dates tell gangs apart, or the first blocks."""
    gangs, policy = turn.snapshot.gangs, turn.policy
    if policy.line is not Line.BACKFILL or not gangs.ids:
        return []
    columns = (
        gangs.tenant_G,
        gangs.project_G,
        gangs.priority_G,
        levels(gangs.attained_ms_G, policy),
        turn.overdue_G,
    )
    kind_G, count = turn.ask_G.astype("int64"), int(turn.ask_G.max()) + 1
    for column_G in columns:
        least = int(column_G.min())
        width = int(column_G.max()) - least + 1
        count *= width
        if count > KINDS_MAX:
            return []
        kind_G = kind_G * width + (column_G.astype("int64") - least)
    for gang in turn.claims.standing():
        if gangs.row(gang) >= 0:
            kind_G[gangs.row(gang)] = UNLIKE
    kinds: list[int] = kind_G.tolist()
    return kinds
