"""What plans for many gangs have in common: whom each right lets them take from, and what would be free without those.

A line is long and few of its gangs can be planned for. What is asked here is asked once for all that are alike, until
the round starts something or makes a plan.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from gigawatt.model.decision import Start
from gigawatt.scheduler.apart import Apart
from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.books import Books
from gigawatt.scheduler.claims import Claims
from gigawatt.scheduler.ground import reach
from gigawatt.scheduler.levels import levels
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.power import Power
from gigawatt.scheduler.released import released
from gigawatt.scheduler.reserved import Reserved
from gigawatt.scheduler.rights import Claimant, Right
from gigawatt.scheduler.room import Room
from gigawatt.scheduler.running import UNKNOWN_DEVICES, RunningColumns
from gigawatt.scheduler.share import Shares
from gigawatt.scheduler.snapshot import NONE, Amounts, Codes, Flags, Rows, Snapshot
from gigawatt.scheduler.victims import Search

Kind = tuple[int, int, int, int]
"""The tenant and the project of a gang that waits, its priority, and the level of what it has run."""

ROOMS_MAX = 64  # that are kept, of what would be free without some gangs


class Turn(Protocol):
    """What a plan needs of the round."""

    @property
    def snapshot(self) -> Snapshot: ...

    @property
    def policy(self) -> Policy: ...

    @property
    def ask_G(self) -> Rows: ...

    @property
    def room(self) -> Room: ...

    @property
    def shares(self) -> Shares | None: ...

    @property
    def starts(self) -> Mapping[int, Start]: ...

    @property
    def claims(self) -> Claims: ...

    @property
    def power(self) -> Power | None: ...

    @property
    def apart(self) -> Apart | None: ...

    @property
    def reserved(self) -> Reserved | None: ...

    @property
    def holds(self) -> int: ...

    @property
    def holder_N(self) -> Codes: ...

    def allowed_N(self, ask: Ask) -> Flags: ...


class Prospects:
    """Of one round. `ending_R` are those that are being stopped: whoever plans adds to them, and then says `planned`."""

    def __init__(self, turn: Turn, running: RunningColumns, ending_R: Flags) -> None:
        self._turn = turn
        self._running = running
        self._ending_R = ending_R
        self._known_N = _known(turn.snapshot, running)
        self._plans = 0
        self._books: Books | None = None
        self._at = self._now()  # when what follows was worked out
        self._holds = turn.holds  # when places were last looked for
        self._base: Room | None = None  # without those that are being stopped
        self._without: dict[bytes, tuple[Room, Power | None]] = {}  # and without some more
        self._searches: dict[int, Search | None] = {}  # by ask
        self._may: dict[tuple[object, ...], Flags | None] = {}
        self._kinds: list[Kind] = []

    @property
    def books(self) -> Books | None:
        """Who uses whose quota; None where nothing is shared."""
        shares = self._turn.shares
        if self._books is None and shares is not None:
            self._books = Books(shares=shares, running=self._running, ending_R=self._ending_R)
        return self._books

    def planned(self) -> None:
        """A plan was made."""
        self._plans += 1

    def kind_of(self, row: int) -> Kind:
        """What rights see of the gang of that row of the line, beside what it needs."""
        if not self._kinds:
            gangs = self._turn.snapshot.gangs
            level_G = levels(gangs.attained_ms_G, self._turn.policy)
            columns = gangs.tenant_G, gangs.project_G, gangs.priority_G, level_G
            self._kinds = list(zip(*[column.tolist() for column in columns], strict=True))
        return self._kinds[row]

    def may_take(self, right: Right, claimant: Claimant) -> Flags | None:
        """Over R, what the right says of the claimant and of all like it; None for nobody. Not to be written to."""
        self._refresh()
        shares = self._turn.shares
        need = shares.needs[claimant.asked] if shares is not None and right.by_need else None
        key = right, self.kind_of(claimant.row), need
        if key not in self._may:
            may_R = right.may_take(claimant, self._running)
            self._may[key] = may_R if may_R.any() else None
        return self._may[key]

    def search(self, asked: int, ask: Ask, price_R: Amounts) -> Search | None:
        """Where the round's ask of that number is to fit; None where it will once those have gone that are going."""
        self._refresh()
        if asked not in self._searches:
            self._searches[asked] = self._search(ask, price_R)
        return self._searches[asked]

    def enough(self, search: Search, may_R: Flags) -> bool:
        """Whether it would fit if all of these went. Most gangs wait because it would not."""
        key = may_R.tobytes()
        known = self._without.get(key)
        if known is None:
            if len(self._without) >= ROOMS_MAX:
                self._without.clear()
            room, power = released(search.room, self._running, may_R), self._turn.power
            after = power and power.without(self._running, may_R | self._ending_R)
            known = self._without[key] = room, after
        return _fits(*known, search.ask, search.mask_N)

    def _search(self, ask: Ask, price_R: Amounts) -> Search | None:
        turn = self._turn
        mask_N = turn.allowed_N(ask) & self._known_N
        if turn.holds:
            mask_N &= turn.holder_N == NONE
        if self._base is None:
            ending = self._ending_R.any()
            self._base = released(turn.room, self._running, self._ending_R) if ending else turn.room
        power = turn.power and turn.power.without(self._running, self._ending_R)
        if _fits(self._base, power, ask, mask_N):
            return None
        return Search(
            room=self._base, running=self._running, ask=ask, mask_N=mask_N, price_R=price_R
        )

    def _refresh(self) -> None:
        now = self._now()
        if now != self._at:
            self._at, self._base = now, None
            for known in (self._without, self._searches, self._may):
                known.clear()
        if self._turn.holds != self._holds:
            self._holds = self._turn.holds
            self._searches.clear()

    def _now(self) -> tuple[int, ...]:
        """Another one whenever the room is, or shares, or those that are being stopped."""
        turn = self._turn
        return len(turn.starts), self._plans, 0 if turn.shares is None else turn.shares.taken


def _fits(room: Room, power: Power | None, ask: Ask, mask_N: Flags) -> bool:
    """Whether it would be held by these nodes, within what feeds carry."""
    fits_N = mask_N & room.fits_N(ask.demand)
    if reach(room.nodes, ask, fits_N) < ask.nodes_min:
        return False
    least = replace(ask, nodes_max=ask.nodes_min)
    return power is None or power.spot(room, least, fits_N) is not None


def _known(snapshot: Snapshot, running: RunningColumns) -> Flags:
    """Nodes of which every device can be told: elsewhere what would be free is not known."""
    known_N = np.ones(len(snapshot.nodes.ids), dtype=np.bool_)
    unknown = running.node_M[running.devices_M == UNKNOWN_DEVICES]
    known_N[unknown[unknown != NONE]] = False
    return known_N
