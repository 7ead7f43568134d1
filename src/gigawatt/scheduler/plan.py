"""Plans: a gang that waits is given what others have, once the whole placement is proven.

A plan is made at the gang's own turn, by the first right (`rights`) with which it can be: victims are picked from
arrays (`victims`), then the placement function is asked about the room without them. Each victim that can go on
elsewhere now moves. All of it is kept from then on (`claims`), so nothing of it is given to anybody else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from gigawatt.model.decision import Start
from gigawatt.model.plan import Claim, Plan, Victim
from gigawatt.scheduler.ask import Ask, ask_at
from gigawatt.scheduler.books import Books
from gigawatt.scheduler.claims import Claims, Lot, keep
from gigawatt.scheduler.ground import Ground, reach
from gigawatt.scheduler.place import Spot, choose
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.reclaim import Reclaim
from gigawatt.scheduler.released import copied, released
from gigawatt.scheduler.rights import Claimant, Consolidate, Preempt, Right, beyond, protected
from gigawatt.scheduler.room import Room
from gigawatt.scheduler.running import UNKNOWN_DEVICES, RunningColumns
from gigawatt.scheduler.share import Shares
from gigawatt.scheduler.snapshot import (
    CPU,
    GPU,
    NEVER_MS,
    NONE,
    Amounts,
    Codes,
    Flags,
    Rows,
    Snapshot,
)
from gigawatt.scheduler.victims import Search, pick

CPU_PART = 100  # a core of a gang without GPUs counts as a hundredth of a GPU
LOST_MAX_MS = 30 * 86_400_000  # beyond it, work counts as no dearer
ROOMS_MAX = 64  # that are kept, of what would be free without some gangs
TRIES = 3  # sets of gangs to move, each without those of the last that found no place
AGAIN_EVERY_MS = 60_000  # times at which plans are tried again are multiples of it

RIGHTS: tuple[Right, ...] = (Consolidate(), Reclaim(), Preempt())
"""In the order in which they are tried: to move is better than to stop, and to stop others than one's own."""

Devices = tuple[tuple[int, ...], ...]


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
    def holds(self) -> int: ...

    @property
    def holder_N(self) -> Codes: ...

    def ground(self, ask: Ask) -> Ground: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What stopping each gang costs, in milli-GPU × ms. Axis R."""

    lost_ms_R: Amounts
    lost_R: Amounts
    restart_R: Amounts

    @property
    def price_R(self) -> Amounts:
        return np.maximum(self.lost_R + self.restart_R, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A plan, and the room with all that it keeps taken."""

    plan: Plan
    room: Room


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """One gang that is to be planned for."""

    row: int
    search: Search  # its room is without those that are being stopped already


