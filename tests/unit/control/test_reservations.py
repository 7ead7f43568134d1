"""Nodes that are set aside: who is in the way leaves in time, and afterwards all is as before."""

from typing import Any

import pytest

from gigawatt.model.action import NotifyAttempt
from gigawatt.model.attempt import Verdict
from gigawatt.model.job import JobPhase
from gigawatt.model.launch import AttemptKey
from gigawatt.model.ledger import TimeClass
from gigawatt.model.node import NodeState
from gigawatt.model.order import EndReservation, MakeReservation
from gigawatt.model.power import Supply
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.reservation import Reservation, ReservationPhase
from gigawatt.model.tenant import Project, Tenant
from gigawatt.model.upkeep import ChangeNode
from tests.loop import Loop, a_spec
from tests.machines import a_report
from tests.unit.control.test_node_lives import seeing

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def a_site(*nodes: str) -> Loop:
    loop = Loop.of(*map(a_report, nodes))
    for entity in (
        Tenant(id="default", created_ms=0),
        Project(id="default/default", tenant="default", name="default", created_ms=0),
        Project(id="default/vision", tenant="default", name="vision", created_ms=0),
    ):
        loop.world.put(entity)
        loop.kept[type(entity).__name__, entity.id] = entity
    return loop


def reserve(loop: Loop, *nodes: str, after_ms: int = HOUR_MS, **terms: Any) -> Reservation:
    start_ms = loop.now_ms + after_ms
    fields: dict[str, Any] = {"id": "r", "end_ms": start_ms + HOUR_MS, "by": "ann", **terms}
    asked = Reservation(created_ms=0, nodes=nodes, start_ms=start_ms, **fields)
    made = loop.ask(MakeReservation(reservation=asked))
    assert isinstance(made, Reservation)
    return made


def pass_to(loop: Loop, at_ms: int) -> None:
    loop.later(at_ms - loop.now_ms)
    loop.step()


def kinds(loop: Loop) -> list[str]:
    return [event.kind for event in loop.events if event.kind.startswith("reservation.")]


def test_for_maintenance_a_node_is_empty_when_it_begins_and_open_when_it_is_over() -> None:
    loop = a_site("n1")
    loop.submit(a_spec())
    asked = seeing(loop)
    made = reserve(loop, "n1", reason="fans")
    pass_to(loop, made.start_ms - made.notice_ms - 1)
    assert loop.world.nodes["n1"].state is NodeState.READY
    pass_to(loop, made.start_ms - made.notice_ms)
    key = AttemptKey(gang="job-1", attempt=1)
    assert NotifyAttempt(key=key, checkpoint_by_ms=made.start_ms) in asked
    assert loop.job().phase is JobPhase.RUNNING
    pass_to(loop, made.start_ms)
    node = loop.world.nodes["n1"]
    assert (node.state, node.reason, node.by) == (NodeState.EMPTY, "reservation r: fans", "ann")
    ended = loop.job().attempts[0]
    assert (ended.verdict, ended.charged_to) == (Verdict.PREEMPTION, "")
    assert loop.job().phase is JobPhase.QUEUED
    pass_to(loop, made.end_ms)
    assert loop.world.nodes["n1"].state is NodeState.READY
    assert loop.job().phase is JobPhase.RUNNING
    assert kinds(loop) == [f"reservation.{each}" for each in ("made", "noticed", "active", "ended")]
    assert not loop.world.reservations


def test_gangs_of_others_leave_a_node_that_is_for_a_project_and_come_back_later() -> None:
    loop = a_site("n1")
    loop.submit(a_spec())
    made = reserve(loop, "n1", holder="default/vision")
    pass_to(loop, made.start_ms)
    node, ended = loop.world.nodes["n1"], loop.job().attempts[0]
    assert node.state is NodeState.READY
    assert ended.verdict is Verdict.PREEMPTION
    assert [fact.what for fact in ended.evidence] == ["reserved"]
    assert loop.job().phase is JobPhase.QUEUED
    pass_to(loop, made.start_ms + 10 * MINUTE_MS)
    pass_to(loop, made.end_ms)
    assert loop.job().phase is JobPhase.RUNNING
    idle = [each for each in loop.entries if each.time_class is TimeClass.RESERVED_IDLE]
    assert sum(each.unit_ms for each in idle) > 0
    assert loop.unaccounted() == 0


