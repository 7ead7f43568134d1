"""The side of the encoder for reservations: those that are not over, by when they begin."""

from collections.abc import Iterable

import numpy as np

from gigawatt.model.reservation import Reservation
from gigawatt.scheduler.running import firsts
from gigawatt.scheduler.snapshot import NONE, ReservedColumns


class ReservedRows:
    """Kept by `put`."""

    def __init__(self) -> None:
        self._kept: dict[str, Reservation] = {}
        self._ids: tuple[str, ...] = ()
        self._columns: ReservedColumns | None = None

    def put(self, reservation: Reservation) -> bool:
        """Take its new value; whether that changes what is set aside."""
        before = self._kept.pop(reservation.id, None)
        if not reservation.over:
            self._kept[reservation.id] = reservation
        self._columns = None
        return before is not reservation

    def columns(self, ids: tuple[str, ...]) -> ReservedColumns | None:
        """`ids` are those of the snapshot's nodes. None where nothing is set aside."""
        if not self._kept:
            return None
        if self._columns is None or self._ids != ids:
            self._ids, self._columns = ids, cold_reserved(self._kept.values(), ids)
        return self._columns


def cold_reserved(
    reservations: Iterable[Reservation], ids: tuple[str, ...]
) -> ReservedColumns | None:
    """What is set aside, from scratch."""
    kept = sorted(
        (each for each in reservations if not each.over), key=lambda each: (each.start_ms, each.id)
    )
    if not kept:
        return None
    rows = {node: row for row, node in enumerate(ids)}
    parts = [[rows.get(node, NONE) for node in each.nodes] for each in kept]
    return ReservedColumns(
        ids=tuple(each.id for each in kept),
        holders=tuple(each.holder for each in kept),
        start_ms_R=np.array([each.start_ms for each in kept], dtype=np.int64),
        end_ms_R=np.array([each.end_ms for each in kept], dtype=np.int64),
        lead_ms_R=np.array([each.lead_ms for each in kept], dtype=np.int64),
        first_R=firsts(np.array([len(each) for each in parts], dtype=np.int64)),
        node_M=np.array([row for each in parts for row in each], dtype=np.int32),
    )
