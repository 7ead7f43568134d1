"""Columns from whole lists of nodes and gangs: the plain way, which the incremental one must equal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gigawatt.model.gang import Gang
from gigawatt.model.node import Node
from gigawatt.scheduler.facts import Footprint, domain_paths, gang_numbers, gang_values, rest
from gigawatt.scheduler.snapshot import (
    GANG_CODES,
    GANG_NUMBERS,
    LEVELS,
    NODE_DYNAMIC,
    NODE_STATIC,
    NODE_USES,
    NONE,
    STATES,
    Codes,
    Column,
    GangColumns,
    NodeColumns,
)


def cold_nodes(nodes: Iterable[Node], uses: Mapping[str, Sequence[Footprint]]) -> NodeColumns:
    """Columns of `nodes`, and of what `uses` (footprints by node) leave of each."""
    nodes = sorted(nodes, key=lambda node: node.id)
    rests = [rest(node, uses.get(node.id, ())) for node in nodes]
    paths = [domain_paths(node) for node in nodes]
    levels = [_coded([path[level] for path in paths]) for level in range(LEVELS)]
    gpu_kinds, kind_N = _coded([node.gpu_kind if node.report.gpus else None for node in nodes])
    cached_lists, cached_N = _coded([node.cached for node in nodes])
    width = max((len(left.device_free) for left in rests), default=0)
    devices = [left.device_free + (0,) * (width - len(left.device_free)) for left in rests]
    uses_U = [left.uses for left in rests]
    static, dynamic = NODE_STATIC, NODE_DYNAMIC
    return NodeColumns(
        ids=tuple(node.id for node in nodes),
        total_NK=filled(static["total_NK"], [node.total.vector() for node in nodes]),
        topology_NL=np.stack([codes for _, codes in levels]).T,
        gpu_kind_N=kind_N,
        device_count_N=filled(static["device_count_N"], [len(node.report.gpus) for node in nodes]),
        device_free_ND=np.array(devices, dtype=np.int32).reshape(len(nodes), width),
        free_NK=filled(dynamic["free_NK"], [left.free for left in rests]),
        state_N=filled(dynamic["state_N"], [STATES.index(node.state) for node in nodes]),
        sealed_N=filled(dynamic["sealed_N"], [left.sealed for left in rests]),
        gangs_N=filled(dynamic["gangs_N"], [left.gangs for left in rests]),
        **{name: _padded(uses_U, index) for index, name in enumerate(NODE_USES)},
        domains=tuple(names for names, _ in levels),
        gpu_kinds=gpu_kinds,
        cached_N=cached_N,
        cached_lists=cached_lists,
    )


def cold_gangs(gangs: Iterable[Gang]) -> GangColumns:
    """Columns of gangs that wait."""
    gangs = sorted(gangs, key=lambda gang: gang.id)
    numbers = [gang_numbers(gang) for gang in gangs]
    values = [gang_values(gang) for gang in gangs]
    columns: dict[str, Any] = {
        name: filled(column, [row[index] for row in numbers])
        for index, (name, column) in enumerate(GANG_NUMBERS.items())
    }
    for index, (name, table) in enumerate(GANG_CODES.items()):
        columns[table], columns[name] = _coded([row[index] for row in values])
    return GangColumns(ids=tuple(gang.id for gang in gangs), **columns)


def filled(column: Column, values: Sequence[object]) -> npt.NDArray[Any]:
    array = column.empty(len(values))
    if values:
        array[:] = values
    return array


def _padded(uses: Sequence[tuple[tuple[int, ...], ...]], index: int) -> npt.NDArray[np.int64]:
    width = max(map(len, uses), default=0)
    column = np.zeros((len(uses), width), dtype=np.int64)
    for row, of_node in enumerate(uses):
        column[row, : len(of_node)] = [use[index] for use in of_node]
    return column


def _coded(values: Sequence[Any]) -> tuple[tuple[Any, ...], Codes]:
    """The distinct values, sorted, and for each value its index there; None is NONE."""
    distinct = tuple(sorted({value for value in values if value is not None}))
    index = {value: code for code, value in enumerate(distinct)}
    codes = [NONE if value is None else index[value] for value in values]
    return distinct, np.array(codes, dtype=np.int32)
