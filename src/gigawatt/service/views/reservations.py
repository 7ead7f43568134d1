"""Reservations as callers see them."""

from dataclasses import dataclass

from gigawatt.model.reservation import Reservation


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationView:
    """Nodes that are set aside from `start_ms` to `end_ms`, for `holder`: a tenant, tenant/project, or empty for nobody."""

    name: str
    phase: str
    nodes: tuple[str, ...]
    start_ms: int
    end_ms: int
    holder: str
    reason: str
    notice_s: int
    lead_s: int
    plan: str
    by: str
    created_ms: int
    version: int


def reservation_view(reservation: Reservation) -> ReservationView:
    """All of it."""
    return ReservationView(
        name=reservation.id,
        phase=reservation.phase.value,
        nodes=reservation.nodes,
        start_ms=reservation.start_ms,
        end_ms=reservation.end_ms,
        holder=reservation.holder,
        reason=reservation.reason,
        notice_s=reservation.notice_ms // 1000,
        lead_s=reservation.lead_ms // 1000,
        plan=reservation.plan.value,
        by=reservation.by,
        created_ms=reservation.created_ms,
        version=reservation.version,
    )
