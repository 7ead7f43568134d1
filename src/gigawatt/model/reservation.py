"""Reservations: nodes that are set aside for a time, for a project, for a tenant, or for nobody while they are maintained."""

from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum

from gigawatt.model.prices import Plan

RESERVATION_NODES_MAX = 100_000
RESERVATIONS_MAX = 1_000  # that are not over
NOTICE_MS = 10 * 60_000  # unless somebody says otherwise
LEAD_MS = 24 * 3_600_000


class ReservationPhase(StrEnum):
    PLANNED = "planned"
    NOTICED = "noticed"  # those who are in the way have been told to save
    ACTIVE = "active"
    ENDED = "ended"


NEXT_PHASES: dict[ReservationPhase, frozenset[ReservationPhase]] = {
    ReservationPhase.PLANNED: frozenset(
        {ReservationPhase.NOTICED, ReservationPhase.ACTIVE, ReservationPhase.ENDED}
    ),
    ReservationPhase.NOTICED: frozenset({ReservationPhase.ACTIVE, ReservationPhase.ENDED}),
    ReservationPhase.ACTIVE: frozenset({ReservationPhase.ENDED}),
    ReservationPhase.ENDED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """From `start_ms` to `end_ms` its nodes take gangs of the holder alone.

    Before it, they take gangs of others that have ended by then; those without a limit until `lead_ms` before it.
    """

    id: str  # its name
    created_ms: int
    nodes: tuple[str, ...]  # sorted
    start_ms: int
    end_ms: int
    holder: str = ""  # a tenant, or tenant/project; empty is nobody
    reason: str = ""
    notice_ms: int = NOTICE_MS  # before it begins, for those in the way to save
    lead_ms: int = LEAD_MS
    by: str = ""
    phase: ReservationPhase = ReservationPhase.PLANNED
    version: int = 1
    plan: Plan = Plan.RESERVED  # by which its holder is charged: reserved or flex

    @property
    def notice_at_ms(self) -> int:
        """When those in the way are told."""
        return self.start_ms - self.notice_ms

    @property
    def lasting(self) -> bool:
        return self.phase is ReservationPhase.ACTIVE

    def has(self, node: str) -> bool:
        """Whether the node is one of it."""
        place = bisect_left(self.nodes, node)
        return place < len(self.nodes) and self.nodes[place] == node

    @property
    def over(self) -> bool:
        return self.phase is ReservationPhase.ENDED


def holds_for(holder: str, project: str) -> bool:
    """Whether what is reserved for `holder` is there for this project (tenant/project)."""
    return bool(holder) and (project == holder or project.startswith(f"{holder}/"))
