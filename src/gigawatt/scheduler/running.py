"""What runs, gang by gang, and what is kept for whom: columns for plans, which a snapshot has beside nodes and line.

Axes, beside those of `snapshot`:

    R  gangs that hold nodes, sorted by id
    C  claims, sorted by the id of the gang that they are for
    M  parts: one for each node of each gang (or claim), in the order of gangs, then of ranks

The parts of row r are those from `first_R[r]` to `first_R[r + 1]`. A part whose node is not in the cluster has NONE.
"""

from dataclasses import dataclass

import numpy as np

from gigawatt.model.gang import GangKind
from gigawatt.scheduler.snapshot import (
    NONE,
    Amounts,
    Codes,
    Column,
    Flags,
    GangColumns,
    NodeColumns,
    Small,
)

UNKNOWN_DEVICES = -1  # it has devices there, and which they are cannot be told
GANG_KINDS = tuple(GangKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What runs saves by itself: every so often since a time, so many times at most."""

    since_ms: int
    every_ms: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunningColumns:
    """Every gang that holds nodes. `gangs` is what each asks for, as if it were in the line."""

    gangs: GangColumns
    attempt_R: Codes
    placed_ms_R: Amounts
    saved_ms_R: Amounts  # its work since then would be lost; NEVER where none would be
    grace_ms_R: Amounts  # between its first signal and its last
    stops_R: Codes  # how often a plan has stopped it
    stoppable_R: Flags  # not where it is being stopped already
    kind_R: Small  # index into GANG_KINDS
    start_ms_R: (
        Amounts  # from its placement to its first step, or to its ranks' start; 0 is not known
    )
    asked_ms_R: Amounts  # when it was last asked to save so as to grow; 0 is never
    first_R: Amounts
    node_M: Codes
    places_M: Codes
    devices_M: Amounts  # their places on the node, as bits; UNKNOWN_DEVICES

    @property
    def owner_M(self) -> Codes:
        """The row of the gang that each part is of."""
        return owners(self.first_R)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClaimColumns:
    """Every claim, also one that has lapsed: it has no parts, and says since when."""

    ids: tuple[str, ...]
    per_node_CK: Amounts
    alone_C: Flags
    free_ms_C: Amounts
    until_ms_C: Amounts
    lapsed_ms_C: Amounts  # 0 while it stands
    stopped_C: Codes
    moved_C: Codes
    spares_C: Codes
    first_C: Amounts
    node_M: Codes
    places_M: Codes
    devices_M: Amounts


RUNNING_NUMBERS = {
    "attempt_R": Column(dtype=np.int32),
    "placed_ms_R": Column(dtype=np.int64),
    "saved_ms_R": Column(dtype=np.int64),
    "grace_ms_R": Column(dtype=np.int64),
    "stops_R": Column(dtype=np.int32),
    "stoppable_R": Column(dtype=np.bool_),
    "kind_R": Column(dtype=np.uint8),
    "start_ms_R": Column(dtype=np.int64),
    "asked_ms_R": Column(dtype=np.int64),
}
CLAIM_NUMBERS = {
    "per_node_CK": Column(dtype=np.int64, width=3),
    "alone_C": Column(dtype=np.bool_),
    "free_ms_C": Column(dtype=np.int64),
    "until_ms_C": Column(dtype=np.int64),
    "lapsed_ms_C": Column(dtype=np.int64),
    "stopped_C": Column(dtype=np.int32),
    "moved_C": Column(dtype=np.int32),
    "spares_C": Column(dtype=np.int32),
}
PARTS = {
    "node_M": Column(dtype=np.int32),
    "places_M": Column(dtype=np.int32),
    "devices_M": Column(dtype=np.int64),
}


def kind_of(running: RunningColumns, nodes: NodeColumns, row: int) -> tuple[str, ...]:
    """The kind of GPU that a gang has: on nodes of another it could be beyond a limit."""
    rows = running.node_M[running.first_R[row] : running.first_R[row + 1]]
    codes: list[int] = np.unique(nodes.gpu_kind_N[rows[rows != NONE]]).tolist()
    return tuple([nodes.gpu_kinds[code] for code in codes if code != NONE][:1])


def owners(first: Amounts) -> Codes:
    """For each part the row that it is of."""
    return np.repeat(np.arange(len(first) - 1, dtype=np.int32), np.diff(first))


def firsts(counts: Amounts) -> Amounts:
    """Where the parts of each row begin, and where the last ones end."""
    first = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=first[1:])
    return first
