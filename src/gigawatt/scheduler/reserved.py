"""Nodes that are set aside for a time: which are barred to whom, by how long a gang may run.

A reservation bars its nodes to gangs of others that would still run when it begins, and as long as it lasts; to gangs
without a limit from some time before it. Most reservations bar a gang nothing, and then it is not told apart here.
"""

from dataclasses import replace

import numpy as np

from gigawatt.model.reservation import holds_for
from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.ground import reach
from gigawatt.scheduler.snapshot import (
    NEVER_MS,
    NONE,
    Flags,
    GangColumns,
    ReservedColumns,
    Rows,
    Snapshot,
)

Set = tuple[int, ...]
"""Rows of reservations that bar somebody, ascending."""


class Reserved:
    """`bar_N` by the sets of reservations that bar any gang of this line; a set's place is an ask's `reserved`."""

    def __init__(self, columns: ReservedColumns, nodes: int, now_ms: int) -> None:
        self._columns = columns
        self._nodes = nodes
        self._now_ms = now_ms
        self._codes: dict[Set, int] = {}
        self._sets: list[Set] = []
        self._barred: dict[int, Flags] = {}
        self._by_kind: dict[tuple[str, int], int] = {}

    def told_apart(
        self, gangs: GangColumns, asks: list[Ask], ask_G: Rows
    ) -> tuple[list[Ask], Rows]:
        """The different asks of a line and who asks which, by what is barred to them too."""
        bar_G = self._bars_G(gangs)
        if (bar_G == NONE).all():
            return asks, ask_G
        pairs, place_G = np.unique(np.stack([ask_G, bar_G]), axis=1, return_inverse=True)
        asks = list(asks)
        codes: list[int] = []
        distinct: list[list[int]] = pairs.T.tolist()
        for index, bar in distinct:
            codes.append(index if bar == NONE else len(asks))
            if bar != NONE:
                asks.append(replace(asks[index], reserved=bar))
        return asks, np.array(codes, dtype=np.intp)[place_G.reshape(-1)]

    def bar(self, project: str, duration_ms: int) -> int:
        """The code of what is barred to a gang of a project (tenant/project) that may run so long; NONE for nothing."""
        key = project, duration_ms
        if key not in self._by_kind:
            columns, found = self._columns, list[int]()
            for row, holder in enumerate(columns.holders):
                start_ms, end_ms = int(columns.start_ms_R[row]), int(columns.end_ms_R[row])
                ahead_ms = duration_ms or int(columns.lead_ms_R[row])
                there = start_ms < self._now_ms + ahead_ms and self._now_ms < end_ms
                if there and not holds_for(holder, project):
                    found.append(row)
            self._by_kind[key] = self._code(tuple(found))
        return self._by_kind[key]

    def told(self, ask: Ask, gangs: GangColumns, row: int) -> Ask:
        """The ask of a gang that runs, if it were to start anew."""
        bar = self.bar(project_at(gangs, row), int(gangs.duration_ms_G[row]))
        return replace(ask, reserved=bar)

    def barred_N(self, code: int) -> Flags:
        """The nodes of a set of reservations, NONE for none. Not to be written to."""
        if code not in self._barred:
            columns, barred_N = self._columns, np.zeros(self._nodes, dtype=np.bool_)
            for row in () if code == NONE else self._sets[code]:
                rows = columns.node_M[columns.first_R[row] : columns.first_R[row + 1]]
                barred_N[rows[rows != NONE]] = True
            self._barred[code] = barred_N
        return self._barred[code]

    def lasting_N(self, snapshot: Snapshot, row: int, ask: Ask, allowed_N: Flags) -> Flags:
        """Of these nodes those that others have not set aside for later either, if they are enough; else all."""
        ever = self.bar(project_at(snapshot.gangs, row), NEVER_MS)
        lasting_N = allowed_N & ~self.barred_N(ever)
        return lasting_N if reach(snapshot.nodes, ask, lasting_N) >= ask.nodes_min else allowed_N

    def begins(self, code: int) -> list[int]:
        """When those of a set begin that have not, the last first."""
        starts: list[int] = self._columns.start_ms_R[list(self._sets[code])].tolist()
        return sorted({at_ms for at_ms in starts if at_ms > self._now_ms}, reverse=True)

    def within(self, code: int, duration_ms: int) -> int:
        """What of a set would be barred still with so much shorter a limit."""
        starts = self._columns.start_ms_R
        until_ms = self._now_ms + duration_ms
        return self._code(tuple(row for row in self._sets[code] if starts[row] < until_ms))

    def ends(self) -> list[int]:
        """Times at which less is barred although nothing else changes."""
        return self._columns.end_ms_R.tolist()

    def _bars_G(self, gangs: GangColumns) -> Rows:
        """For each gang the code of what is barred to it."""
        kinds = np.stack([gangs.tenant_G, gangs.project_G, gangs.duration_ms_G])
        different, place_G = np.unique(kinds, axis=1, return_inverse=True)
        codes = [
            self.bar(f"{gangs.tenants[tenant]}/{gangs.projects[project]}", duration_ms)
            for tenant, project, duration_ms in different.T.tolist()
        ]
        return np.array(codes, dtype=np.intp)[place_G.reshape(-1)]

    def _code(self, found: Set) -> int:
        if not found:
            return NONE
        if found not in self._codes:
            self._codes[found] = len(self._sets)
            self._sets.append(found)
        return self._codes[found]


def project_at(gangs: GangColumns, row: int) -> str:
    """Whose gang that is: tenant/project."""
    return f"{gangs.tenants[int(gangs.tenant_G[row])]}/{gangs.projects[int(gangs.project_G[row])]}"


def reserved_of(snapshot: Snapshot) -> Reserved | None:
    """What is set aside; None where nothing is."""
    columns = snapshot.reserved
    if columns is None:
        return None
    return Reserved(columns, len(snapshot.nodes.ids), snapshot.now_ms)
