"""The room that there is once some gangs have gone, and which nodes hold a demand as one gang after another goes."""

from dataclasses import dataclass

import numpy as np

from gigawatt.scheduler.ask import Demand
from gigawatt.scheduler.room import Room
from gigawatt.scheduler.running import RunningColumns
from gigawatt.scheduler.snapshot import (
    DEVICE_BITS,
    DEVICE_MILLI,
    GPU,
    NONE,
    Amounts,
    Codes,
    Flags,
    Rows,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What some gangs have on nodes, one row for each gang and node. Axis P."""

    owner_P: Codes  # rows of running gangs
    node_P: Rows
    amounts_PK: Amounts
    bits_P: Amounts
    milli_P: Amounts  # of each of its devices

    def at(self, rows: Rows) -> "Parts":
        return Parts(
            owner_P=self.owner_P[rows],
            node_P=self.node_P[rows],
            amounts_PK=self.amounts_PK[rows],
            bits_P=self.bits_P[rows],
            milli_P=self.milli_P[rows],
        )


def parts_of(running: RunningColumns, gangs_R: Flags) -> Parts:
    """The parts of these gangs on nodes of the cluster."""
    owner_M = running.owner_M
    rows = np.flatnonzero(gangs_R[owner_M] & (running.node_M != NONE))
    owner_P = owner_M[rows]
    per_node_PK = running.gangs.per_node_GK[owner_P]
    return Parts(
        owner_P=owner_P,
        node_P=running.node_M[rows].astype(np.intp),
        amounts_PK=per_node_PK * running.places_M[rows, np.newaxis],
        bits_P=running.devices_M[rows],
        milli_P=np.minimum(per_node_PK[:, GPU], DEVICE_MILLI),
    )


def copied(room: Room) -> Room:
    """Another room, as it is now."""
    other = Room(room.nodes, room.packer)
    other.free_KN = room.free_KN.copy()
    other.device_ND = room.device_ND.copy()
    other.gangs_N = room.gangs_N.copy()
    other.sealed_N = room.sealed_N.copy()
    other.settle()
    return other


def released(room: Room, running: RunningColumns, gangs_R: Flags) -> Room:
    """The room without these gangs, of which every device has to be known."""
    after, parts = copied(room), parts_of(running, gangs_R)
    for kind in range(parts.amounts_PK.shape[1]):
        np.add.at(after.free_KN[kind], parts.node_P, parts.amounts_PK[:, kind])
    np.subtract.at(after.gangs_N, parts.node_P, 1)
    for device in range(min(after.device_ND.shape[1], DEVICE_BITS)):
        has = (parts.bits_P >> device & 1) == 1
        milli = parts.milli_P[has].astype(after.device_ND.dtype)
        np.add.at(after.device_ND[:, device], parts.node_P[has], milli)
    after.sealed_N = room.sealed_N & (after.gangs_N > 0)
    after.settle()
    return after


class Bench:
    """Some nodes of a room, from which parts are given back and taken again. `rows` are sorted; places are theirs."""

    def __init__(self, room: Room, rows: Rows) -> None:
        self.rows = rows
        self._free_KB = room.free_KN[:, rows]
        self._device_BD = room.device_ND[rows]
        self._gangs_B = room.gangs_N[rows]
        self._sealed_B = room.sealed_N[rows]

    def places(self, node_P: Rows) -> Rows:
        """Where nodes are on the bench."""
        return np.searchsorted(self.rows, node_P)

    def give(self, parts: Parts, *, sign: int = 1) -> None:
        """Parts go, no two of one node; with a `sign` of -1 they are back."""
        at = self.places(parts.node_P)
        for kind in range(len(self._free_KB)):
            self._free_KB[kind, at] += sign * parts.amounts_PK[:, kind]
        self._gangs_B[at] -= sign
        for device in range(min(self._device_BD.shape[1], DEVICE_BITS)):
            has = (parts.bits_P >> device & 1) == 1
            self._device_BD[at[has], device] += (sign * parts.milli_P[has]).astype(np.int32)

    def fits(self, demand: Demand, at: Rows) -> Flags:
        """Where on the bench one node's worth of `demand` is free now: what `Room.fits_N` says of whole clusters."""
        fits = ~(self._sealed_B[at] & (self._gangs_B[at] > 0))
        for kind, amount in enumerate(demand.vector()):
            if amount:
                fits &= self._free_KB[kind, at] >= amount
        device = self._device_BD[at]
        if demand.devices:
            fits &= (device == DEVICE_MILLI).sum(axis=1) >= demand.devices
        if demand.share:
            fits &= device.max(axis=1, initial=0) >= demand.share
        if demand.alone:
            fits &= self._gangs_B[at] == 0
        return fits if demand.divisible else np.zeros_like(fits)
