"""What is still free while a decision is being made: read by whole arrays, taken from by a few rows."""

from dataclasses import dataclass

import numpy as np

from gigawatt.scheduler.ask import Demand
from gigawatt.scheduler.ground import places_in
from gigawatt.scheduler.packed import Packer, size_bit
from gigawatt.scheduler.snapshot import (
    CPU,
    DEVICE_MILLI,
    GPU,
    MEMORY,
    Amounts,
    Codes,
    Flags,
    NodeColumns,
    Rows,
)

CACHED_MAX = (
    256  # demands whose answer is kept; beyond it the oldest is forgotten and worked out again
)
GPU_WEIGHT = 1 << 22  # above any sum of two shares in millionths
DEVICE_WEIGHT = 1 << 48  # above any weighted sum of a node


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What is left of some nodes, R of them."""

    rows: Rows
    free_RK: Amounts
    device_RD: Amounts
    gangs_R: Amounts
    sealed_R: Flags


class Room:
    """A working copy of a snapshot's nodes. `take` writes to it, and to nothing else."""

    def __init__(self, nodes: NodeColumns, packer: Packer | None = None) -> None:
        self.nodes = nodes
        self.packer = packer
        self.held_N: Amounts = packer.held_N() if packer else np.empty(0, dtype=np.int64)
        self.free_KN: Amounts = np.array(nodes.free_NK.T, order="C")
        self.device_ND: Codes = np.array(nodes.device_free_ND)
        self.gangs_N: Codes = np.array(nodes.gangs_N)
        self.sealed_N: Flags = np.array(nodes.sealed_N)
        self._largest_K = largest_K(nodes)
        self.settle()

    def settle(self) -> None:
        """Work out anew what follows from the arrays above, after whole arrays were changed."""
        self.idle_N = (self.device_ND == DEVICE_MILLI).sum(axis=1)
        self.widest_N = self.device_ND.max(axis=1, initial=0)
        self._left_N: Amounts | None = None  # worked out when first asked for
        self._taken: list[Rows] = []
        self._fits: dict[Demand, tuple[Flags, int]] = {}

    def put(self, rest: Rest) -> None:
        """Take these nodes as they are given, of a room from which nothing was taken."""
        assert not self._taken, "what was taken would be given back"
        self.free_KN[:, rest.rows] = rest.free_RK.T
        self.device_ND[rest.rows] = rest.device_RD
        self.gangs_N[rest.rows] = rest.gangs_R
        self.sealed_N[rest.rows] = rest.sealed_R
        self.settle()

    def fits_N(self, demand: Demand) -> Flags:
        """Where one node's worth of `demand` is free now. Not to be written to."""
        kept = self._fits.get(demand)
        if kept is None:
            if len(self._fits) >= CACHED_MAX:
                del self._fits[next(iter(self._fits))]
            fits_N, seen = self._fit(demand, slice(None)), len(self._taken)
        else:
            fits_N, seen = kept
            if seen < len(self._taken):
                rows = np.concatenate(self._taken[seen:])
                fits_N[rows] = self._fit(demand, rows)
                seen = len(self._taken)
        self._fits[demand] = fits_N, seen
        return fits_N

    def places_N(self, demand: Demand) -> Amounts:
        """How often each node holds one node's worth of `demand` now, beside others."""
        places_N = places_in(self.free_KN, demand)
        if demand.devices:
            places_N = np.minimum(places_N, self.idle_N // demand.devices)
        return np.where(self.fits_N(demand), places_N, 0)

    def left(self, demand: Demand, rows: Rows) -> Amounts:
        """How much would stay free on each of `rows`, as one number to order by: GPUs weigh most.

        Where a policy packs, it says the order.
        """
        if self.packer is not None:
            return self.packer.left(self, demand, rows)
        if self._left_N is None:
            self._left_N = self._left(slice(None))
        device_RD = self.device_ND[rows] if demand.share else self.device_ND[:0]
        return left_for(demand, self._left_N[rows], device_RD, self.nodes.device_count_N[rows] > 0)

    @property
    def takes(self) -> int:
        """How often something was taken."""
        return len(self._taken)

    def free(self, kind: int, rows: Rows) -> Amounts:
        """What is free of one kind on each of `rows`."""
        return self.free_KN[kind, rows]

    def take(
        self, demand: Demand, rows: Rows, places: Amounts | None = None
    ) -> tuple[tuple[int, ...], ...]:
        """Give one node's worth of `demand`, or so many `places` of it, on each of `rows`.

        What comes back are the devices given on each, () where none is asked.
        """
        for kind, amount in enumerate(demand.vector()):
            self.free_KN[kind, rows] -= amount if places is None else amount * places
        self.gangs_N[rows] += 1
        if demand.alone:
            self.sealed_N[rows] = True
        devices = self._take_devices(demand, rows, places) if demand.milli_gpu else ()
        if self.packer is not None:
            self.held_N[rows] |= size_bit(demand.milli_gpu)
        if self._left_N is not None:
            self._left_N[rows] = self._left(rows)
        self._taken.append(rows)
        return devices

    def _fit(self, demand: Demand, rows: Rows | slice) -> Flags:
        fits = ~self.sealed_N[rows]
        for kind, amount in enumerate(demand.vector()):
            if amount:
                fits &= self.free_KN[kind, rows] >= amount
        if demand.devices:
            fits &= self.idle_N[rows] >= demand.devices
        if demand.share:
            fits &= self.widest_N[rows] >= demand.share
        if demand.alone:
            fits &= self.gangs_N[rows] == 0
        return fits if demand.divisible else np.zeros_like(fits)

    def _take_devices(
        self, demand: Demand, rows: Rows, places: Amounts | None
    ) -> tuple[tuple[int, ...], ...]:
        device = self.device_ND[rows]
        if demand.devices:
            count = np.full(len(rows), demand.devices)
            if places is not None:
                count *= places
            idle = device == DEVICE_MILLI
            given = idle & (np.cumsum(idle, axis=1) <= count[:, np.newaxis])
            device[given] = 0
            columns = [np.flatnonzero(row).tolist() for row in given]
        else:
            columns = self._tightest(demand, rows).reshape(-1, 1).tolist()
            device[np.arange(len(rows)), [column for (column,) in columns]] -= demand.share
        self.device_ND[rows] = device
        self.idle_N[rows] = (device == DEVICE_MILLI).sum(axis=1)
        self.widest_N[rows] = device.max(axis=1)
        return tuple(tuple(row) for row in columns)

    def _tightest(self, demand: Demand, rows: Rows) -> Rows:
        """The device on each of `rows` that a share goes to."""
        if self.packer is not None:
            return self.packer.devices(self, demand, rows)
        device = self.device_ND[rows]
        return np.where(device >= demand.share, device, DEVICE_MILLI + 1).argmin(axis=1)

    def _left(self, rows: Rows | slice) -> Amounts:
        return left_over(self.free_KN[:, rows], self._largest_K)


def largest_K(nodes: NodeColumns) -> Amounts:
    """The most that any node has of each kind, at least 1."""
    return np.array([total_N.max(initial=1) for total_N in nodes.total_NK.T], dtype=np.int64)


def left_over(free_KX: Amounts, largest_K: Amounts) -> Amounts:
    """Free milli-GPUs, then the sum of the free shares of cores and of memory, against the largest node's."""
    free = np.maximum(free_KX, 0)
    shares = free[CPU] * 1_000_000 // largest_K[CPU]
    # In MiB, so that the product stays within 64 bits for any machine.
    shares += (free[MEMORY] >> 20) * 1_000_000 // max(1, int(largest_K[MEMORY]) >> 20)
    return free[GPU] * GPU_WEIGHT + shares


def left_for(demand: Demand, left_X: Amounts, device_XD: Amounts | Codes, gpus_X: Flags) -> Amounts:
    """`left_over`, and first what the demand makes of it.

    A share of a device is weighed by the device it would leave most filled. A gang without GPUs counts a node
    with GPUs as the wrong place: its cores would be missed by the GPUs.
    """
    if demand.share:
        fit_XD = np.where(device_XD >= demand.share, device_XD, DEVICE_MILLI + 1)
        tightest = fit_XD.min(axis=1, initial=DEVICE_MILLI + 1)
        return left_X + tightest.astype(np.int64) * DEVICE_WEIGHT
    if not demand.milli_gpu:
        return left_X + DEVICE_WEIGHT * gpus_X
    return left_X
