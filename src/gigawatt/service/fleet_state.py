"""What is on the map: which gang is on which devices of which node, and how nodes are; kept up to date by what changed.

N  nodes, as in the layout
S  slots: gangs that hold nodes. A gang keeps its slot as long as it runs, whatever others do
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import compress
from operator import is_not
from typing import Any

import numpy as np
import numpy.typing as npt

from gigawatt.model.attempt import AttemptPhase
from gigawatt.model.endpoint import Replica
from gigawatt.model.health import Outcome
from gigawatt.model.job import Job
from gigawatt.model.node import Node, NodeState
from gigawatt.model.power import CORE_WATTS
from gigawatt.model.suspicion import score
from gigawatt.model.work import Work
from gigawatt.scheduler.facts import Footprint, devices_of, footprint
from gigawatt.service.fleet_layout import DEVICES_MAX, Layout, layout_of
from gigawatt.service.ports import Fleet

STATES = tuple(each.value for each in NodeState)
CHECKS = ("", *(each.value for each in Outcome))  # from none to the worst
PHASES = ("other", "starting", "running", "serving", "workspace", "stopping")
EMPTY = -1
SUSPICION_UNIT = 100  # thousandths of a failure
U8_MAX = 255
_HEAT = re.compile(r"(\d{1,3}) degrees")
_DRAWN = re.compile(r"drawing (\d{1,6}) W\b")

Longs = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A gang on the map: whose it is, and on which devices of which rows, as bits."""

    work: Work
    phase: int
    rows: Longs
    bits: Longs
    amounts: Longs  # of each row: milli-GPUs, milli-cores, milliwatts
    nodes: tuple[str, ...]


