"""The running side of the encoder: gangs that hold nodes with their parts, and claims."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gigawatt.model.node import Node
from gigawatt.model.values import replace
from gigawatt.model.work import Work
from gigawatt.scheduler.cold import cold_gangs, filled
from gigawatt.scheduler.encode_gangs import GangRows
from gigawatt.scheduler.running import (
    CLAIM_NUMBERS,
    PARTS,
    RUNNING_NUMBERS,
    ClaimColumns,
    Pace,
    RunningColumns,
    firsts,
)
from gigawatt.scheduler.running_facts import (
    Kept,
    RunningGang,
    claim_numbers,
    claim_parts,
    kept,
    running,
    running_parts,
    saved,
)
from gigawatt.scheduler.snapshot import Amounts, Column
from gigawatt.scheduler.table import Table

COUNT, PACE = "count", "pace"
BETWEEN = "\0"  # sorts before whatever an id may go on with


class RunningRows:
    """Kept by `put`, `put_node` and `remove_node`; `columns` costs what changed since it was last asked.

    Parts name nodes by row, so they are all worked out again when a node comes, goes, or has other devices.
    """

    def __init__(self) -> None:
        self._gangs = GangRows()
        self._running: dict[str, RunningGang] = {}
        self._changed: dict[str, RunningGang | None] = {}  # what it was before
        self._places: dict[str, dict[str, int]] = {}
        self._moved = False
        self._ids: tuple[str, ...] = ()
        self._rows: dict[str, int] = {}
        own = {COUNT: Column(dtype=np.int64), PACE: Column(dtype=np.int64, width=3)}
        self._numbers = Table(RUNNING_NUMBERS | own)
        self._paces: dict[str, Pace] = {}
        self._parts = Table(PARTS)
        self._columns: RunningColumns | None = None

    def put_node(self, node: Node) -> None:
        places = {gpu.uuid: index for index, gpu in enumerate(node.report.gpus)}
        if self._places.get(node.id) != places:
            self._places[node.id] = places
            self._moved = True

    def remove_node(self, node: str) -> None:
        self._moved |= self._places.pop(node, None) is not None

    def put(self, work: Work) -> None:
        """Take the new value of what may run."""
        old, now = self._running.get(work.id), running(work)
        if old == now:
            return
        self._changed.setdefault(work.id, old)
        if now is None:
            del self._running[work.id]
        else:
            self._running[work.id] = now
        self._gangs.put(work.id, None if now is None else now.gang)

    def saved(self, work: Work) -> None:
        """Of what runs nothing has changed but its checkpoints."""
        old = self._running[work.id]
        now = saved(old, work)
        if old.numbers != now.numbers:
            self._changed.setdefault(work.id, old)
            self._running[work.id] = now

    def pace(self, gang: str, pace: Pace | None) -> None:
        """What runs, or will at once, saves like this; None: not by itself any more."""
        self._changed.setdefault(gang, self._running.get(gang))
        self._paces.pop(gang, None)
        if pace is not None:
            self._paces[gang] = pace

    def columns(self, ids: tuple[str, ...], now_ms: int) -> RunningColumns:
        """`ids` are those of the snapshot's nodes."""
        columns = self._newest(ids)
        if not self._paces:
            return columns
        saved_ms_R = _paced(columns.saved_ms_R, self._numbers.column(PACE), now_ms)
        return replace(columns, saved_ms_R=saved_ms_R)

    def _newest(self, ids: tuple[str, ...]) -> RunningColumns:
        """Without what is saved at a pace."""
        if self._moved or ids != self._ids:
            self._ids, self._moved = ids, False
            self._rows = {node: row for row, node in enumerate(ids)}
            for gang, now in self._running.items():
                before = self._changed.setdefault(gang, now)
                for place in range(len(before.held.nodes) if before else 0):
                    self._parts.drop(_key(gang, place))
                self._changed[gang] = None
        old = self._columns
        if old is not None and not self._changed:
            return old
        for gang, before in self._changed.items():
            self._write(gang, before, self._running.get(gang))
        self._changed.clear()
        self._numbers.settle()
        self._parts.settle()
        numbers = {name: self._numbers.column(name) for name in RUNNING_NUMBERS}
        parts = {name: self._parts.column(name) for name in PARTS}
        self._columns = RunningColumns(
            gangs=self._gangs.columns(),
            first_R=firsts(self._numbers.column(COUNT)),
            **numbers,
            **parts,
        )
        return self._columns

    def _write(self, gang: str, before: RunningGang | None, now: RunningGang | None) -> None:
        if now is not None and before is not None and now.held is before.held:
            self._numbers.put(gang, self._row(gang, now))
            return
        for place in range(len(before.held.nodes) if before else 0):
            self._parts.drop(_key(gang, place))
        if now is None:
            self._numbers.drop(gang)
            return
        self._numbers.put(gang, self._row(gang, now))
        for place, part in enumerate(running_parts(now, self._rows, self._places)):
            self._parts.put(_key(gang, place), part)

    def _row(self, gang: str, now: RunningGang) -> tuple[Any, ...]:
        pace = self._paces.get(gang)
        own = (0, 0, 0) if pace is None else (pace.since_ms, pace.every_ms, pace.most)
        return (*now.numbers, len(now.held.nodes), own)


