"""Gangs that keep apart: which nodes are barred to whom by what others of the project run there.

A gang that keeps apart from those with certain labels is in no domain of a level with one of them, whichever of the two
came first. What matters of a gang is its wear: its project, its labels, and from whom it keeps apart. Most gangs have
none that matters to anybody, and are not looked at here.
"""

from dataclasses import replace

import numpy as np

from gigawatt.model.node import TOPOLOGY_LEVELS
from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.snapshot import (
    NONE,
    ApartColumns,
    Flags,
    GangColumns,
    NodeColumns,
    Rows,
    Snapshot,
    Wear,
)

NODE = TOPOLOGY_LEVELS.index("node")


class Apart:
    """`note` writes to it, and to nothing else: what is barred only grows in a round."""

    def __init__(self, columns: ApartColumns, nodes: NodeColumns) -> None:
        self._columns = columns
        self._nodes = nodes
        self._against = _against(columns.wears)
        self._rows: dict[int, list[Rows]] = {}  # by wear, where such gangs are
        self._barred: dict[int, tuple[int, Flags]] = {}
        self._noted = 0
        self._waiting = dict(zip(columns.gangs, columns.wear_W.tolist(), strict=True))
        self._running = dict(zip(columns.runners, columns.wear_V.tolist(), strict=True))
        for row, wear in enumerate(columns.wear_V.tolist()):
            parts = slice(columns.first_V[row], columns.first_V[row + 1])
            rows = columns.node_M[parts]
            self._note(wear, rows[rows != NONE].astype(np.intp))

    def wearing(self, gang: str) -> int:
        """The wear of a gang that waits or runs; NONE where it matters to nobody."""
        wear = self._waiting.get(gang, self._running.get(gang, NONE))
        return wear if wear in self._against else NONE

    def alone(self, wear: int) -> bool:
        """Whether it keeps apart from others, and none of these from it."""
        wears = self._columns.wears
        others = [wears[other] for other, _ in self._against.get(wear, ())]
        return (
            wear != NONE
            and bool(wears[wear][2])
            and not any(
                set(labels) <= set(wears[wear][1]) for _, _, terms in others for labels, _ in terms
            )
        )

    def told_apart(self, line: GangColumns, asks: list[Ask], ask_G: Rows) -> tuple[list[Ask], Rows]:
        """The different asks of a line and who asks which, by their wears too."""
        asks, ask_G = list(asks), ask_G.copy()
        known: dict[tuple[int, int], int] = {}
        rows = {gang: row for row, gang in enumerate(line.ids)}
        for gang in self._columns.gangs:
            wear, row = self.wearing(gang), rows.get(gang, NONE)
            if NONE in {wear, row}:
                continue
            key = int(ask_G[row]), wear
            if key not in known:
                known[key] = len(asks)
                asks.append(replace(asks[key[0]], wear=wear))
            ask_G[row] = known[key]
        return asks, ask_G

    def barred_N(self, wear: int) -> Flags:
        """Nodes in a domain with a gang that those of this wear keep apart from, or that keeps apart from them."""
        seen, barred_N = self._barred.get(wear, (NONE, None))
        if barred_N is None or seen != self._noted:
            barred_N = np.zeros(len(self._nodes.ids), dtype=np.bool_)
            for other, level in self._against.get(wear, ()):
                for rows in self._rows.get(other, ()):
                    barred_N |= self._around(rows, level)
            self._barred[wear] = self._noted, barred_N
        return barred_N

    def note(self, wear: int, rows: Rows) -> None:
        """A gang of this wear is on these nodes, or is to be."""
        if wear != NONE:
            self._note(wear, rows)

    def _note(self, wear: int, rows: Rows) -> None:
        self._rows.setdefault(wear, []).append(rows)
        self._noted += 1

    def _around(self, rows: Rows, level: int) -> Flags:
        """The nodes in the domains of `rows`; where a domain is not known, the node itself."""
        around_N = np.zeros(len(self._nodes.ids), dtype=np.bool_)
        around_N[rows] = True
        if level != NODE:
            codes_N = self._nodes.topology_NL[:, level]
            taken_D = np.zeros(len(self._nodes.domains[level]) + 1, dtype=np.bool_)
            taken_D[codes_N[rows]] = True
            taken_D[NONE] = False
            around_N |= taken_D[codes_N]
        return around_N


def apart_of(snapshot: Snapshot) -> Apart | None:
    """Who keeps apart from whom, with what is kept for those that wait; None where nobody does."""
    columns, claims = snapshot.apart, snapshot.claims
    if columns is None or not any(terms for _, _, terms in columns.wears):
        return None
    apart = Apart(columns, snapshot.nodes)
    for row, gang in enumerate(() if claims is None else claims.ids):
        assert claims is not None
        rows = claims.node_M[slice(claims.first_C[row], claims.first_C[row + 1])]
        apart.note(apart.wearing(gang), rows[rows != NONE].astype(np.intp))
    return apart


def _against(wears: tuple[Wear, ...]) -> dict[int, tuple[tuple[int, int], ...]]:
    """For each wear the others that it is not to be with, and the level of each."""
    found: dict[int, set[tuple[int, int]]] = {}
    for one, (project, _, terms) in enumerate(wears):
        for labels, level in terms:
            for other, (theirs, worn, _) in enumerate(wears):
                if theirs == project and set(labels) <= set(worn):
                    found.setdefault(one, set()).add((other, level))
                    found.setdefault(other, set()).add((one, level))
    return {wear: tuple(sorted(others)) for wear, others in sorted(found.items())}
