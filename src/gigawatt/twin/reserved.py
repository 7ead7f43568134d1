"""Reservations in the twin: as a scenario has them, and a check that they are kept to."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from gigawatt.control.cycle import Outcome
from gigawatt.model.endpoint import Replica
from gigawatt.model.job import Job
from gigawatt.model.node import NodeReport
from gigawatt.model.order import MakeReservation
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.reservation import Reservation, holds_for
from gigawatt.model.tenant import DEFAULT_TENANT
from gigawatt.spec.faults import nearest
from gigawatt.spec.fields import in_units
from gigawatt.spec.reservations import ReservationForm
from gigawatt.spec.units import duration_ms
from gigawatt.twin.work import START_MS

AFTER_MS_MAX = 1 << 45
BY = "scenario"


class ReservedForm(ReservationForm):
    """A reservation of a scenario: `start` and `end` are since the run began, and `holder` is one of its projects."""

    start: Annotated[int, in_units(duration_ms, at_least=0, at_most=AFTER_MS_MAX)] = 0
    end: Annotated[int, in_units(duration_ms, at_least=0, at_most=AFTER_MS_MAX)] = 0


def reservations(
    file: Path, forms: Iterable[ReservedForm], nodes: Iterable[NodeReport], projects: Iterable[str]
) -> tuple[MakeReservation, ...]:
    """What is to be asked for. Raises RefusalError for nodes and projects that the scenario has not."""
    known, there = set(projects), {node.id for node in nodes}
    found: list[MakeReservation] = []
    for place, form in enumerate(forms):
        field = f"reservations[{place}]"
        if form.holder and form.holder not in known:
            detail = f"{file}: reservation {form.name} is for {form.holder}, which is no project"
            hint = nearest(form.holder, known)
            raise RefusalError(RefusalCode.INVALID, detail, field=f"{field}.holder", hint=hint)
        for node in form.nodes:
            if node not in there:
                detail = f"{file}: reservation {form.name} names {node}, which is no node"
                hint = nearest(node, there)
                raise RefusalError(RefusalCode.INVALID, detail, field=f"{field}.nodes", hint=hint)
        start_ms = START_MS + form.start
        asked = Reservation(
            id=form.name,
            created_ms=0,
            nodes=tuple(sorted(set(form.nodes))),
            start_ms=start_ms,
            end_ms=START_MS + form.end if form.end else start_ms + form.duration * 1000,
            holder=form.holder and f"{DEFAULT_TENANT}/{form.holder}",
            reason=form.reason,
            notice_ms=form.notice * 1000,
            lead_ms=form.lead * 1000,
            by=BY,
        )
        found.append(MakeReservation(reservation=asked, parts=form.supplies()))
    return tuple(found)


class SetAside:
    """Nothing starts where others have nodes set aside. Tell it of every outcome."""

    def __init__(self) -> None:
        self._kept: dict[str, Reservation] = {}
        self._seen: dict[str, int] = {}  # by gang, its last attempt

    def check(self, outcome: Outcome, now_ms: int) -> list[str]:
        """What is wrong."""
        works: list[Job | Replica] = []
        for put in outcome.batch.puts:
            if isinstance(put, Reservation):
                self._kept[put.id] = put
            elif isinstance(put, Job | Replica):
                works.append(put)
        self._kept = {name: each for name, each in self._kept.items() if not each.over}
        return [fault for work in works for fault in self._in_the_way(work, now_ms)]

    def _in_the_way(self, work: Job | Replica, now_ms: int) -> list[str]:
        attempt = work.attempt
        if attempt is None or not attempt.live or self._seen.get(work.id) == attempt.n:
            return []
        self._seen[work.id] = attempt.n
        limit_ms = work.spec.timeout_s * 1000 if isinstance(work, Job) else 0
        project = f"{work.tenant}/{work.project}"
        return [
            f"{work.id} starts on {node}, which {each.id} sets aside"
            for each in self._kept.values()
            if not holds_for(each.holder, project)
            and each.start_ms < now_ms + (limit_ms or each.lead_ms)
            for node in attempt.held
            if each.has(node)
        ]
