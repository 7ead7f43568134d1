"""Reservations: made and ended by operators, seen by those whom they are for."""

from dataclasses import replace

from gigawatt import clock
from gigawatt.model.order import EndReservation, MakeReservation
from gigawatt.model.prices import Plan
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.reservation import Reservation, ReservationPhase
from gigawatt.model.tenant import Caller, Role
from gigawatt.service.lookup import Filters, not_found
from gigawatt.service.permissions import verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.reservations import ReservationView, reservation_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.reservations import ReservationForm

PHASES = tuple(phase.value for phase in ReservationPhase)
THERE = tuple(phase.value for phase in ReservationPhase if phase is not ReservationPhase.ENDED)


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[ReservationView]:
    """Those that are not over, or those in the phases asked for. A tenant sees its own and maintenance."""
    asked = filters.query(caller, phases=PHASES)
    query = replace(asked, tenant="", project="", phases=asked.phases or THERE)
    found = await services.read(lambda: services.store.page(Reservation, query))
    views = [reservation_view(each) for each in found.items if _sees(caller, each)]
    return PageView(items=views, next=found.next)


@verb
async def show(caller: Caller, services: Services, name: str) -> ReservationView:
    """One of them, also when it is over. Raises RefusalError."""
    return reservation_view(await _find(caller, services, name))


@verb
async def make(
    caller: Caller, services: Services, request: ReservationForm, *, terms: Terms
) -> ReservationView:
    """Set nodes aside. Raises RefusalError where somebody else has, or there are no such nodes."""

    async def write() -> Reservation:
        now_ms = clock.now_ms()
        start_ms = request.start or now_ms
        asked = Reservation(
            id=request.name,
            created_ms=now_ms,
            nodes=tuple(sorted(set(request.nodes))),
            start_ms=start_ms,
            end_ms=request.end or start_ms + request.duration * 1000,
            holder=request.holder,
            reason=request.reason,
            notice_ms=request.notice * 1000,
            lead_ms=request.lead * 1000,
            by=caller.name,
            plan=Plan(request.plan),
        )
        command = MakeReservation(reservation=asked, parts=request.supplies())
        made = await services.leader.submit(command, receipt=terms.receipt(caller.tenant))
        assert isinstance(made, Reservation)
        return made

    return reservation_view(await once(Reservation, services, terms, caller.tenant, write))


@verb
async def end(caller: Caller, services: Services, name: str, *, terms: Terms) -> ReservationView:
    """Give the nodes back before it is over. Raises RefusalError."""
    found = await _find(caller, services, name)
    if found.over:
        detail = f"reservation {name} is over"
        raise RefusalError(RefusalCode.CONFLICT, detail)
    version = terms.check(found.version)
    command = EndReservation(name=name, by=caller.name, if_version=version)
    after = await services.leader.submit(command, receipt=terms.receipt(caller.tenant))
    assert isinstance(after, Reservation)
    return reservation_view(after)


async def _find(caller: Caller, services: Services, name: str) -> Reservation:
    found = await services.read(lambda: services.store.read(Reservation, name))
    if found is None or not _sees(caller, found):
        raise not_found("reservation", name)
    return found


def _sees(caller: Caller, reservation: Reservation) -> bool:
    tenant = reservation.holder.partition("/")[0]
    return caller.role is Role.OPERATOR or tenant in {"", caller.tenant}
