"""What live attempts take of nodes, as sums by row: what comes and goes is added up for all nodes at once.

N  nodes
K  kinds of resource
D  devices of a node
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gigawatt.model.node import Node
from gigawatt.model.resources import KINDS
from gigawatt.scheduler.facts import Footprint, devices_of, named_devices
from gigawatt.scheduler.snapshot import DEVICE_MILLI, Amounts, Codes, Flags, Rows

GANGS, SEALS, UNKNOWN = range(
    3
)  # counts: attempts, those that seal it, those whose devices are not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What an attempt takes of each of these rows, and a share of each of the devices at `slots` (`Loads.slot`)."""

    rows: tuple[int, ...]
    slots: tuple[int, ...]
    each: tuple[int, ...]  # in the order of KINDS, then of the counts, then of one device


class Loads:
    """`note` what changes, then `settle`. What a slot is changes with `resize` and `widen`."""

    def __init__(self) -> None:
        self._taken_KN: Amounts = np.zeros((len(KINDS), 0), dtype=np.int64)
        self._device_DN: Codes = np.zeros((0, 0), dtype=np.int32)
        self._counts_N: Codes = np.zeros((3, 0), dtype=np.int32)
        self._noted: list[tuple[Load, int]] = []

    def resize(self, source: Rows) -> None:
        """Row i is now what row `source[i]` was, a new one where that is -1."""
        assert not self._noted, "settle before rows move"
        self._taken_KN = _moved(self._taken_KN, source)
        self._device_DN = _moved(self._device_DN, source)
        self._counts_N = _moved(self._counts_N, source)

    def widen(self, width: int) -> None:
        """Nodes have up to so many devices."""
        more = max(0, width - len(self._device_DN))
        self._device_DN = np.pad(self._device_DN, ((0, more), (0, 0)))

    def loads(
        self, use: Footprint, rows: Mapping[str, int], nodes: Mapping[str, Node]
    ) -> list[Load]:
        """What an attempt takes of those of its nodes that have a row: alike on most, so that it is mostly one load."""
        count, width = self._device_DN.shape[-1], devices_of(use.per_node.milli_gpu)
        found: dict[tuple[int, bool], tuple[list[int], list[int]]] = {}
        devices = use.devices or ((),) * len(use.nodes)
        for node, uuids in zip(use.nodes, devices, strict=True):
            row = rows.get(node)
            if row is None:
                continue
            places = use.places.get(node, 1) if use.places else 1
            named = named_devices(nodes[node], uuids) if width else ()
            alike = places, len(named) < width * places
            of_rows, slots = found.setdefault(alike, ([], []))
            of_rows.append(row)
            slots += [device * count + row for device in named]
        return [
            Load(rows=tuple(of_rows), slots=tuple(slots), each=_each(use, *alike))
            for alike, (of_rows, slots) in found.items()
        ]

    def note(self, loads: Iterable[Load], sign: int) -> None:
        """It takes this; with a `sign` of -1 it gives it back."""
        for load in loads:
            self._noted.append((load, sign))

    def clear(self, rows: Iterable[int]) -> None:
        """Nothing is taken of these any more: what there is will be noted anew."""
        gone = list(rows)
        self._taken_KN[:, gone] = 0
        self._device_DN[:, gone] = 0
        self._counts_N[:, gone] = 0

    def settle(self) -> Rows:
        """Add up what was noted; the rows that it concerned, ascending."""
        noted, self._noted = self._noted, []
        if not noted:
            return np.empty(0, dtype=np.intp)
        each = np.array([load.each for load, _ in noted]) * np.array(
            [sign for _, sign in noted]
        ).reshape(-1, 1)
        rows = np.array([row for load, _ in noted for row in load.rows], dtype=np.intp)
        counts = np.array([len(load.rows) for load, _ in noted])
        for kind, sums in enumerate((*self._taken_KN, *self._counts_N)):
            np.add.at(sums, rows, np.repeat(each[:, kind].astype(sums.dtype), counts))
        slots = np.array([slot for load, _ in noted for slot in load.slots], dtype=np.intp)
        counts = np.array([len(load.slots) for load, _ in noted])
        shares = np.repeat(each[:, -1].astype(np.int32), counts)
        np.add.at(self._device_DN.reshape(-1), slots, shares)
        return np.unique(rows)

    def free_NK(self, total_NK: Amounts) -> Amounts:
        """What is left of these totals."""
        return np.ascontiguousarray(total_NK.T - self._taken_KN).T

    def device_free_ND(self, device_count_N: Codes, width: int) -> Codes:
        """Milli-GPUs of each device; of a node with an attempt whose devices are not known, none."""
        there_DN = np.arange(width).reshape(-1, 1) < device_count_N
        there_DN &= self._counts_N[UNKNOWN] == 0
        return np.where(there_DN, DEVICE_MILLI - self._device_DN[:width], 0).T.astype(np.int32)

    @property
    def gangs_N(self) -> Codes:
        return self._counts_N[GANGS].copy()

    @property
    def sealed_N(self) -> Flags:
        return self._counts_N[SEALS] > 0


def _each(use: Footprint, places: int, unknown: bool) -> tuple[int, ...]:
    gpu, cpu, memory = use.per_node.vector()
    amounts = gpu * places, cpu * places, memory * places
    return (*amounts, 1, use.sealed, unknown, min(gpu, DEVICE_MILLI))


def _moved(sums_XN: Any, source: Rows) -> Any:
    fresh_XN = np.zeros((len(sums_XN), len(source)), dtype=sums_XN.dtype)
    old = source >= 0
    fresh_XN[:, old] = sums_XN[:, source[old]]
    return fresh_XN
