"""The cluster and the line at one moment, as arrays: a value that is never changed once made.

Axes, as suffixes of names:

    N  nodes, sorted by id
    K  kinds of resource, in the order of `model.resources.KINDS`
    L  topology levels, in the order of `model.node.TOPOLOGY_LEVELS`: site first, node last
    D  devices of a node, in the order of its report; as many as the best equipped node has
    U  uses of a node, by end; as many as the most used node has, 0 in every column where there is none
    G  waiting gangs, sorted by id
    P  tenants (`tenant`) and projects (`tenant/project`), sorted by these names
    B  kinds of GPU of which somebody may use so much, sorted
    F  feeds of the power tree, sorted by their names

A code is an index into a sorted tuple of the values in use, so that the same facts give the same bytes whatever
happened before; -1 stands for none. Amounts are integers: milli-GPUs, milli-cores, bytes, milliseconds.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gigawatt.model.decision import Hold
from gigawatt.model.gang import Isolation
from gigawatt.model.node import TOPOLOGY_LEVELS, NodeState
from gigawatt.model.resources import KINDS

if TYPE_CHECKING:
    from gigawatt.scheduler.running import ClaimColumns, RunningColumns

Amounts = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]
Small = npt.NDArray[np.uint8]

GPU, CPU, MEMORY = range(len(KINDS))
LEVELS = len(TOPOLOGY_LEVELS)
STATES = tuple(NodeState)
ISOLATIONS = tuple(Isolation)
DEVICE_MILLI = 1000  # of one whole device
NONE = -1
NEVER_MS = (1 << 63) - 1
DEVICE_BITS = 62


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NodeColumns:
    """Every node: what it is, and what of it is free."""

    ids: tuple[str, ...]
    total_NK: Amounts
    free_NK: Amounts
    state_N: Small  # index into STATES
    sealed_N: Flags  # held whole by a gang that is isolated by node
    gangs_N: Codes  # how many gangs run there
    topology_NL: Codes  # index into `domains[level]`, NONE where the level is not known
    gpu_kind_N: Codes  # index into `gpu_kinds`, NONE without GPUs
    device_count_N: Codes
    cached_N: Codes  # index into `cached_lists`
    device_free_ND: Codes  # milli-GPUs of each device, 0 where there is none
    use_end_NU: Amounts  # when it must have ended, NEVER where that is not known
    use_gpu_NU: Amounts  # milli-GPUs
    use_cpu_NU: Amounts
    use_memory_NU: Amounts
    use_devices_NU: Amounts  # the places of its devices, as bits; of those from DEVICE_BITS on none
    domains: tuple[tuple[tuple[str, ...], ...], ...]  # per level, paths from the site down
    gpu_kinds: tuple[str, ...]
    cached_lists: tuple[tuple[str, ...], ...]  # digests of trees of data that nodes keep

    @property
    def open_N(self) -> Flags:
        """Those that may take new gangs."""
        return self.state_N == STATES.index(NodeState.READY)

    def row(self, node: str) -> int:
        """The row of a node, NONE if there is none of that id."""
        return _row(self.ids, node)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GangColumns:
    """Every waiting gang: what it asks for, and its claim to a place in the line."""

    ids: tuple[str, ...]
    per_node_GK: Amounts
    nodes_min_G: Codes
    nodes_max_G: Codes
    ranks_G: Codes  # ranks on each node
    same_G: Codes  # index into TOPOLOGY_LEVELS, NONE where any nodes will do
    isolation_G: Codes  # index into ISOLATIONS
    kinds_G: Codes  # index into `kind_lists`
    avoid_G: Codes  # index into `avoid_lists`
    windows_G: Codes  # index into `window_lists`
    data_G: Codes  # index into `data_lists`
    terms_G: Codes  # index into `term_lists`
    priority_G: Codes
    queued_ms_G: Amounts
    duration_ms_G: Amounts  # stopped after so long; 0 is not known
    attained_ms_G: Amounts  # for how long attempts that have ended held their nodes
    stacked_G: Flags  # places are counted, and a node may hold several
    tenant_G: Codes  # index into `tenants`
    project_G: Codes  # index into `projects`
    kind_lists: tuple[tuple[str, ...], ...]  # kinds of GPU, alternatives in order; () is any
    avoid_lists: tuple[tuple[str, ...], ...]  # ids of nodes
    window_lists: tuple[tuple[tuple[int, int], ...], ...]  # (start_ms, end_ms); () is always
    data_lists: tuple[tuple[tuple[str, int], ...], ...]  # (digest, bytes) of trees that it reads
    term_lists: tuple[tuple[int, ...], ...]  # `terms.Terms` as numbers; () for most
    tenants: tuple[str, ...]
    projects: tuple[str, ...]

    def row(self, gang: str) -> int:
        """The row of a gang, NONE if there is none of that id."""
        return _row(self.ids, gang)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShareColumns:
    """Who may use how much, and who uses what: tenants, and projects in a tree below each.

    `used_PK` is of a project's own gangs, without those of projects below it. `history_PK` is what it used on average
    up to `since_ms_P`, and `held_PK` what it has used from then until now.
    """

    ids: tuple[str, ...]
    parent_P: Codes  # the row of whom it is part of, NONE for a tenant
    quota_PK: Amounts  # guaranteed, UNSET where nothing is said
    limit_PK: Amounts  # at most, UNSET where nothing is said
    weight_P: Amounts
    borrows_P: Flags  # whether it may use more than its quota
    set_P: Flags  # whether any of this was set by a person
    used_PK: Amounts
    history_PK: Amounts
    held_PK: Amounts
    since_ms_P: Amounts

    def row(self, id: str) -> int:
        """The row of a tenant or a project, NONE if there is none of that name."""
        return _row(self.ids, id)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KindColumns:
    """What projects may use of single kinds of GPU, in milli-GPUs. P are the rows of the shares, B kinds of GPU: those
    that nodes have, and those that anybody may use so much of.
    """

    kinds: tuple[str, ...]
    quota_PB: Amounts  # UNSET where nothing is said
    limit_PB: Amounts
    used_PB: Amounts  # of a project's own gangs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PowerColumns:
    """The power tree. `beyond_X` is what gangs that say their watts draw of nodes beyond what their amounts would."""

    ids: tuple[str, ...]
    parent_F: Codes  # the feed that carries each, NONE at the top
    cap_F: Amounts  # milliwatts, UNSET where there is none
    feed_N: Codes  # the feed that each node hangs on, NONE without
    node_X: Codes  # rows of nodes, ascending
    beyond_X: Amounts  # milliwatts


Wear = tuple[str, tuple[tuple[str, str], ...], tuple[tuple[tuple[tuple[str, str], ...], int], ...]]
"""Of a gang its project (tenant/project), its labels, and from which labels it keeps apart at which level."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ApartColumns:
    """Gangs with labels, of which some keep apart from others.

    W: those that wait, sorted by id; V: those that hold nodes, likewise, each with the parts from `first_V` on; M: parts.
    """

    wears: tuple[Wear, ...]
    gangs: tuple[str, ...]
    wear_W: Codes  # index into `wears`
    runners: tuple[str, ...]
    wear_V: Codes
    first_V: Amounts
    node_M: Codes  # NONE where a node is not in the cluster


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReservedColumns:
    """Nodes that are set aside for a time. R: reservations that are not over, by when they begin; M: their nodes."""

    ids: tuple[str, ...]
    holders: tuple[str, ...]  # for whom; empty is nobody
    start_ms_R: Amounts
    end_ms_R: Amounts
    lead_ms_R: Amounts  # so long before it, gangs without a limit are not let in any more
    first_R: Amounts
    node_M: Codes  # NONE where a node is not in the cluster


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """All that `decide` sees. `resume` is the gang at which the last cycle's work ended, or empty; `hold` its hold."""

    now_ms: int
    nodes: NodeColumns
    gangs: GangColumns
    resume: str = ""
    hold: Hold | None = None
    shares: ShareColumns | None = None  # None: nobody has a quota, a limit or a weight
    kinds: KindColumns | None = None  # None: nobody has a quota or a limit of one kind of GPU
    running: "RunningColumns | None" = None  # None where no plan is to be made
    claims: "ClaimColumns | None" = None  # None where there are none
    power: PowerColumns | None = None  # None without a power tree
    apart: ApartColumns | None = None  # None where no gang keeps apart
    reserved: ReservedColumns | None = None  # None where nothing is set aside
    growing: "RunningColumns | None" = None  # those that may grow; None where there are none


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """How one column is stored: its numbers' type, and what of K, L or D it has beside rows."""

    dtype: type[np.generic]
    width: int = 0  # 0 is one number a row

    def empty(self, rows: int = 0) -> npt.NDArray[Any]:
        return np.zeros((rows, self.width) if self.width else rows, dtype=self.dtype)


