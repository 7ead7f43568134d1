"""What gangs ask for, told apart: gangs that ask the same are looked at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.model.gang import Gang, Isolation
from gigawatt.scheduler.snapshot import DEVICE_MILLI, ISOLATIONS, NONE, GangColumns, Rows
from gigawatt.scheduler.terms import NO_TERMS, Terms, held_nodes, level_code, terms_code, terms_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a gang needs of each of its nodes. `alone`: the node must be empty, and is then closed to others."""

    milli_gpu: int
    milli_cpu: int
    memory_bytes: int
    alone: bool = False

    @property
    def devices(self) -> int:
        """Whole devices; 0 for a share of one and for none."""
        return self.milli_gpu // DEVICE_MILLI

    @property
    def share(self) -> int:
        """Milli-GPUs of one device that others may share; 0 for whole devices."""
        return self.milli_gpu if self.milli_gpu < DEVICE_MILLI else 0

    @property
    def divisible(self) -> bool:
        """From one device on, only whole ones can be given."""
        return self.milli_gpu < DEVICE_MILLI or self.milli_gpu % DEVICE_MILLI == 0

    def vector(self) -> tuple[int, int, int]:
        """The amounts in the order of KINDS."""
        return (self.milli_gpu, self.milli_cpu, self.memory_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """All of a gang that decides where it may go; who asks and since when is the line's business."""

    demand: Demand
    nodes_min: int
    nodes_max: int
    same: int  # topology level that must hold all nodes, NONE for any
    kinds: tuple[
        str, ...
    ]  # of GPU; all nodes are of the first that can hold it; () is any, mixed too
    avoid: tuple[str, ...]  # ids of nodes
    windows: tuple[tuple[int, int], ...]
    data: tuple[tuple[str, int], ...] = ()  # trees that it reads: digest and bytes
    stacked: bool = False  # places are counted, and a node may hold several
    terms: Terms = NO_TERMS  # what few gangs ask
    payer: int = NONE  # row of the shares, where limits by kind of GPU say what it may be given
    wear: int = NONE  # index into `ApartColumns.wears`, where it matters to others or others to it
    reserved: int = NONE  # which reservations bar it nodes, as `reserved.Reserved` has them

    def may_run(self, now_ms: int) -> bool:
        """Whether one of its windows includes now."""
        return not self.windows or any(
            start <= now_ms and (end == 0 or now_ms < end) for start, end in self.windows
        )


def ask_of(gang: Gang) -> Ask:
    """What one gang asks for."""
    shape = gang.shape
    return Ask(
        demand=Demand(
            milli_gpu=shape.per_node.milli_gpu,
            milli_cpu=shape.per_node.milli_cpu,
            memory_bytes=shape.per_node.memory_bytes,
            alone=gang.isolation is Isolation.NODE,
        ),
        nodes_min=held_nodes(shape, shape.nodes_min),
        nodes_max=held_nodes(shape, shape.nodes_max),
        same=level_code(shape.same),
        kinds=shape.gpu_kinds,
        avoid=gang.avoid_nodes,
        windows=tuple((window.start_ms, window.end_ms) for window in gang.windows),
        data=gang.data,
        stacked=shape.stacked,
        terms=terms_of(terms_code(shape)),
    )


def ask_at(gangs: GangColumns, row: int) -> Ask:
    """What the gang of that row asks for."""
    milli_gpu, milli_cpu, memory_bytes = gangs.per_node_GK[row].tolist()
    return Ask(
        demand=Demand(
            milli_gpu=milli_gpu,
            milli_cpu=milli_cpu,
            memory_bytes=memory_bytes,
            alone=ISOLATIONS[int(gangs.isolation_G[row])] is Isolation.NODE,
        ),
        nodes_min=int(gangs.nodes_min_G[row]),
        nodes_max=int(gangs.nodes_max_G[row]),
        same=int(gangs.same_G[row]),
        kinds=gangs.kind_lists[int(gangs.kinds_G[row])],
        avoid=gangs.avoid_lists[int(gangs.avoid_G[row])],
        windows=gangs.window_lists[int(gangs.windows_G[row])],
        data=gangs.data_lists[int(gangs.data_G[row])],
        stacked=bool(gangs.stacked_G[row]),
        terms=terms_of(gangs.term_lists[int(gangs.terms_G[row])]),
    )


def distinct_asks(gangs: GangColumns) -> tuple[list[Ask], Rows]:
    """The different asks of a line, and for each gang the index of its own."""
    table = np.column_stack(
        [
            gangs.per_node_GK,
            gangs.nodes_min_G,
            gangs.nodes_max_G,
            gangs.same_G,
            gangs.isolation_G == ISOLATIONS.index(Isolation.NODE),  # all that an ask has of it
            gangs.kinds_G,
            gangs.avoid_G,
            gangs.windows_G,
            gangs.data_G,
            gangs.terms_G,
            gangs.stacked_G,
        ]
    )
    row_bytes = np.dtype((np.void, table.itemsize * table.shape[1]))
    keys: list[Any] = np.ascontiguousarray(table).view(row_bytes).reshape(-1).tolist()
    codes: dict[Any, int] = {}
    rows: list[int] = []
    for row, key in enumerate(keys):
        if key not in codes:
            codes[key] = len(rows)
            rows.append(row)
    ask_G = np.array([codes[key] for key in keys], dtype=np.intp)
    return [ask_at(gangs, row) for row in rows], ask_G
