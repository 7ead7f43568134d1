"""What live attempts take of nodes, as sums by row: what comes and goes is added up for all nodes at once.

N  nodes
K  kinds of resource
D  devices of a node
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from gigawatt.model.resources import KINDS
from gigawatt.scheduler.facts import Footprint, devices_of
from gigawatt.scheduler.snapshot import DEVICE_MILLI, Amounts, Codes, Flags, Rows

WHOLE = tuple(
    tuple(range(count)) for count in range(17)
)  # the devices of nodes that are given whole
GANGS, SEALS, UNKNOWN = range(
    3
)  # counts: attempts, those that seal it, those whose devices are not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What an attempt takes of each of these rows, and of each of these devices there."""

    rows: tuple[int, ...]
    devices: tuple[int, ...]
    each: tuple[int, ...]  # in the order of KINDS, then of the counts, then of one device


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """The row of a node, and the uuids of its devices in the order of its report."""

    row: int
    uuids: tuple[str, ...]


class Loads:
    """`note` what changes, then `settle`."""

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
        rows = np.array(list(chain.from_iterable([load.rows for load, _ in noted])), dtype=np.intp)
        each = np.repeat(each, [len(load.rows) for load, _ in noted], axis=0)
        for kind, sums in enumerate((*self._taken_KN, *self._counts_N)):
            np.add.at(sums, rows, each[:, kind].astype(sums.dtype))
        self._settle_devices(noted, rows, each[:, -1])
        return np.unique(rows)

    def _settle_devices(self, noted: list[tuple[Load, int]], rows: Rows, share: Amounts) -> None:
        """Few sets of devices are given: each row is told by which of them its own is."""
        sets: dict[tuple[int, ...], int] = {}
        given = [sets.setdefault(load.devices, len(sets)) for load, _ in noted]
        has_SD = np.zeros((len(sets), len(self._device_DN)), dtype=np.int64)
        for devices, index in sets.items():
            has_SD[index, list(devices)] = 1
        of = np.repeat(given, [len(load.rows) for load, _ in noted])
        for device, sums in enumerate(self._device_DN):
            np.add.at(sums, rows, (has_SD[of, device] * share).astype(np.int32))

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


def loads_of(use: Footprint, seats: Iterable[Seat | None]) -> list[Load]:
    """What an attempt takes of its nodes, of which each has a seat or None: alike on most, so that it is mostly one load."""
    gpu, cpu, memory = use.per_node.vector()
    width = devices_of(gpu)
    found: dict[tuple[int, tuple[int, ...]], list[int]] = {}
    devices = use.devices or ((),) * len(use.nodes)
    for node, seat, uuids in zip(use.nodes, seats, devices, strict=True):
        if seat is not None:
            places = use.places.get(node, 1) if use.places else 1
            found.setdefault((places, _named(seat, uuids) if width else ()), []).append(seat.row)
    return [
        Load(
            rows=tuple(rows),
            devices=named,
            each=(
                gpu * places,
                cpu * places,
                memory * places,
                1,
                use.sealed,
                len(named) < width * places,
                min(gpu, DEVICE_MILLI),
            ),
        )
        for (places, named), rows in found.items()
    ]


def _named(seat: Seat, uuids: tuple[str, ...]) -> tuple[int, ...]:
    """The places in the node's report of these devices, as `facts.named_devices` has them."""
    if uuids == seat.uuids:
        return WHOLE[len(uuids)] if len(uuids) < len(WHOLE) else tuple(range(len(uuids)))
    return tuple([place for place, uuid in enumerate(seat.uuids) if uuid in uuids])


def _moved(sums_XN: Any, source: Rows) -> Any:
    fresh_XN = np.zeros((len(sums_XN), len(source)), dtype=sums_XN.dtype)
    old = source >= 0
    fresh_XN[:, old] = sums_XN[:, source[old]]
    return fresh_XN