NODE_STATIC = {
    "total_NK": Column(dtype=np.int64, width=len(KINDS)),
    "topology_NL": Column(dtype=np.int32, width=LEVELS),
    "gpu_kind_N": Column(dtype=np.int32),
    "device_count_N": Column(dtype=np.int32),
    "cached_N": Column(dtype=np.int32),
}
NODE_DYNAMIC = {
    "free_NK": Column(dtype=np.int64, width=len(KINDS)),
    "state_N": Column(dtype=np.uint8),
    "sealed_N": Column(dtype=np.bool_),
    "gangs_N": Column(dtype=np.int32),
}
NODE_USES = tuple(
    f"use_{name}_NU" for name in ("end", "gpu", "cpu", "memory", "devices")
)  # int64 each
GANG_NUMBERS = {
    "per_node_GK": Column(dtype=np.int64, width=len(KINDS)),
    "nodes_min_G": Column(dtype=np.int32),
    "nodes_max_G": Column(dtype=np.int32),
    "ranks_G": Column(dtype=np.int32),
    "same_G": Column(dtype=np.int32),
    "isolation_G": Column(dtype=np.int32),
    "priority_G": Column(dtype=np.int32),
    "queued_ms_G": Column(dtype=np.int64),
    "duration_ms_G": Column(dtype=np.int64),
    "attained_ms_G": Column(dtype=np.int64),
    "stacked_G": Column(dtype=np.bool_),
}
SHARE_NUMBERS = {
    "quota_PK": Column(dtype=np.int64, width=len(KINDS)),
    "limit_PK": Column(dtype=np.int64, width=len(KINDS)),
    "weight_P": Column(dtype=np.int64),
    "borrows_P": Column(dtype=np.bool_),
    "set_P": Column(dtype=np.bool_),
    "used_PK": Column(dtype=np.int64, width=len(KINDS)),
    "history_PK": Column(dtype=np.int64, width=len(KINDS)),
    "held_PK": Column(dtype=np.int64, width=len(KINDS)),
    "since_ms_P": Column(dtype=np.int64),
}
GANG_CODES = {  # column of codes: the tuple of values that it points into
    "kinds_G": "kind_lists",
    "avoid_G": "avoid_lists",
    "windows_G": "window_lists",
    "data_G": "data_lists",
    "terms_G": "term_lists",
    "tenant_G": "tenants",
    "project_G": "projects",
}


def _row(ids: tuple[str, ...], key: str) -> int:
    place = bisect_left(ids, key)
    return place if place < len(ids) and ids[place] == key else NONE
