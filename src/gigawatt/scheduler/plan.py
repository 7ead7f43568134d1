"""Plans: a gang that waits is given what others have, once the whole placement is proven.

A plan is made at the gang's own turn, by the first right (`rights`) with which it can be: victims are picked from
arrays (`victims`), then the placement function is asked about the room without them. Each victim that can go on
elsewhere now moves. All of it is kept from then on (`claims`), so nothing of it is given to anybody else.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gigawatt.model.plan import Claim, Plan, Victim
from gigawatt.model.values import replace
from gigawatt.scheduler.ask import Ask, ask_at
from gigawatt.scheduler.claims import Lot, keep
from gigawatt.scheduler.levels import Yield, crossing_ms
from gigawatt.scheduler.place import Spot, choose
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.power import Power
from gigawatt.scheduler.prospects import Prospects, Turn
from gigawatt.scheduler.proven import place_without, proven
from gigawatt.scheduler.reclaim import Reclaim
from gigawatt.scheduler.released import copied, released
from gigawatt.scheduler.rights import Claimant, Consolidate, Preempt, Right, beyond, protected
from gigawatt.scheduler.room import Room
from gigawatt.scheduler.running import RunningColumns, kind_of
from gigawatt.scheduler.snapshot import (
    CPU,
    GPU,
    NEVER_MS,
    NONE,
    Amounts,
    Flags,
)
from gigawatt.scheduler.victims import Search, pick

CPU_PART = 100  # a core of a gang without GPUs counts as a hundredth of a GPU
LOST_MAX_MS = 30 * 86_400_000  # beyond it, work counts as no dearer
TRIES = 3  # sets of gangs to move, each without those of the last that found no place
AGAIN_EVERY_MS = 60_000  # times at which plans are tried again are multiples of it

RIGHTS: tuple[Right, ...] = (
    Consolidate(),
    Reclaim(),
    Yield(last=True),
    Yield(last=False),
    Preempt(),
)
"""In the order in which they are tried: to move is better than to stop, and to stop others than one's own."""

