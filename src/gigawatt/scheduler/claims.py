"""Claims in a round: what is kept is taken from the room before anybody's turn, and handed over when it is free.

What a claim is for may still be in use by those who stop for it, so the room is less than nothing there until they
have gone. From then on the claim's owner starts on it at its turn: it has it already.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gigawatt.model.decision import Start
from gigawatt.model.plan import Lapse
from gigawatt.scheduler.room import Room
from gigawatt.scheduler.running import ClaimColumns
from gigawatt.scheduler.snapshot import (
    DEVICE_BITS,
    DEVICE_MILLI,
    GPU,
    NONE,
    Amounts,
    Rows,
    Snapshot,
)


class Claims:
    """The claims that stand in this round. Those that do not are `lapses`. `room` is asked for only where any stands."""

    def __init__(self, snapshot: Snapshot, room: Callable[[], Room]) -> None:
        self._snapshot = snapshot
        self._standing: dict[str, int] = {}
        self._cooling: dict[str, int] = {}
        self.lapses: tuple[Lapse, ...] = ()
        claims = snapshot.claims
        if claims is None:
            return
        lapses: list[Lapse] = []
        for row, gang in enumerate(claims.ids):
            if claims.lapsed_ms_C[row]:
                self._cooling[gang] = int(claims.lapsed_ms_C[row])
                continue
            why = _why_not(snapshot, claims, row)
            if why:
                lapses.append(Lapse(gang=gang, why=why))
                self._cooling[gang] = snapshot.now_ms
            else:
                self._standing[gang] = row
        self.lapses = tuple(lapses)
        for row in self._standing.values():
            keep(room(), _lot(claims, row))
        if self._standing:
            room().settle()

    def __contains__(self, gang: str) -> bool:
        return gang in self._standing

    def __bool__(self) -> bool:
        return bool(self._standing)

    def standing(self) -> list[str]:
        """The gangs for which anything is kept, by id."""
        return list(self._standing)

    def kept(self, gang: str) -> tuple[Rows, Amounts]:
        """The nodes that are kept for it, and how many places on each."""
        claims, row = self._snapshot.claims, self._standing[gang]
        assert claims is not None
        lot = _lot(claims, row)
        return lot.rows, lot.places

    def start(self, room: Room, gang: str) -> Start | None:
        """The gang on what is kept for it, if all of that is free by now."""
        claims, row = self._snapshot.claims, self._standing[gang]
        assert claims is not None
        lot = _lot(claims, row)
        if not _free(room, lot):
            return None
        del self._standing[gang]
        ids = self._snapshot.nodes.ids
        # One place a node is said by saying nothing, except of a stacked gang.
        own = self._snapshot.gangs.row(gang)
        stacked = own != NONE and bool(self._snapshot.gangs.stacked_G[own])
        gpus = tuple(_places(int(each)) for each in lot.bits)
        nodes = tuple(ids[int(node)] for node in lot.rows)
        spares = int(claims.spares_C[row])
        return Start(
            gang=gang,
            nodes=nodes[: len(nodes) - spares],
            spares=nodes[len(nodes) - spares :],
            gpus=gpus if any(gpus) else (),
            places=tuple(lot.places.tolist()) if stacked else (),
        )

    def drop(self, room: Room, gang: str) -> None:
        """It has started elsewhere: what was kept for it is anybody's."""
        claims, row = self._snapshot.claims, self._standing.pop(gang)
        assert claims is not None
        keep(room, _lot(claims, row), sign=-1)
        room.settle()

    def cooling_until(self, gang: str, claim_ms: int) -> int:
        """After a claim lapsed, no plan is made for its owner for a while; 0 if none has."""
        lapsed_ms = self._cooling.get(gang)
        return 0 if lapsed_ms is None else lapsed_ms + claim_ms

    def told(self, gang: str) -> tuple[int, int, int]:
        """When it should be free, and how many stop and move for it."""
        claims, row = self._snapshot.claims, self._standing[gang]
        assert claims is not None
        return int(claims.free_ms_C[row]), int(claims.stopped_C[row]), int(claims.moved_C[row])

    def times(self, claim_ms: int) -> list[int]:
        """When claims that stand lapse, and when plans may be made again for the owners of those that have."""
        claims, ends = self._snapshot.claims, list[int]()
        if claims is not None:
            ends = claims.until_ms_C[list(self._standing.values())].tolist()
        return [*ends, *(lapsed_ms + claim_ms for lapsed_ms in self._cooling.values())]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lot:
    """What is kept on `rows`, each of which comes once: `places` times the amounts, and the devices named by `bits`."""

    rows: Rows
    places: Amounts
    bits: Amounts
    per_node: tuple[int, ...]  # in the order of KINDS
    alone: bool


def keep(room: Room, lot: Lot, *, sign: int = 1) -> None:
    """Take the lot from the room, whether it is free or not; with a `sign` of -1 give it back. Settles nothing."""
    rows = lot.rows
    for kind, amount in enumerate(lot.per_node):
        room.free_KN[kind, rows] -= sign * amount * lot.places
    room.gangs_N[rows] += sign
    if lot.alone:
        room.sealed_N[rows] = sign > 0 or room.nodes.sealed_N[rows]
    milli = sign * min(lot.per_node[GPU], DEVICE_MILLI)
    for device in range(min(room.device_ND.shape[1], DEVICE_BITS)):
        has = (lot.bits >> device & 1) == 1
        room.device_ND[rows[has], device] -= milli


def _why_not(snapshot: Snapshot, claims: ClaimColumns, row: int) -> str:
    """Why a claim cannot come to anything any more; empty if it can."""
    if claims.until_ms_C[row] <= snapshot.now_ms:
        return "what was to be freed was not free in time"
    nodes = snapshot.nodes
    parts = slice(claims.first_C[row], claims.first_C[row + 1])
    rows = claims.node_M[parts]
    if (rows == NONE).any():
        return "a node of it is not in the cluster any more"
    closed = rows[~nodes.open_N[rows]]
    if len(closed):
        return f"node {nodes.ids[int(closed.min())]} takes no gangs any more"
    beyond = claims.devices_M[parts] >> nodes.device_count_N[rows].astype(np.int64)
    amounts = claims.per_node_CK[row] * claims.places_M[parts, np.newaxis]
    short = (beyond != 0) | (amounts > nodes.total_NK[rows]).any(axis=1)
    if short.any():
        return f"node {nodes.ids[int(rows[short].min())]} has become smaller"
    return ""


def _lot(claims: ClaimColumns, row: int) -> Lot:
    parts = slice(claims.first_C[row], claims.first_C[row + 1])
    return Lot(
        rows=claims.node_M[parts].astype(np.intp),
        places=claims.places_M[parts].astype(np.int64),
        bits=claims.devices_M[parts],
        per_node=tuple(claims.per_node_CK[row].tolist()),
        alone=bool(claims.alone_C[row]),
    )


def _free(room: Room, lot: Lot) -> bool:
    """Whether nobody else has any of what was taken from the room for the lot."""
    rows = lot.rows
    if (room.free_KN[:, rows] < 0).any() or room.nodes.sealed_N[rows].any():
        return False
    if lot.alone and (room.gangs_N[rows] != 1).any():
        return False
    return not any(
        (room.device_ND[rows[lot.bits >> device & 1 == 1], device] < 0).any()
        for device in range(min(room.device_ND.shape[1], DEVICE_BITS))
    )


def _places(bits: int) -> tuple[int, ...]:
    return tuple(place for place in range(bits.bit_length()) if bits >> place & 1)