class ClaimRows:
    """There are few claims at any time: their columns are made anew whenever one of them changes."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._ids: tuple[str, ...] = ()
        self._columns: ClaimColumns | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, work: Work) -> bool:
        """Take the new value of what may have a claim; whether that is new."""
        old, now = self._kept.get(work.id), kept(work)
        if old == now:
            return False
        self._columns = None
        if now is None:
            del self._kept[work.id]
        else:
            self._kept[work.id] = now
        return True

    def columns(self, ids: tuple[str, ...]) -> ClaimColumns | None:
        """`ids` are those of the snapshot's nodes. None where nothing is kept."""
        if self._kept and (self._columns is None or self._ids != ids):
            self._ids = ids
            self._columns = _claim_columns(self._kept.values(), ids)
        return self._columns


def cold_running(
    work: Iterable[Work],
    nodes: Iterable[Node],
    ids: tuple[str, ...],
    *,
    of: Callable[[Work], RunningGang | None] = running,
) -> RunningColumns:
    """Columns of all that runs, or of what else `of` finds, from scratch."""
    rows = {node: row for row, node in enumerate(ids)}
    places = {
        node.id: {gpu.uuid: index for index, gpu in enumerate(node.report.gpus)} for node in nodes
    }
    found = [each for each in map(of, work) if each is not None]
    gangs = sorted(found, key=lambda each: each.gang.id)
    parts = [running_parts(each, rows, places) for each in gangs]
    return RunningColumns(
        gangs=cold_gangs([each.gang for each in gangs]),
        first_R=firsts(np.array([len(each) for each in parts], dtype=np.int64)),
        **_numbers(RUNNING_NUMBERS, [each.numbers for each in gangs]),
        **_numbers(PARTS, [part for each in parts for part in each]),
    )


def cold_claims(work: Iterable[Work], ids: tuple[str, ...]) -> ClaimColumns | None:
    """Columns of all claims, from scratch."""
    claims = [each for each in map(kept, work) if each is not None]
    return _claim_columns(claims, ids) if claims else None


def _paced(saved_ms_R: Amounts, pace_RX: Amounts, now_ms: int) -> Amounts:
    """When each has saved last, by what was told and by its pace."""
    since_ms_R, every_ms_R, most_R = pace_RX.T
    count_R = np.minimum((now_ms - since_ms_R) // np.maximum(every_ms_R, 1), most_R)
    return np.where(count_R > 0, since_ms_R + count_R * every_ms_R, saved_ms_R)


def _claim_columns(claims: Iterable[Kept], ids: tuple[str, ...]) -> ClaimColumns:
    ordered = sorted(claims, key=lambda each: each.gang.id)
    rows = {node: row for row, node in enumerate(ids)} if ordered else {}
    parts = [claim_parts(each, rows) for each in ordered]
    return ClaimColumns(
        ids=tuple(each.gang.id for each in ordered),
        first_C=firsts(np.array([len(each) for each in parts], dtype=np.int64)),
        **_numbers(CLAIM_NUMBERS, [claim_numbers(each) for each in ordered]),
        **_numbers(PARTS, [part for each in parts for part in each]),
    )


def _numbers(columns: Mapping[str, Column], values: Sequence[Sequence[Any]]) -> dict[str, Any]:
    return {
        name: filled(column, [row[index] for row in values])
        for index, (name, column) in enumerate(columns.items())
    }


def _key(gang: str, place: int) -> str:
    return f"{gang}{BETWEEN}{place:08d}"
