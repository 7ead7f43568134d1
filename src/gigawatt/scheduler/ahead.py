"""The line played forward: the production round, again and again, at the times at which what runs should end.

What is played is the policy itself on a snapshot that this module moves on: gangs that start leave the line and take
what they are given, gangs that should have ended give it back. Times at which little changes are put together, so that
the number of rounds is bounded whatever the length of the line: the further ahead, the coarser.

Left out: gangs that nobody has submitted yet, plans that stop or move others, feeds of power, and who keeps apart from
whom.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.model.decision import Start
from gigawatt.model.gang import Isolation
from gigawatt.model.values import replace
from gigawatt.scheduler.decide import finish
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.snapshot import (
    DEVICE_BITS,
    DEVICE_MILLI,
    GANG_CODES,
    GANG_NUMBERS,
    GPU,
    ISOLATIONS,
    NEVER_MS,
    NONE,
    Amounts,
    GangColumns,
    KindColumns,
    NodeColumns,
    Rows,
    Snapshot,
)

ROUNDS_MAX = 64
TOGETHER = 0.1  # what ends within such a part of the time since now ends together
TOGETHER_MS = 1_000  # and what ends within this


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a gang has, on each of `rows` so many `places` of `amounts` and these `devices`, until `end_ms`.

    `alone` closes its nodes to others.
    `must_ms` is when it must have ended, which is all that the policy knows of its end; NEVER where that is not known.
    """

    rows: Rows
    places: Rows
    amounts: tuple[int, ...]
    devices: tuple[tuple[int, ...], ...]
    alone: bool
    owner: str
    end_ms: int
    must_ms: int


class Ahead:
    """One play. `runs_ms` says of a gang in the line how long it would run; `advance` until it says that it is over."""

    def __init__(
        self,
        snapshot: Snapshot,
        policy: Policy,
        held: Iterable[Held],
        *,
        runs_ms: Mapping[str, int],
        rounds_max: int = ROUNDS_MAX,
    ) -> None:
        self.began_ms = self.now_ms = snapshot.now_ms
        self.starts: dict[str, int] = {}  # when each gang starts, as far as it is known by now
        self.rounds = 0
        self.looked = 0  # at gangs, over all rounds
        self._policy = replace(policy, preempt=False, consolidate=False, reclaim=False)
        self._rounds_max = rounds_max
        self._runs_ms = runs_ms
        self._snapshot = replace(
            snapshot,
            nodes=_own(snapshot.nodes),
            running=None,
            claims=None,
            power=None,
            apart=None,
            shares=_own_shares(snapshot),
            kinds=_own_kinds(snapshot),
        )
        self._ends: list[tuple[int, int, Held]] = []
        self._count = 0
        for each in held:
            self._await(each)
        self._again_ms = 0

    def advance(self) -> bool:
        """One round, and on to the next time; whether there is more to come."""
        if not len(self._snapshot.gangs.ids) or self.rounds == self._rounds_max:
            return False
        self.rounds += 1
        self.looked += len(self._snapshot.gangs.ids)
        decision = finish(self._snapshot, self._policy).started()
        self._again_ms = decision.again_ms
        self._snapshot = replace(self._snapshot, resume=decision.resume, hold=decision.hold)
        if decision.starts:
            self._start(decision.starts)
        return bool(len(self._snapshot.gangs.ids)) and self._pass()

    def known(self) -> tuple[str, ...]:
        """The gangs of which it can say anything by now."""
        return (*self.starts, *(self._snapshot.gangs.ids if self._cut else ()))

    def start_ms(self, gang: str) -> int | None:
        """When it starts, at the earliest where rounds have ended before that; None where nothing lets it start."""
        return self.starts.get(gang, self.now_ms if self._cut else None)

    @property
    def nodes(self) -> NodeColumns:
        """As they are by now in the play. Not to be written to."""
        return self._snapshot.nodes

    @property
    def _cut(self) -> bool:
        """Whether it has ended before the line did."""
        return self.rounds == self._rounds_max

    def _start(self, starts: tuple[Start, ...]) -> None:
        gangs, now_ms = self._snapshot.gangs, self.now_ms
        kept = np.ones(len(gangs.ids), dtype=np.bool_)
        for start in starts:
            row = gangs.row(start.gang)
            kept[row] = False
            self.starts[start.gang] = now_ms
            limit_ms = int(gangs.duration_ms_G[row])
            tenant = gangs.tenants[int(gangs.tenant_G[row])]
            project = gangs.projects[int(gangs.project_G[row])]
            rows = np.array([self._snapshot.nodes.row(node) for node in start.nodes])
            held = Held(
                rows=rows,
                places=np.array(start.places)
                if start.places
                else np.ones(len(rows), dtype=np.intp),
                amounts=tuple(gangs.per_node_GK[row].tolist()),
                devices=start.gpus,
                alone=ISOLATIONS[int(gangs.isolation_G[row])] is Isolation.NODE,
                owner=f"{tenant}/{project}",
                end_ms=now_ms + max(self._runs_ms[start.gang], 1),
                must_ms=now_ms + limit_ms if limit_ms else NEVER_MS,
            )
            self._take(held)
            self._await(held)
        self._snapshot = replace(self._snapshot, gangs=_kept(gangs, kept))

    def _pass(self) -> bool:
        """On to the next time at which enough has ended, or the policy wants to look again; False if there is none."""
        times = [at_ms for at_ms in (self._again_ms,) if at_ms]
        if self._again_ms == self.now_ms and self._snapshot.resume:
            return True
        if self._ends:
            times.append(self._ends[0][0])
        if not times:
            return False
        first_ms = max(min(times), self.now_ms)
        until_ms = first_ms + max(int((first_ms - self.began_ms) * TOGETHER), TOGETHER_MS)
        self.now_ms = first_ms
        while self._ends and self._ends[0][0] <= until_ms:
            end_ms, _, held = heapq.heappop(self._ends)
            self.now_ms = max(self.now_ms, end_ms)
            self._take(held, sign=-1)
        self._snapshot = replace(self._snapshot, now_ms=self.now_ms)
        return True

    def _await(self, held: Held) -> None:
        if held.end_ms != NEVER_MS:
            self._count += 1
            heapq.heappush(self._ends, (held.end_ms, self._count, held))

    def _take(self, held: Held, *, sign: int = 1) -> None:
        """Give nodes to a gang; with a `sign` of -1 it gives them back."""
        nodes, rows = self._snapshot.nodes, held.rows
        amounts_RK = np.multiply.outer(held.places, np.array(held.amounts, dtype=np.int64))
        nodes.free_NK[rows] -= sign * amounts_RK
        if self._policy.needs_uses:
            nodes = self._use(held, amounts_RK, sign)
        nodes.gangs_N[rows] += sign
        milli = sign * min(held.amounts[0], DEVICE_MILLI)
        for row, devices in zip(rows.tolist(), held.devices, strict=False):
            nodes.device_free_ND[row, list(devices)] -= milli
        if held.alone and sign > 0:
            nodes.sealed_N[rows] = True
        elif sign < 0:
            nodes.sealed_N[rows] &= nodes.gangs_N[rows] > 0
        shares = self._snapshot.shares
        if shares is not None and (owner := shares.row(held.owner)) != NONE:
            shares.used_PK[owner] += sign * amounts_RK.sum(axis=0)
            self._use_kinds(owner, rows, sign * amounts_RK[:, GPU])

    def _use_kinds(self, owner: int, rows: Rows, gpus_R: Amounts) -> None:
        """Count GPUs by kind, where anybody may use so much of one."""
        kinds, nodes = self._snapshot.kinds, self._snapshot.nodes
        if kinds is None or not gpus_R.any():
            return
        place_of = np.array([kinds.kinds.index(kind) for kind in nodes.gpu_kinds], dtype=np.intp)
        codes = nodes.gpu_kind_N[rows]
        known = codes != NONE
        np.add.at(kinds.used_PB[owner], place_of[codes[known]], gpus_R[known])

    def _use(self, held: Held, amounts_RK: Any, sign: int) -> NodeColumns:
        """Note when the gang must have ended on its nodes, or that it has."""
        nodes, rows = self._snapshot.nodes, held.rows
        bits = [sum(1 << place for place in of if place < DEVICE_BITS) for of in held.devices]
        use_RV = np.column_stack(
            [
                np.full(len(rows), held.must_ms),
                amounts_RK,
                np.array(bits or [0] * len(rows), dtype=np.int64),
            ]
        )
        counts = nodes.gangs_N[rows]
        if sign > 0:
            if counts.max(initial=0) >= nodes.use_end_NU.shape[1]:
                nodes = _widened(nodes)
                self._snapshot = replace(self._snapshot, nodes=nodes)
            for column, values in zip(_uses(nodes), use_RV.T, strict=True):
                column[rows, counts] = values
            return nodes
        same = np.ones((len(rows), nodes.use_end_NU.shape[1]), dtype=np.bool_)
        for column, values in zip(_uses(nodes), use_RV.T, strict=True):
            same &= column[rows] == values[:, np.newaxis]
        at = same.argmax(axis=1)
        for column in _uses(nodes):
            column[rows, at] = column[rows, counts - 1]
        return nodes