Devices = tuple[tuple[int, ...], ...]


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
    spot: Spot
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
        self._prospects = Prospects(turn, running, self._ending_R)
        self._beyond_R = beyond(running, turn.policy)
        self._protected_R = protected(running, turn.policy, turn.snapshot.now_ms)
        self._failed: set[tuple[int, int, int, int, int]] = set()
        self._made = 0
        self._rights = tuple([right for right in RIGHTS if right.given(turn.policy)])
        self._crossing = False  # `again_ms` has when the next is to be asked to yield
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
        if turn.shares is not None and turn.shares.vectors.kinds and ask.kinds:
            ask = replace(ask, kinds=ask.kinds[:1])  # rights are by the kind that it wants most
        asked = int(turn.ask_G[row])
        key = asked, *self._prospects.kind_of(row)
        if key in self._failed:
            return None
        made = self._first(row, ask)
        if made is None:
            self._failed.add(key)
            self._wake_at_crossing()
            return None
        self._made += 1
        self._prospects.planned()
        ids = {victim.gang for victim in made.plan.victims}
        for gang in ids:
            self._ending_R[self._running.gangs.row(gang)] = True
        return made

    def given_up(self, row: int) -> bool:
        """Whether none can be made any more in this round for a gang like that of the row, whatever else is started."""
        key = int(self._turn.ask_G[row]), *self._prospects.kind_of(row)
        return self._made == self._turn.policy.plans_max or key in self._failed

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
            books=self._prospects.books,
        )
        never_R = self._beyond_R | self._ending_R
        now_R = ~(never_R | self._protected_R)
        wanted: _Wanted | None = None
        for right in self._rights:
            may_R = self._prospects.may_take(right, claimant)
            if may_R is None:
                continue
            self._wake(may_R & ~never_R & ~now_R)
            may_R = may_R & now_R
            if not may_R.any():
                continue
            wanted = wanted or self._wanted(row, ask)
            if wanted is None:
                return None
            if not self._prospects.enough(wanted.search, may_R):
                continue
            made = self._by(right, wanted, may_R)
            if made is not None:
                return made
        return None

    def _wanted(self, row: int, ask: Ask) -> _Wanted | None:
        """None where it will fit once those have gone that are being stopped already."""
        assert self._costs is not None
        search = self._prospects.search(int(self._turn.ask_G[row]), ask, self._costs.price_R)
        return None if search is None else _Wanted(row=row, search=search)

    def _by(self, right: Right, wanted: _Wanted, may_R: Flags) -> Made | None:
        """A plan by one right: victims, the proof, and new places for those that move."""
        search = wanted.search
        ask, base = search.ask, search.room
        least = replace(ask, nodes_max=ask.nodes_min)
        for _ in range(TRIES):
            picked = self._picked(search, may_R)
            if picked is None:
                return None
            gone_R, mask_N = picked
            after = released(base, self._running, gone_R)
            power = self._power_after(gone_R)
            choosing = choose if power is None else power.spot
            spot = choosing(
                after, least, mask_N & after.fits_N(ask.demand), fit=self._turn.policy.fit
            )
            if spot is None:
                return None
            devices = after.take(ask.demand, spot.rows)
            if power is not None:
                power.take(ask, spot.rows)
            left = copied(self._turn.room)
            keep(left, _lot(ask, spot, devices))
            left.settle()
            moves = self._moves(left, gone_R, power)
            stuck = [gang for gang in np.flatnonzero(gone_R).tolist() if gang not in moves]
            if not (right.must_move and stuck):
                self._draw(ask, spot, moves)
                plan = self._put_together(right, wanted.row, (spot, devices), gone_R, moves)
                return Made(plan=plan, spot=spot, room=left)
            may_R = may_R.copy()
            may_R[stuck] = False
        return None

    def _picked(self, search: Search, may_R: Flags) -> tuple[Flags, Flags] | None:
        """Those that go, and the nodes among which the placement is then to choose."""
        power, fit = self._power_after(np.zeros_like(may_R)), self._turn.policy.fit
        if not search.ask.terms.arranged:
            gone_R = pick(search, may_R)
            if gone_R is None or (power is None and not gone_R.any()):
                return None
            if power is None or (
                gone_R.any() and place_without(search, gone_R, power, fit) is not None
            ):
                return gone_R, search.mask_N
        found = proven(search, may_R, power, fit)
        if found is None or not found[0].any():
            return None
        mask_N = np.zeros_like(search.mask_N)
        mask_N[found[1]] = True
        return found[0], mask_N

    def _power_after(self, gone_R: Flags) -> Power | None:
        """What feeds carry once these have gone, and those that are being stopped already."""
        power = self._turn.power
        return power and power.without(self._running, gone_R | self._ending_R)

    def _draw(self, ask: Ask, spot: Spot, moves: "dict[int, tuple[Spot, Devices]]") -> None:
        """What is kept from now on counts as drawn, and as where the gangs are."""
        power, apart = self._turn.power, self._turn.apart
        if power is None and apart is None:
            return
        kept = [(self._asked(gang), place) for gang, (place, _) in moves.items()]
        for each, place in [(ask, spot), *kept]:
            if power is not None:
                power.take(each, place.rows, place.places)
            if apart is not None:
                apart.note(each.wear, place.rows)

    def _asked(self, gang: int) -> Ask:
        """What the running gang of that row asks for."""
        gangs, turn = self._running.gangs, self._turn
        ask = ask_at(gangs, gang)
        if turn.shares is not None and turn.shares.bounds_kinds:
            ask = replace(ask, kinds=kind_of(self._running, turn.snapshot.nodes, gang))
        if turn.apart is not None:
            ask = replace(ask, wear=turn.apart.wearing(gangs.ids[gang]))
        if turn.reserved is not None:
            ask = turn.reserved.told(ask, gangs, gang)
        return ask

    def _moves(
        self, left: Room, gone_R: Flags, power: Power | None
    ) -> dict[int, tuple[Spot, Devices]]:
        """Where victims go on now, the most important first; what they are given is taken from the room `left`."""
        turn, gangs = self._turn, self._running.gangs
        assert self._costs is not None
        victims = np.flatnonzero(gone_R)
        order = np.lexsort((victims, -self._costs.lost_R[victims], -gangs.priority_G[victims]))
        moves: dict[int, tuple[Spot, Devices]] = {}
        for gang in victims[order][: turn.policy.moves_max].tolist():
            ask = self._asked(gang)
            if not ask.may_run(turn.snapshot.now_ms):
                continue
            mask_N = turn.allowed_N(ask) & left.fits_N(ask.demand)
            if turn.holds:
                mask_N &= turn.holder_N == NONE
            choosing = choose if power is None else power.spot
            spot = choosing(left, ask, mask_N, fit=turn.policy.fit)
            if spot is not None:
                if power is not None:
                    power.take(ask, spot.rows, spot.places)
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

    def _wake_at_crossing(self) -> None:
        """Try again once the next gang that runs may be asked to yield."""
        if self._turn.policy.yields and not self._crossing:
            self._crossing = True  # the same for all of a round
            at_ms = crossing_ms(self._running, self._turn.policy, self._turn.snapshot.now_ms)
            if at_ms is not None:
                self.again_ms.add(-(-at_ms // AGAIN_EVERY_MS) * AGAIN_EVERY_MS)

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
        spares=spot.spares,
    )
