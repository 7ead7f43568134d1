"""What live attempts take of nodes, as sums by row: what comes and goes is added up for all nodes at once.

N  nodes
K  kinds of resource
D  devices of a node
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from gigawatt.model.node import Node
from gigawatt.model.resources import KINDS
from gigawatt.scheduler.facts import Footprint, devices_of, named_devices
from gigawatt.scheduler.snapshot import DEVICE_MILLI, Amounts, Codes, Flags, Rows

GANGS, SEALS, UNKNOWN = range(
    3
)  # counts: attempts, those that seal it, those whose devices are not known


class Loads:
    """`note` what changes, then `settle`."""

    def __init__(self) -> None:
        self._taken_KN: Amounts = np.zeros((len(KINDS), 0), dtype=np.int64)
        self._device_DN: Codes = np.zeros((0, 0), dtype=np.int32)
        self._counts_N: Codes = np.zeros((3, 0), dtype=np.int32)
        self._rows: list[int] = []
        self._changes: list[tuple[int, ...]] = []
        self._device_rows: list[int] = []
        self._devices: list[int] = []
        self._shares: list[int] = []

    def resize(self, source: Rows) -> None:
        """Row i is now what row `source[i]` was, a new one where that is -1."""
        assert not self._rows, "settle before rows move"
        self._taken_KN = _moved(self._taken_KN, source)
        self._device_DN = _moved(self._device_DN, source)
        self._counts_N = _moved(self._counts_N, source)

    def widen(self, width: int) -> None:
        """Nodes have up to so many devices."""
        more = max(0, width - len(self._device_DN))
        self._device_DN = np.pad(self._device_DN, ((0, more), (0, 0)))

    def note(self, on: Iterable[tuple[int, Node]], use: Footprint, sign: int) -> None:
        """The attempt takes its part of these nodes, by row; with a `sign` of -1 it gives it back."""
        gpu, cpu, memory = use.per_node.vector()
        count, share, sealed = devices_of(gpu), sign * min(gpu, DEVICE_MILLI), sign * use.sealed
        alike = gpu * sign, cpu * sign, memory * sign, sign, sealed, 0  # of a node as it mostly is
        for row, node in on:
            places = use.places.get(node.id, 1) if use.places else 1
            self._rows.append(row)
            unknown = 0
            if gpu:
                named = named_devices(node, use)
                self._devices += named
                self._device_rows += [row] * len(named)
                self._shares += [share] * len(named)
                unknown = sign * (len(named) < count * places)
            if unknown or places != 1:
                times = sign * places
                amounts = gpu * times, cpu * times, memory * times
                self._changes.append((*amounts, sign, sealed, unknown))
            else:
                self._changes.append(alike)

    def clear(self, rows: Iterable[int]) -> None:
        """Nothing is taken of these any more: what there is will be noted anew."""
        gone = list(rows)
        self._taken_KN[:, gone] = 0
        self._device_DN[:, gone] = 0
        self._counts_N[:, gone] = 0

    def settle(self) -> Rows:
        """Add up what was noted; the rows that it concerned, ascending."""
        if not self._rows:
            return np.empty(0, dtype=np.intp)
        rows, changes = np.array(self._rows, dtype=np.intp), np.array(self._changes)
        for kind, sums in enumerate((*self._taken_KN, *self._counts_N)):
            np.add.at(sums, rows, changes[:, kind].astype(sums.dtype))
        devices = np.array(self._devices, dtype=np.intp)
        at = devices, np.array(self._device_rows, dtype=np.intp)
        np.add.at(self._device_DN, at, np.array(self._shares, dtype=np.int32))
        for noted in (self._rows, self._changes, self._device_rows, self._devices, self._shares):
            noted.clear()
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


def _moved(sums_XN: Any, source: Rows) -> Any:
    fresh_XN = np.zeros((len(sums_XN), len(source)), dtype=sums_XN.dtype)
    old = source >= 0
    fresh_XN[:, old] = sums_XN[:, source[old]]
    return fresh_XN