def _own(nodes: NodeColumns) -> NodeColumns:
    """The same nodes, whose changing columns may be written to."""
    names = ("free_NK", "device_free_ND", "gangs_N", "sealed_N")
    uses = ("use_end_NU", "use_gpu_NU", "use_cpu_NU", "use_memory_NU", "use_devices_NU")
    columns: dict[str, Any] = {name: np.array(getattr(nodes, name)) for name in (*names, *uses)}
    return replace(nodes, **columns)


def _own_shares(snapshot: Snapshot) -> Any:
    shares = snapshot.shares
    return None if shares is None else replace(shares, used_PK=shares.used_PK.copy())


def _own_kinds(snapshot: Snapshot) -> KindColumns | None:
    kinds = snapshot.kinds
    return None if kinds is None else replace(kinds, used_PB=kinds.used_PB.copy())


def _uses(nodes: NodeColumns) -> tuple[Any, ...]:
    return (
        nodes.use_end_NU,
        nodes.use_gpu_NU,
        nodes.use_cpu_NU,
        nodes.use_memory_NU,
        nodes.use_devices_NU,
    )


def _widened(nodes: NodeColumns) -> NodeColumns:
    names = ("use_end_NU", "use_gpu_NU", "use_cpu_NU", "use_memory_NU", "use_devices_NU")
    columns: dict[str, Any] = {
        name: np.pad(getattr(nodes, name), ((0, 0), (0, max(4, getattr(nodes, name).shape[1]))))
        for name in names
    }
    return replace(nodes, **columns)


def _kept(gangs: GangColumns, kept: Any) -> GangColumns:
    """The line with only those that are `kept`."""
    rows = np.flatnonzero(kept)
    columns: dict[str, Any] = {
        name: getattr(gangs, name)[rows] for name in (*GANG_NUMBERS, *GANG_CODES)
    }
    return replace(gangs, ids=tuple([gangs.ids[row] for row in rows.tolist()]), **columns)
