"""What will be free, if everything that runs ends when it must: the room of a later time, and when a gang will fit.

What ends by a time is released from whole arrays of the uses of nodes. Where an end is not known, nothing is released.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.scheduler.ask import Demand
from gigawatt.scheduler.room import Room
from gigawatt.scheduler.snapshot import (
    DEVICE_BITS,
    DEVICE_MILLI,
    NEVER_MS,
    Amounts,
    Codes,
    Flags,
    NodeColumns,
    Rows,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What this round gave to one gang: on `rows`, so many `places` of `demand` (one each for None), until `end_ms`."""

    demand: Demand
    rows: Rows
    places: Amounts | None
    devices: tuple[tuple[int, ...], ...]
    end_ms: int


def later(room: Room, at_ms: int, given: Sequence[Given]) -> Room:
    """The room at `at_ms`: as it is now, with what ends by then released. `given` is what the round has started."""
    nodes = room.nodes
    after = Room(nodes, room.packer)
    ended_NU = used_NU(nodes) & (nodes.use_end_NU <= at_ms)
    after.free_KN = room.free_KN + np.stack(
        [
            np.where(ended_NU, of_kind, 0).sum(axis=1)
            for of_kind in (nodes.use_gpu_NU, nodes.use_cpu_NU, nodes.use_memory_NU)
        ]
    )
    after.device_ND = room.device_ND + _devices(nodes, ended_NU)
    after.gangs_N = (room.gangs_N - ended_NU.sum(axis=1)).astype(np.int32)
    for each in given:
        if each.end_ms <= at_ms:
            _release(after, each)
    after.sealed_N = room.sealed_N & (after.gangs_N > 0)
    after.settle()
    return after


def first_fit(
    room: Room, now_ms: int, given: Sequence[Given], fits: Callable[[Room], bool]
) -> tuple[int, Room] | None:
    """The earliest end by which `fits` holds of the room, and that room; None if it never does.

    What fits goes on to fit as more ends, so the ends are searched by halves. An end that is overdue is now.
    """
    nodes = room.nodes
    known = nodes.use_end_NU[used_NU(nodes)]
    ends = np.concatenate([known, np.array([each.end_ms for each in given], dtype=np.int64)])
    times = np.unique(np.maximum(ends[ends != NEVER_MS], now_ms)).tolist()
    low, high = 0, len(times)
    found: tuple[int, Room] | None = None
    while low < high:
        middle = (low + high) // 2
        after = later(room, times[middle], given)
        if fits(after):
            found, high = (times[middle], after), middle
        else:
            low = middle + 1
    return found


def used_NU(nodes: NodeColumns) -> Flags:
    """Where there is a use: rows are filled from the left, one for each gang of the node."""
    uses: int = nodes.use_end_NU.shape[-1]
    return np.arange(uses) < nodes.gangs_N.reshape(-1, 1)


def _devices(nodes: NodeColumns, ended_NU: Flags) -> Codes:
    """Milli-GPUs of each device that what has ended leaves."""
    released_ND: Codes = np.zeros_like(nodes.device_free_ND)
    milli_NU = np.where(ended_NU, np.minimum(nodes.use_gpu_NU, DEVICE_MILLI), 0)
    for device in range(min(released_ND.shape[1], DEVICE_BITS)):
        released_ND[:, device] = (milli_NU * (nodes.use_devices_NU >> device & 1)).sum(axis=1)
    return released_ND


def _release(room: Room, given: Given) -> None:
    for kind, amount in enumerate(given.demand.vector()):
        room.free_KN[kind, given.rows] += amount if given.places is None else amount * given.places
    room.gangs_N[given.rows] -= 1
    for row, devices in zip(given.rows.tolist(), given.devices, strict=False):
        room.device_ND[row, list(devices)] += min(given.demand.milli_gpu, DEVICE_MILLI)