class Planner:
    """Makes the plans of one round. `again_ms` are times at which one that cannot be made now may be."""

    def __init__(self, turn: Turn, running: RunningColumns) -> None:
        self._turn = turn
        self._running = running
        self._costs: Costs | None = None
        self._ending_R = ~running.stoppable_R
        self._known_N = _known(turn.snapshot, running)
        self._beyond_R = beyond(running, turn.policy)
        self._protected_R = protected(running, turn.policy, turn.snapshot.now_ms)
        self._failed: set[tuple[int, int, int, int]] = set()
        self._made = 0
        self._books: Books | None = None
        self._base: tuple[tuple[int, int], Room] | None = None  # without those being stopped
        self._searches: dict[int, Search | None] = {}  # by ask
        self._searched_at = (0, 0), 0  # when, and with how many holds
        self._without: dict[tuple[tuple[int, int], bytes], Room] = {}  # and without some more
        self._may: dict[tuple[object, ...], Flags] = {}
        self._may_at = (0, 0)  # plans made, and gangs counted in shares, when `_may` was found
        self.again_ms: set[int] = set()

    def plan(self, row: int, ask: Ask) -> Made | None:
        """A plan for the gang of that row of the line, which finds no place; None where none can be made."""
        turn, gangs = self._turn, self._turn.snapshot.gangs
        if self._made == turn.policy.plans_max or ask.stacked:
            return None
        now_ms = turn.snapshot.now_ms
        until_ms = turn.claims.cooling_until(gangs.ids[row], turn.policy.claim_ms)
        if until_ms > now_ms or not ask.may_run(now_ms):
            return None
        asked = int(turn.ask_G[row])
        key = asked, int(gangs.tenant_G[row]), int(gangs.project_G[row]), int(gangs.priority_G[row])
        if key in self._failed:
            return None
        made = self._first(row, ask)
        if made is None:
            self._failed.add(key)
            return None
        self._made += 1
        ids = {victim.gang for victim in made.plan.victims}
        for gang in ids:
            self._ending_R[self._running.gangs.row(gang)] = True
        return made

    def _first(self, row: int, ask: Ask) -> Made | None:
        turn, running, now_ms = self._turn, self._running, self._turn.snapshot.now_ms
        costs = self._costs = self._costs or _costs(running, turn.policy, now_ms)
        claimant = Claimant(
            snapshot=turn.snapshot,
            row=row,
            asked=int(turn.ask_G[row]),
            ending_R=self._ending_R,
            shares=turn.shares,
            policy=turn.policy,
            lost_ms_R=costs.lost_ms_R,
            books=self._of_shares(),
        )
        never_R = self._beyond_R | self._ending_R
        now_R = ~(never_R | self._protected_R)
        wanted: _Wanted | None = None
        for right in RIGHTS:
            may_R = self._may_take(right, claimant)
            self._wake(may_R & ~never_R & ~now_R)
            may_R = may_R & now_R
            if not may_R.any():
                continue
            wanted = wanted or self._wanted(row, ask)
            if wanted is None:
                return None
            if not self._enough(wanted.search, may_R):
                continue
            made = self._by(right, wanted, may_R)
            if made is not None:
                return made
        return None

    def _of_shares(self) -> Books | None:
        shares = self._turn.shares
        if self._books is None and shares is not None:
            self._books = Books(shares=shares, running=self._running, ending_R=self._ending_R)
        return self._books

    def _may_take(self, right: Right, claimant: Claimant) -> Flags:
        """What the right says, which it says of all alike until a plan is made or a gang is counted."""
        gangs, shares, row = self._turn.snapshot.gangs, self._turn.shares, claimant.row
        at = self._made, 0 if shares is None else shares.taken
        if at != self._may_at:
            self._may_at = at
            self._may.clear()
        who = int(gangs.tenant_G[row]), int(gangs.project_G[row]), int(gangs.priority_G[row])
        key = right.taking, who, None if shares is None else shares.needs[claimant.asked]
        found = self._may.get(key)
        if found is None:
            found = self._may[key] = right.may_take(claimant, self._running)
        return found

    def _wanted(self, row: int, ask: Ask) -> _Wanted | None:
        """None where it will fit once those have gone that are being stopped already."""
        at, asked = (self._epoch(), self._turn.holds), int(self._turn.ask_G[row])
        if at != self._searched_at:
            self._searched_at = at
            self._searches.clear()
        if asked not in self._searches:
            self._searches[asked] = self._search(ask)
        search = self._searches[asked]
        return None if search is None else _Wanted(row=row, search=search)

    def _search(self, ask: Ask) -> Search | None:
        turn, room = self._turn, self._turn.room
        mask_N = turn.ground(ask).allowed_N & self._known_N
        if turn.holds:
            mask_N &= turn.holder_N == NONE
        base = room
        if self._ending_R.any():
            if self._base is None or self._base[0] != self._epoch():
                self._base = self._epoch(), released(room, self._running, self._ending_R)
            base = self._base[1]
        fits_N = mask_N & base.fits_N(ask.demand)
        if reach(turn.snapshot.nodes, ask, fits_N) >= ask.nodes_min:
            return None
        assert self._costs is not None
        return Search(
            room=base,
            running=self._running,
            ask=ask,
            mask_N=mask_N,
            price_R=self._costs.price_R,
        )

    def _enough(self, search: Search, may_R: Flags) -> bool:
        """Whether it would fit if all of these went: asked of many gangs, and mostly they are too few."""
        key = self._epoch(), may_R.tobytes()
        room = self._without.get(key)
        if room is None:
            if len(self._without) >= ROOMS_MAX:
                self._without.clear()
            room = self._without[key] = released(search.room, self._running, may_R)
        fits_N = search.mask_N & room.fits_N(search.ask.demand)
        return reach(room.nodes, search.ask, fits_N) >= search.ask.nodes_min

    def _epoch(self) -> tuple[int, int]:
        """Another one whenever the room is, or those that are being stopped are."""
        return len(self._turn.starts), self._made

    def _by(self, right: Right, wanted: _Wanted, may_R: Flags) -> Made | None:
        """A plan by one right: victims, the proof, and new places for those that move."""
        search = wanted.search
        ask, base = search.ask, search.room
        least = replace(ask, nodes_max=ask.nodes_min)
        for _ in range(TRIES):
            gone_R = pick(search, may_R)
            if gone_R is None or not gone_R.any():
                return None
            after = released(base, self._running, gone_R)
            mask_N = search.mask_N & after.fits_N(ask.demand)
            spot = choose(after, least, mask_N, fit=self._turn.policy.fit)
            if spot is None:
                return None
            devices = after.take(ask.demand, spot.rows)
            left = copied(self._turn.room)
            keep(left, _lot(ask, spot, devices))
            left.settle()
            moves = self._moves(left, gone_R)
            stuck = [gang for gang in np.flatnonzero(gone_R).tolist() if gang not in moves]
            if not (right.must_move and stuck):
                plan = self._put_together(right, wanted.row, (spot, devices), gone_R, moves)
                return Made(plan=plan, room=left)
            may_R = may_R.copy()
            may_R[stuck] = False
        return None

    def _moves(self, left: Room, gone_R: Flags) -> dict[int, tuple[Spot, Devices]]:
        """Where victims go on now, the most important first; what they are given is taken from the room `left`."""
        turn, gangs = self._turn, self._running.gangs
        assert self._costs is not None
        victims = np.flatnonzero(gone_R)
        order = np.lexsort((victims, -self._costs.lost_R[victims], -gangs.priority_G[victims]))
        moves: dict[int, tuple[Spot, Devices]] = {}
        for gang in victims[order][: turn.policy.moves_max].tolist():
            ask = ask_at(gangs, gang)
            if not ask.may_run(turn.snapshot.now_ms):
                continue
            mask_N = turn.ground(ask).allowed_N & left.fits_N(ask.demand)
            if turn.holds:
                mask_N &= turn.holder_N == NONE
            spot = choose(left, ask, mask_N, fit=turn.policy.fit)
            if spot is not None:
                moves[gang] = spot, left.take(ask.demand, spot.rows, spot.places)
        return moves

    def _put_together(
        self,
        right: Right,
        row: int,
        placed: "tuple[Spot, Devices]",
        gone_R: Flags,
        moves: "dict[int, tuple[Spot, Devices]]",
    ) -> Plan:
        turn, running, costs = self._turn, self._running, self._costs
        assert costs is not None
        policy, ids = turn.policy, turn.snapshot.nodes.ids
        victims = np.flatnonzero(gone_R)
        grace_ms = int(running.grace_ms_R[victims].max())
        free_ms = turn.snapshot.now_ms + policy.notice_ms + grace_ms
        dated = Claim(nodes=(), free_ms=free_ms, until_ms=free_ms + policy.claim_ms)
        attempts, lost = running.attempt_R[victims].tolist(), costs.lost_R[victims].tolist()
        restarts = costs.restart_R[victims].tolist()
        of_victims = tuple(
            Victim(
                gang=running.gangs.ids[gang],
                attempt=attempt,
                lost=lost_one,
                restart=restart,
                claim=_claim(dated, ids, *moves[gang]) if gang in moves else None,
            )
            for gang, attempt, lost_one, restart in zip(
                victims.tolist(), attempts, lost, restarts, strict=True
            )
        )
        counted = replace(dated, stopped=len(victims) - len(moves), moved=len(moves))
        return Plan(
            gang=turn.snapshot.gangs.ids[row],
            taking=right.taking,
            victims=of_victims,
            claim=_claim(counted, ids, *placed),
            price=int(costs.price_R[victims].sum()),
            notice_ms=policy.notice_ms,
        )

    def _wake(self, young_R: Flags) -> None:
        """Try again once the first of these has run for long enough."""
        if young_R.any():
            running, policy = self._running, self._turn.policy
            at_ms = int(running.placed_ms_R[young_R].min()) + policy.min_run_ms
            self.again_ms.add(-(-at_ms // AGAIN_EVERY_MS) * AGAIN_EVERY_MS)


def _costs(running: RunningColumns, policy: Policy, now_ms: int) -> Costs:
    gangs, count = running.gangs, len(running.gangs.ids)
    places_R = np.bincount(running.owner_M, weights=running.places_M, minlength=count)
    gpu_R, cpu_R = gangs.per_node_GK[:, GPU], gangs.per_node_GK[:, CPU]
    weight_R = np.where(gpu_R > 0, gpu_R, cpu_R // CPU_PART) * places_R.astype(np.int64)
    lost_ms_R = np.where(running.saved_ms_R == NEVER_MS, 0, now_ms - running.saved_ms_R)
    lost_ms_R = np.clip(lost_ms_R, 0, LOST_MAX_MS)
    return Costs(
        lost_ms_R=lost_ms_R, lost_R=lost_ms_R * weight_R, restart_R=policy.restart_ms * weight_R
    )


def _known(snapshot: Snapshot, running: RunningColumns) -> Flags:
    """Nodes of which every device can be told: elsewhere what would be free is not known."""
    known_N = np.ones(len(snapshot.nodes.ids), dtype=np.bool_)
    unknown = running.node_M[running.devices_M == UNKNOWN_DEVICES]
    known_N[unknown[unknown != NONE]] = False
    return known_N


def _lot(ask: Ask, spot: Spot, devices: Devices) -> Lot:
    bits = [sum(1 << place for place in on) for on in devices] or [0] * len(spot.rows)
    return Lot(
        rows=spot.rows,
        places=np.ones(len(spot.rows), dtype=np.int64),
        bits=np.array(bits, dtype=np.int64),
        per_node=ask.demand.vector(),
        alone=ask.demand.alone,
    )


def _claim(
    dated: Claim, ids: tuple[str, ...], spot: Spot, devices: Iterable[tuple[int, ...]]
) -> Claim:
    return replace(
        dated,
        nodes=tuple(ids[int(row)] for row in spot.rows),
        gpus=tuple(devices),
        places=() if spot.places is None else tuple(spot.places.tolist()),
    )
