"""Where nodes are on the map: rows in the order of the tree, and for each level where its domains begin.

N  nodes, by the names of their domains from the site down, then by their own; as people count, so rack 9 is before 10
X  domains of one level, in the same order
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gigawatt.model.node import TOPOLOGY_LEVELS, Node
from gigawatt.model.power import gpu_watts
from gigawatt.service.fleet_wire import Array, Packed, pack, tag_of

LEVELS = ("site", "hall", "spine", "leaf", "rack")
DEVICES_MAX = 32  # of a node that are told apart
_PLACES = tuple(TOPOLOGY_LEVELS.index(level) for level in LEVELS)

Starts = npt.NDArray[np.uint32]
Natural = tuple[str, int, str]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Layout:
    """`starts` has for each of LEVELS the first row of each domain, and `names` what it is called."""

    ids: tuple[str, ...]
    gpus_N: npt.NDArray[np.uint8]
    kind_N: npt.NDArray[np.uint8]
    kinds: tuple[str, ...]  # of GPU; the first is none
    starts: tuple[Starts, ...]
    names: tuple[tuple[str, ...], ...]

    rows: Mapping[str, int]  # of each node, by id
    watts_N: npt.NDArray[np.int64]  # the most that one of a node's GPUs draws
    packed: Packed  # as a file; its tag is of the nodes' names too, which are not in it

    @property
    def version(self) -> str:
        """Rows mean the same under the same version."""
        return self.packed.tag

    def domain(self, level: int, row: int) -> int:
        """Which domain of a level a row is in."""
        return int(np.searchsorted(self.starts[level], row, side="right")) - 1

    def path(self, row: int) -> tuple[str, ...]:
        """The names of a row's domains, from the site down; those without a name are left out."""
        names = [self.names[level][self.domain(level, row)] for level in range(len(LEVELS))]
        return tuple([name for name in names if name])

    def span(self, level: int, index: int) -> tuple[int, int]:
        """The rows of one domain: the first, and the one after the last."""
        starts = self.starts[level]
        end = int(starts[index + 1]) if index + 1 < len(starts) else len(self.ids)
        return int(starts[index]), end


def layout_of(nodes: Sequence[Node]) -> Layout:
    """The layout of a fleet."""
    ordered, columns = _sorted(nodes)
    count = len(ordered)
    kinds = ("", *sorted({node.gpu_kind for node in ordered} - {""}))
    code = {kind: place for place, kind in enumerate(kinds)}
    starts, names = _domains(columns, count)
    gpus = [min(len(node.report.gpus), DEVICES_MAX) for node in ordered]
    gpus_N = np.array(gpus, dtype=np.uint8)
    kind_N = np.array([code[node.gpu_kind] for node in ordered], dtype=np.uint8)
    ids = tuple([node.id for node in ordered])
    arrays: dict[str, Array] = {"gpus": gpus_N, "kind": kind_N}
    for level, begins, called in zip(LEVELS, starts, names, strict=True):
        arrays[f"{level}_start"] = begins
        arrays[f"{level}_name"] = np.frombuffer("\0".join(called).encode(), dtype=np.uint8)
    return Layout(
        ids=ids,
        gpus_N=gpus_N,
        kind_N=kind_N,
        kinds=kinds,
        starts=tuple(starts),
        names=tuple(names),
        rows={node: row for row, node in enumerate(ids)},
        watts_N=np.array([0, *map(gpu_watts, kinds[1:])], dtype=np.int64)[kind_N],
        packed=_packed(ids, kinds, arrays),
    )


def natural(name: str) -> Natural:
    """A key that sorts names by what is before the number that they end with, and then by that number."""
    before = name.rstrip("0123456789")
    number = name[len(before) :]
    return before, int(number) if number else -1, name


def _domains(
    columns: Sequence[Sequence[str]], count: int
) -> tuple[list[Starts], list[tuple[str, ...]]]:
    """For each level where its domains begin, and their names: one begins where its name changes, or one above it."""
    starts: list[Starts] = []
    names: list[tuple[str, ...]] = []
    fresh_N = np.zeros(count, dtype=np.bool_)
    fresh_N[:1] = True
    for column in columns:
        known: dict[str, int] = {}
        codes_N = np.array([known.setdefault(each, len(known)) for each in column], dtype=np.int64)
        fresh_N[1:] |= codes_N[1:] != codes_N[:-1]
        begins = np.flatnonzero(fresh_N)
        starts.append(begins.astype(np.uint32))
        names.append(tuple([column[row] for row in begins.tolist()]))
    return starts, names


def _packed(ids: Sequence[str], kinds: Sequence[str], arrays: Mapping[str, Array]) -> Packed:
    header = {
        "format": "layout",
        "nodes": len(ids),
        "levels": LEVELS,
        "kinds": kinds,
        "names": tag_of("\0".join(ids).encode()),
    }
    return pack(header, arrays)


def _sorted(nodes: Sequence[Node]) -> tuple[list[Node], list[list[str]]]:
    """Nodes in the order of rows, and their names at each of LEVELS."""
    ids = [node.id for node in nodes]
    columns = [[node.report.topology[place] for node in nodes] for place in _PLACES]
    ranks = [_ranks(column) for column in (ids, *reversed(columns))]  # the last is the first key
    order: list[int] = np.lexsort(ranks).tolist() if nodes else []
    return [nodes[row] for row in order], [[column[row] for row in order] for column in columns]


def _ranks(names: Sequence[str]) -> npt.NDArray[np.int64]:
    rank = {name: place for place, name in enumerate(sorted(set(names), key=natural))}
    return np.array([rank[name] for name in names], dtype=np.int64)