class FleetState:
    """`take` brings it up to date; `revision` tells whether anything is other than before. Not for two threads at once."""

    def __init__(self) -> None:
        self.revision = 0
        self.layout: Layout = layout_of(())
        self.nodes: list[Node] = []  # by row
        self.slots: list[Held | None] = []
        self.owners: dict[tuple[str, str], int] = {}  # tenants and projects, by code
        self.owner_S: list[int] = []
        self.phase_S: list[int] = []
        self._free: list[int] = []
        self._slot: dict[str, int] = {}
        self._seen: tuple[Node, ...] = ()
        self._work: Mapping[str, Work] = {}
        self.sharing: dict[int, dict[int, int]] = {}  # rows of several gangs: devices by slot
        self._clear()

    def take(self, fleet: Fleet, *, now_ms: int) -> None:
        """The nodes and gangs as they are now."""
        changed = self._changed_nodes(fleet.nodes)
        if changed is None:
            self._lay_out(fleet)
        else:
            for node in changed:
                self._put_node(self.layout.rows[node.id], node, now_ms)
        self._seen = fleet.nodes
        self._put_work(fleet.work)
        self._age(now_ms)

    def on(self, row: int) -> list[Held]:
        """The gangs on a node."""
        return [held for held, _ in self.devices_on(row)]

    def devices_on(self, row: int) -> list[tuple[Held, int]]:
        """The gangs on a node, with the devices that each has there, as bits."""
        on = self.sharing.get(row) or {int(self.slot_N[row]): int(self.bits_N[row])}
        found = [(self.slots[slot], bits) for slot, bits in on.items() if slot != EMPTY]
        return [(held, bits) for held, bits in found if held is not None]

    def of(self, gang: str) -> Held | None:
        """A gang that holds nodes."""
        slot = self._slot.get(gang)
        return None if slot is None else self.slots[slot]

    def find(self, name: str) -> list[Held]:
        """Gangs of that id or name."""
        known = self.of(name)
        if known is not None:
            return [known]
        return [each for each in self.slots if each is not None and name_of(each.work) == name]

    def power(self, row: int) -> int:
        """Milliwatts of one node, as `power_N` has them."""
        return int(self.metered_N[row]) * 1_000 or int(self.drawn_N[row])

    @property
    def power_N(self) -> Longs:
        """Milliwatts: what a node reports, else what its gangs draw at most."""
        return np.where(self.metered_N > 0, self.metered_N * 1_000, self.drawn_N)

    @property
    def used_N(self) -> Bytes:
        """How much of a node is in use, of 255: of its GPUs, or of its cores where it has none."""
        used = np.where(self.gpu_total_N > 0, self.gpu_used_N, self.cpu_used_N)
        total = np.maximum(np.where(self.gpu_total_N > 0, self.gpu_total_N, self.cpu_total_N), 1)
        share = np.clip(used * U8_MAX // total, 0, U8_MAX)
        return np.where(used > 0, np.maximum(share, 1), 0).astype(np.uint8)

    def _clear(self) -> None:
        count = len(self.layout.ids)
        self.state_N: Bytes = np.zeros(count, dtype=np.uint8)
        self.check_N: Bytes = np.zeros(count, dtype=np.uint8)
        self.suspicion_N: Bytes = np.zeros(count, dtype=np.uint8)
        self.heat_N: Bytes = np.zeros(count, dtype=np.uint8)  # degrees; 0 is not reported
        self.metered_N: Longs = np.zeros(count, dtype=np.int64)  # watts; 0 is not reported
        self.slot_N: Longs = np.full(count, EMPTY, dtype=np.int64)
        self.bits_N: Longs = np.zeros(count, dtype=np.int64)
        self.gpu_used_N: Longs = np.zeros(count, dtype=np.int64)
        self.cpu_used_N: Longs = np.zeros(count, dtype=np.int64)
        self.drawn_N: Longs = np.zeros(count, dtype=np.int64)  # milliwatts
        self.gpu_total_N: Longs = np.array([n.total.milli_gpu for n in self.nodes], dtype=np.int64)
        self.cpu_total_N: Longs = np.array([n.total.milli_cpu for n in self.nodes], dtype=np.int64)
        self.sharing.clear()

    def _changed_nodes(self, nodes: tuple[Node, ...]) -> list[Node] | None:
        """Those that differ; None where the layout does too."""
        if len(nodes) != len(self._seen):
            return None
        if nodes == self._seen:  # one by one the same, mostly: what is itself is not looked into
            return []
        changed = list(compress(range(len(nodes)), map(is_not, self._seen, nodes)))
        if any(_place(self._seen[each]) != _place(nodes[each]) for each in changed):
            return None
        found = [nodes[each] for each in changed]
        return [node for node in found if node.state is not NodeState.RETIRED]

    def _lay_out(self, fleet: Fleet) -> None:
        shown = [node for node in fleet.nodes if node.state is not NodeState.RETIRED]
        self.layout = layout_of(shown)
        by_id = {node.id: node for node in shown}
        self.nodes = [by_id[node] for node in self.layout.ids]
        self._clear()
        self.slots, self.owner_S, self.phase_S = [], [], []
        self._free, self._slot, self._work = [], {}, {}
        code = {state: place for place, state in enumerate(NodeState)}
        self.state_N[:] = [code[node.state] for node in self.nodes]
        for row, node in enumerate(self.nodes):
            if node.checks:
                self._put_checks(row, node)
        self.revision += 1

    def _put_node(self, row: int, node: Node, now_ms: int) -> None:
        self.nodes[row] = node
        self.state_N[row] = tuple(NodeState).index(node.state)
        self._put_checks(row, node)
        self.suspicion_N[row] = _suspicion(node, now_ms)
        self.revision += 1

    def _put_checks(self, row: int, node: Node) -> None:
        worst = max((CHECKS.index(each.outcome.value) for each in node.checks), default=0)
        self.check_N[row] = worst
        said = [each.detail for each in node.checks]
        self.heat_N[row] = min(max(_numbers(_HEAT, said), default=0), U8_MAX)
        self.metered_N[row] = max(_numbers(_DRAWN, said), default=0)

    def _age(self, now_ms: int) -> None:
        """Suspicion fades by itself."""
        for row in np.flatnonzero(self.suspicion_N).tolist():
            now = _suspicion(self.nodes[row], now_ms)
            if now != self.suspicion_N[row]:
                self.suspicion_N[row] = now
                self.revision += 1

    def _put_work(self, work: Mapping[str, Work]) -> None:
        known = self._work
        changed = list(compress(work.values(), map(is_not, work.values(), map(known.get, work))))
        for gang in [each for each in known if each not in work]:
            self._drop(gang)
        for each in changed:
            self._put(each)
        self._work = work

    def _put(self, work: Work) -> None:
        attempt, slot = work.attempt, self._slot.get(work.id)
        before = None if slot is None else self.slots[slot]
        if attempt is None:
            return
        phase = PHASES.index(_phase(work, attempt.phase))
        if slot is not None and before is not None:
            was = before.work.attempt
            if was is not None and (was.n, was.held) == (attempt.n, attempt.held):
                self.revision += before.phase != phase
                self.slots[slot] = _held_again(before, work, phase)
                self.phase_S[slot] = phase
                return
            self._drop(work.id)
        use = footprint(work)
        if use is not None:
            self._hold(_held(work, phase, use, self.layout, self.nodes))

    def _hold(self, held: Held) -> None:
        slot = self._free.pop() if self._free else len(self.slots)
        self.slots[slot : slot + 1] = [held]
        owner = held.work.tenant, held.work.project
        self.owner_S[slot : slot + 1] = [self.owners.setdefault(owner, len(self.owners))]
        self.phase_S[slot : slot + 1] = [held.phase]
        self._slot[held.work.id] = slot
        rows = held.rows
        if (self.slot_N[rows] == EMPTY).all():
            self.slot_N[rows] = slot
            self.bits_N[rows] |= held.bits
        else:
            for row, bits in zip(rows.tolist(), held.bits.tolist(), strict=True):
                self._share(row, slot, bits)
        self._add(held, 1)
        self.revision += 1

    def _share(self, row: int, slot: int, bits: int) -> None:
        first = int(self.slot_N[row])
        if first == EMPTY:
            self.slot_N[row] = slot
        else:
            self.sharing.setdefault(row, {first: int(self.bits_N[row])})[slot] = bits
        self.bits_N[row] |= bits

    def _drop(self, gang: str) -> None:
        slot = self._slot.pop(gang, EMPTY)
        held = self.slots[slot] if slot != EMPTY else None
        if held is None:
            return
        self.slots[slot] = None
        self._free.append(slot)
        self._add(held, -1)
        rows = held.rows
        self.bits_N[rows] &= ~held.bits
        self.slot_N[rows[self.slot_N[rows] == slot]] = EMPTY
        for row in [each for each in rows.tolist() if each in self.sharing] if self.sharing else ():
            rest = self.sharing.pop(row)
            rest.pop(slot)
            if len(rest) > 1:
                self.sharing[row] = rest
            self.slot_N[row] = next(iter(rest), EMPTY)
            self.bits_N[row] = reduce(int.__or__, rest.values(), 0)
        self.revision += 1

    def _add(self, held: Held, sign: int) -> None:
        self.gpu_used_N[held.rows] += sign * held.amounts[:, 0]
        self.cpu_used_N[held.rows] += sign * held.amounts[:, 1]
        self.drawn_N[held.rows] += sign * held.amounts[:, 2]


def name_of(work: Work) -> str:
    """What people call a gang."""
    if isinstance(work, Replica):
        return dict(work.labels).get("endpoint", work.id)
    return work.spec.name


def _place(node: Node) -> tuple[Any, ...]:
    report = node.report
    return node.id, report.topology, report.gpus, node.total, node.state is NodeState.RETIRED


def _suspicion(node: Node, now_ms: int) -> int:
    return min(round(score(node.marks, now_ms=now_ms) / SUSPICION_UNIT), U8_MAX)


def _numbers(pattern: re.Pattern[str], texts: Iterable[str]) -> list[int]:
    return [int(found) for text in texts for found in pattern.findall(text)]


def _phase(work: Work, phase: AttemptPhase) -> str:
    if phase is AttemptPhase.STOPPING:
        return "stopping"
    if phase is not AttemptPhase.RUNNING:
        return "starting"
    if isinstance(work, Job):
        return "running"
    if isinstance(work, Replica):
        return "serving" if work.ready else "starting"
    return "workspace"


def _held_again(held: Held, work: Work, phase: int) -> Held:
    return Held(
        work=work,
        phase=phase,
        rows=held.rows,
        bits=held.bits,
        amounts=held.amounts,
        nodes=held.nodes,
    )


def _held(work: Work, phase: int, use: Footprint, layout: Layout, nodes: Sequence[Node]) -> Held:
    """Nodes that are not on the map are left out."""
    known = layout.rows
    found = [(known[node], place) for place, node in enumerate(use.nodes) if node in known]
    rows = np.array([row for row, _ in found], dtype=np.int64)
    amounts = np.empty((len(found), 3), dtype=np.int64)
    amounts[:, 0], amounts[:, 1] = use.per_node.milli_gpu, use.per_node.milli_cpu
    amounts[:, 2] = use.milliwatts or amounts[:, 0] * layout.watts_N[rows]
    if not use.milliwatts:
        amounts[:, 2] += use.per_node.milli_cpu * CORE_WATTS
    if use.places:
        amounts *= np.array([[use.places.get(use.nodes[place], 1)] for _, place in found])
    return Held(
        work=work,
        phase=phase,
        rows=rows,
        bits=np.array([_devices(nodes[row], use, place) for row, place in found], dtype=np.int64),
        amounts=amounts,
        nodes=use.nodes,
    )


def _devices(node: Node, use: Footprint, place: int) -> int:
    """The devices that a gang has on one of its nodes, as bits; all where they cannot be told."""
    gpus = node.report.gpus[:DEVICES_MAX]
    whole = (1 << len(gpus)) - 1
    if not gpus:
        return 1
    if not use.per_node.milli_gpu:
        return 0
    uuids = use.devices[place] if use.devices else ()
    wanted = devices_of(use.per_node.milli_gpu) * use.places.get(node.id, 1)
    if len(uuids) < wanted or len(uuids) >= len(node.report.gpus):
        return whole
    return sum(1 << index for index, gpu in enumerate(gpus) if gpu.uuid in uuids)
