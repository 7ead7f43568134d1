"""One round through the line: what has been started, what found no place, and what is kept for whom."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gigawatt.model.decision import Hold, Start
from gigawatt.model.plan import Plan
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.model.values import replace
from gigawatt.scheduler.alike import Alike
from gigawatt.scheduler.apart import apart_of
from gigawatt.scheduler.ask import Ask, distinct_asks
from gigawatt.scheduler.claims import Claims
from gigawatt.scheduler.fair import FairLine
from gigawatt.scheduler.ground import Ground, ground, reach, usable_N
from gigawatt.scheduler.holds import dated, still_held
from gigawatt.scheduler.index import Index, Memo
from gigawatt.scheduler.later import Given
from gigawatt.scheduler.packed import packer_of
from gigawatt.scheduler.payers import full_N, told_apart
from gigawatt.scheduler.place import Spot, choose
from gigawatt.scheduler.plan import Planner
from gigawatt.scheduler.policy import Line, Policy
from gigawatt.scheduler.power import power_of
from gigawatt.scheduler.reserved import reserved_of
from gigawatt.scheduler.room import Rest, Room
from gigawatt.scheduler.share import shares_of
from gigawatt.scheduler.snapshot import NEVER_MS, NONE, Amounts, Codes, Flags, Rows, Snapshot

GROUNDS_MAX = 256  # asks whose ground is kept; beyond it the oldest is worked out again when needed


@dataclass(slots=True, kw_only=True)
class Refused:
    """An ask that found no place: for the rest of the round it need not be tried, since nothing becomes free."""

    row: int  # of the first that asked it
    holds_before: int  # holds of gangs ahead of that
    holds: bool = False  # whether one that asked it keeps nodes itself


class Round:
    """Takes gangs one after another, in the order given, and writes to nothing but itself and the index it is lent."""

    def __init__(self, snapshot: Snapshot, policy: Policy, memo: Memo | None = None) -> None:
        self.snapshot = snapshot
        self.policy = policy
        index = memo.lend(snapshot.nodes) if memo is not None and policy.indexed else None
        self._index = index
        self._last: tuple[Index, int] | None = None  # as it was when it was given back
        self._room: Room | None = None  # made when something asks that the index does not answer
        self._in_room = 0  # how many of `_given` it has been told
        self._rest: Rest | None = None  # what the index knew when it was given back
        self.nevers = {} if index is None else index.nevers
        self.asks, self.ask_G = (
            distinct_asks(snapshot.gangs) if memo is None else memo.asked(snapshot.gangs)
        )
        self.apart = apart_of(snapshot)
        if self.apart is not None:
            self.asks, self.ask_G = self.apart.told_apart(snapshot.gangs, self.asks, self.ask_G)
        self.reserved = reserved_of(snapshot)
        if self.reserved is not None:
            self.asks, self.ask_G = self.reserved.told_apart(snapshot.gangs, self.asks, self.ask_G)
        self.starts: dict[int, Start] = {}
        self.steps = 0
        self.resume = ""
        self.blocked, self.head = False, NONE  # the policy starts nothing behind this row
        self.kept_back = False  # nodes that are free were kept from somebody
        self.hold = still_held(snapshot, policy)
        self.spare: Room | None = None  # beside the hold, when it begins
        self.holds = 0
        self.holder_N: Codes = np.full(len(snapshot.nodes.ids), NONE, dtype=np.int32)
        self.refused: dict[tuple[int, bool], Refused] = {}
        overdue_ms = snapshot.now_ms - snapshot.gangs.queued_ms_G
        self.overdue_G = overdue_ms > policy.hold_after_ms
        self._grounds: dict[Ask, Ground] = {}
        self._given: list[Given] = []
        self.shares = shares_of(snapshot, policy, self.asks, memo and memo.frames)
        if self.shares is not None:
            self.asks, self.ask_G = told_apart(self.shares, self.asks, self.ask_G)
        self.claims = Claims(snapshot, lambda: self.room)
        self.power = power_of(snapshot)
        self.plans: dict[int, Plan] = {}
        self._claimed: set[int] = set()  # what is kept for them counts as theirs already
        running = snapshot.running if policy.plans else None
        self.planner = None if running is None else Planner(self, running)
        self._start_claimed()

    @property
    def room(self) -> Room:
        """What is free now."""
        if self._room is None:
            self._room = Room(self.snapshot.nodes, packer_of(self.snapshot, self.policy))
            if self._rest is not None:
                self._room.put(self._rest)
                self._in_room = len(self._given)
        for each in self._given[self._in_room :]:
            self._room.take(each.demand, each.rows, each.places)
        self._in_room = len(self._given)
        return self._room

    def advance(self, rows: Rows | FairLine | Iterator[int]) -> None:
        """Give gangs their turn, in the order of `rows`, until the policy's steps are used up."""
        ids, alike = self.snapshot.gangs.ids, Alike(self)
        durations: list[int] = self.snapshot.gangs.duration_ms_G.tolist()
        asks: list[int] = self.ask_G.tolist()
        in_turn = rows.tolist() if isinstance(rows, np.ndarray) else rows
        awaited = self._awaited_row()
        again = self.policy.line is Line.BACKFILL  # those that wait longer may hold nodes
        for row in alike.left(in_turn):
            if self.resume or self.blocked:
                return
            index, duration_ms = asks[row], durations[row]
            if row == awaited or row in self.starts or row in self.plans:
                continue
            if row not in self._claimed and self._over_limit(row, index):
                continue
            key = index, self.too_long(duration_ms)
            refused = self.refused.get(key)
            if refused is None:
                if self.steps == self.policy.steps_max:
                    self.resume = ids[row]
                    return
                self.steps += 1
                start = self._start(row, self.asks[index], duration_ms)
                if start is not None:
                    self.starts[row] = start
                    continue
                if self._planned(row, self.asks[index]):
                    continue
                refused = self.refused[key] = Refused(row=row, holds_before=self.holds)
            elif self._planned(row, self.asks[index]) or not again:
                continue
            self._refuse(row, index, refused)
            alike.refused(row)

    def close(self) -> None:
        """Give the index back: the next round changes it."""
        if self._index is not None:
            self._last = self._index, self._index.stamp
            if self._room is None:
                self._rest = self._index.rest()
        self._index = None

    @property
    def index(self) -> Index | None:
        """The index as it is after all that was started; None once it is another's, or where it would not be right."""
        if self._index is not None or self._last is None:
            return self._index
        index, stamp = self._last
        return index if index.stamp == stamp else None

    def place(self, ask: Ask, duration_ms: int = 0) -> Spot | None:
        """Where a gang that asks this would go if it were its turn now; None where it would have to wait."""
        if self.blocked or not ask.may_run(self.snapshot.now_ms):
            return None
        index = self._index
        if index is not None and index.answers(ask):
            rows = index.find(ask)
            if rows is None:  # what is kept for others can only make it fewer
                return None
            if not self.holds and self._carried(ask, rows):
                return Spot(rows=rows)
        self.kept_back |= bool(self.holds)
        mask_N = self.allowed_N(ask) & self.room.fits_N(ask.demand)
        if self.holds:
            mask_N &= self.holder_N == NONE
        places_N = self.room.places_N(ask.demand) if ask.stacked else None
        if self.spare is not None and self.too_long(duration_ms):
            mask_N &= self.spare.fits_N(ask.demand)
            if places_N is not None:
                places_N = np.minimum(places_N, self.spare.places_N(ask.demand))
        choosing = choose if self.power is None else self.power.spot
        return choosing(self.room, ask, mask_N, fit=self.policy.fit, places_N=places_N)

    def allowed(self, row: int, ask: Ask) -> bool:
        """Whether the limits of the gang's project leave room for what it would ask."""
        shares = self.shares
        if shares is None or row == NONE:
            return True
        return shares.leaves(shares.node_G[row], shares.vectors.sure(ask, ask.nodes_min))

    def awaited(self, row: int) -> bool:
        """Whether the gang has a hold of which the time has not come, so that it is not tried."""
        hold = self.hold
        return (
            hold is not None
            and self.policy.line is Line.EASY_DATED
            and hold.gang == self.snapshot.gangs.ids[row]
            and hold.at_ms > self.snapshot.now_ms
        )

    def too_long(self, duration_ms: int) -> bool:
        """Whether a gang that may run so long (0 is not known) may still run when the hold begins."""
        if self.spare is None or self.hold is None:
            return False
        return not duration_ms or self.snapshot.now_ms + duration_ms > self.hold.at_ms

    def ground(self, ask: Ask) -> Ground:
        """Where the ask could go at all."""
        land = self._grounds.get(ask)
        if land is None:
            if len(self._grounds) >= GROUNDS_MAX:
                del self._grounds[next(iter(self._grounds))]
            land = self._grounds[ask] = ground(self.snapshot.nodes, ask)
        return land

    def allowed_N(self, ask: Ask) -> Flags:
        """Where it may go as things are: not beside those that it keeps apart from, nor where others have reserved, nor
        beyond its project's limits.
        """
        allowed_N = self.ground(ask).allowed_N
        if self.shares is not None and ask.payer != NONE:
            allowed_N = allowed_N & ~full_N(self.shares, ask, self.snapshot.nodes)
        if self.apart is not None and ask.wear != NONE:
            allowed_N = allowed_N & ~self.apart.barred_N(ask.wear)
        if self.reserved is not None and ask.reserved != NONE:
            allowed_N = allowed_N & ~self.reserved.barred_N(ask.reserved)
        return allowed_N

    def _awaited_row(self) -> int:
        row = self.snapshot.gangs.row(self.hold.gang) if self.hold else NONE
        return row if row != NONE and self.awaited(row) else NONE

    def _over_limit(self, row: int, index: int) -> bool:
        """Whether what its project may use leaves no room for it, wherever it would go."""
        shares = self.shares
        if shares is None:
            return False
        strict = self.policy.line is Line.FIFO
        return shares.over(row, shares.node_G[row], shares.sure[index], strict=strict)

    def _carried(self, ask: Ask, rows: Rows) -> bool:
        """Whether power and limits allow what the index has found, which knows of neither."""
        if self.power is not None and not self.power.carries(ask, rows):
            return False
        if self.shares is None or ask.payer == NONE:
            return True
        return not full_N(self.shares, ask, self.snapshot.nodes)[rows].any()

    def _start_claimed(self) -> None:
        """Start those for which enough is kept and free by now: nobody's turn comes before that."""
        if self.claims:
            self._index = None  # it knows nothing of what is kept
        gangs = self.snapshot.gangs
        for gang in self.claims.standing():
            row = gangs.row(gang)
            if row == NONE:
                continue
            index = int(self.ask_G[row])
            ask = self.asks[index]
            if self._over_limit(row, index):
                continue
            may = self.power is None or self.power.sound(gang)
            may &= ask.may_run(self.snapshot.now_ms)
            kept = self.claims.kept(gang)
            start = self.claims.start(self.room, gang) if may else None
            borrows = self._counted(row, ask, *kept)
            if start is None:
                self._claimed.add(row)
                continue
            self.starts[row] = replace(start, borrows=borrows)
            if self.hold is not None and self.hold.gang == gang:
                self.hold = None

    def _planned(self, row: int, ask: Ask) -> bool:
        """Whether others stop or move for the gang, which finds no place of its own."""
        planned = self.snapshot.gangs.ids[row] in self.claims
        if not planned and self.planner is not None and self.spare is None:
            made = self.planner.plan(row, ask)
            if made is not None:
                self.plans[row], self._room, planned = made.plan, made.room, True
                self._counted(row, ask, made.spot.rows, made.spot.places)
                self._index = None  # it knows nothing of what is kept
        self.blocked |= planned and self.policy.line is Line.FIFO
        return planned

    def _start(self, row: int, ask: Ask, duration_ms: int) -> Start | None:
        if self.shares is not None:
            ask = self.shares.cut(self.shares.node_G[row], ask)
        spot = self.place(ask, duration_ms)
        if spot is None:
            return None
        if self.snapshot.gangs.ids[row] in self.claims:
            self.claims.drop(self.room, self.snapshot.gangs.ids[row])
            if self.power is not None:
                self.power.drop(self.snapshot.gangs.ids[row])
        devices = self._take(ask, spot)
        if self.power is not None:
            self.power.take(ask, spot.rows, spot.places)
        if self.apart is not None:
            self.apart.note(ask.wear, spot.rows)
        if self.spare is not None and self.too_long(duration_ms):
            self.spare.take(ask.demand, spot.rows, spot.places)
        end_ms = self.snapshot.now_ms + duration_ms if duration_ms else NEVER_MS
        self._given.append(
            Given(
                demand=ask.demand,
                rows=spot.rows,
                places=spot.places,
                devices=devices,
                end_ms=end_ms,
            )
        )
        gang, ids = self.snapshot.gangs.ids[row], self.snapshot.nodes.ids
        rows: list[int] = spot.rows.tolist()
        if self.hold is not None and self.hold.gang == gang:
            self.hold = None
        nodes = tuple([ids[node] for node in rows])
        own = len(nodes) - spot.spares
        return Start(
            gang=gang,
            nodes=nodes[:own],
            spares=nodes[own:],
            gpus=devices,
            places=() if spot.places is None else tuple(spot.places.tolist()),
            borrows=self._counted(row, ask, spot.rows, spot.places),
        )

    def _counted(self, row: int, ask: Ask, rows: Rows, places: Amounts | None) -> str:
        """Count what is started against its project; who borrows by it."""
        if self.shares is None:
            return ""
        node = self.shares.node_G[row]
        self.shares.take(node, self.shares.vectors.on(ask, rows, places))
        return self.shares.borrower(node)

    def freed(self, row: int) -> Reason | None:
        """What is being freed for a gang that waits; None for most."""
        plan, gang = self.plans.get(row), self.snapshot.gangs.ids[row]
        if plan is not None:
            claim = plan.claim
            free_ms, stopped, moved = claim.free_ms, claim.stopped, claim.moved
        elif gang in self.claims:
            free_ms, stopped, moved = self.claims.told(gang)
        else:
            return None
        left_s = -(-max(free_ms - self.snapshot.now_ms, 0) // 1000)
        detail = f"{stopped} stop and {moved} move, in {left_s} s at the latest"
        return Reason(code=ReasonCode.BEING_FREED, need=free_ms, detail=detail)

    def wakes(self) -> list[int]:
        """Times at which plans and claims are to be looked at again although nothing changes."""
        planned = () if self.planner is None else sorted(self.planner.again_ms)
        until = [plan.claim.until_ms for plan in self.plans.values()]
        return [*self.claims.times(self.policy.claim_ms), *until, *planned]

    def _take(self, ask: Ask, spot: Spot) -> tuple[tuple[int, ...], ...]:
        """The devices given on each node."""
        if self._index is not None and spot.places is None:
            return self._index.take(ask.demand, spot.rows)
        self._index = None
        devices = self.room.take(ask.demand, spot.rows, spot.places)
        self._in_room += 1  # of what is given next
        return devices

    def _refuse(self, row: int, index: int, refused: Refused) -> None:
        """What the policy makes of a gang that waits."""
        ask = self.asks[index]
        if self.policy.line is Line.FIFO:
            self.blocked = ask.may_run(self.snapshot.now_ms)
            self.head = row if self.blocked else NONE
        elif self.policy.dated:
            if self.hold is None:
                self._date(row, ask)
        elif self.overdue_G[row] and not refused.holds:
            refused.holds = True
            self._hold(ask)

    def _date(self, row: int, ask: Ask) -> None:
        """Hold for the gang the time by which enough must have ended, and, if the policy does, what it needs then."""
        if not ask.may_run(self.snapshot.now_ms):
            return
        lasting_N = self.allowed_N(ask)
        if self.reserved is not None:
            lasting_N = self.reserved.lasting_N(self.snapshot, row, ask, lasting_N)
        found = dated(
            self.room,
            ask,
            lasting_N,
            now_ms=self.snapshot.now_ms,
            given=self._given,
            policy=self.policy,
        )
        if found is not None:
            at_ms, self.spare = found
            self.hold = Hold(gang=self.snapshot.gangs.ids[row], at_ms=at_ms)

    def _hold(self, ask: Ask) -> None:
        """Keep every node that it could be given from gangs behind it. What can never start now keeps none."""
        nodes = self.snapshot.nodes
        allowed_N = self.allowed_N(ask)
        if not ask.may_run(self.snapshot.now_ms) or reach(nodes, ask, allowed_N) < ask.nodes_min:
            return
        if self.power is not None and self.power.never(ask, allowed_N):
            return
        self.holder_N[usable_N(nodes, ask, allowed_N) & (self.holder_N == NONE)] = self.holds
        self.holds += 1