def test_gangs_of_the_holder_stay_and_start() -> None:
    loop = a_site("n1")
    loop.submit(a_spec())
    made = reserve(loop, "n1", holder="default")
    pass_to(loop, made.start_ms)
    assert loop.job().phase is JobPhase.RUNNING
    loop.submit(a_spec("other"), id="job-2")
    assert loop.job("job-2").phase is JobPhase.RUNNING


def test_what_would_be_over_by_then_starts_before_it_and_what_would_not_waits() -> None:
    loop = a_site("n1")
    reserve(loop, "n1", holder="default/vision")
    loop.submit(a_spec("short", timeout_s=1800), id="short")
    loop.submit(a_spec("long", timeout_s=7200), id="long")
    loop.submit(a_spec("open"), id="open")
    phases = [loop.job(each).phase for each in ("short", "long", "open")]
    assert phases == [JobPhase.RUNNING, JobPhase.QUEUED, JobPhase.QUEUED]


def test_one_that_is_ended_early_gives_its_nodes_back_at_once() -> None:
    loop = a_site("n1", "n2")
    made = reserve(loop, "n1", "n2", after_ms=0)
    assert made.phase is ReservationPhase.PLANNED
    assert loop.world.reservations["r"].phase is ReservationPhase.ACTIVE
    assert loop.world.nodes["n1"].state is NodeState.EMPTY
    loop.ask(ChangeNode(node="n2", state=NodeState.CORDONED, reason="mine", by="bob"))
    loop.ask(EndReservation(name="r", by="ann"))
    assert loop.world.nodes["n1"].state is NodeState.READY
    assert loop.world.nodes["n2"].state is NodeState.CORDONED  # bob's
    reserve(loop, "n1")  # its name is free again


def test_a_new_leader_goes_on_where_the_last_one_was() -> None:
    loop = a_site("n1")
    made = reserve(loop, "n1")
    loop.restart()
    pass_to(loop, made.start_ms)
    assert loop.world.nodes["n1"].state is NodeState.EMPTY
    loop.later(2 * HOUR_MS)
    loop.restart()
    assert loop.world.nodes["n1"].state is NodeState.READY


def test_parts_of_the_site_are_its_nodes() -> None:
    loop = a_site("n1", "n2")
    start_ms = loop.now_ms
    asked = Reservation(
        id="r", created_ms=0, nodes=(), start_ms=start_ms, end_ms=start_ms + HOUR_MS
    )
    made = loop.ask(MakeReservation(reservation=asked, parts=(Supply(level="node", name="n2"),)))
    assert isinstance(made, Reservation)
    assert made.nodes == ("n2",)


@pytest.mark.parametrize(
    ("terms", "code", "field"),
    [
        ({"nodes": ("n9",)}, RefusalCode.NOT_FOUND, "nodes"),
        ({"holder": "nobody"}, RefusalCode.NOT_FOUND, "holder"),
        ({"holder": "default/none"}, RefusalCode.NOT_FOUND, "holder"),
        ({"id": "other"}, RefusalCode.CONFLICT, "nodes"),
        ({"id": "r", "nodes": ("n2",)}, RefusalCode.CONFLICT, ""),
        ({"id": "old", "nodes": ("n2",), "end_ms": 1}, RefusalCode.INVALID, "until"),
    ],
)
def test_what_cannot_be_set_aside_is_refused(
    terms: dict[str, Any], code: RefusalCode, field: str
) -> None:
    loop = a_site("n1", "n2")
    reserve(loop, "n1")
    given: dict[str, Any] = {"id": "two", "nodes": ("n1",), **terms}
    with pytest.raises(RefusalError) as refused:
        reserve(loop, *given.pop("nodes"), **given)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert set(loop.world.reservations) == {"r"}


def test_the_same_nodes_may_be_set_aside_one_after_the_other() -> None:
    loop = a_site("n1")
    first = reserve(loop, "n1", holder="default/vision")
    reserve(loop, "n1", after_ms=2 * HOUR_MS, id="next")
    pass_to(loop, first.end_ms)
    assert loop.world.nodes["n1"].state is NodeState.EMPTY
