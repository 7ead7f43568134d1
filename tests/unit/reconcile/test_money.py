"""What is charged by, as the loop writes it: plans of gangs and reservations, storage, months that are closed."""

import pytest

from gigawatt.ledger.account import open_account
from gigawatt.ledger.calendar import month_end_ms, month_start_ms
from gigawatt.model.bill import Closing
from gigawatt.model.ledger import DAY_MS, LedgerEntry, TimeClass
from gigawatt.model.money import CloseMonth, SettleMonth
from gigawatt.model.node import Node, NodeReport, NodeState
from gigawatt.model.prices import Plan
from gigawatt.model.refusal import RefusalError
from gigawatt.model.reservation import Reservation, ReservationPhase
from gigawatt.model.resources import Resources
from gigawatt.model.volume import Volume, VolumeKind
from gigawatt.model.world import World
from gigawatt.reconcile import money, storage
from gigawatt.reconcile.node_life import rest
from gigawatt.reconcile.turn import Site, Turn

START_MS = month_start_ms("2026-10")
NOW_MS = month_end_ms("2026-10") + 5
MIB = 1 << 20


def turn_of(world: World, now_ms: int) -> Turn:
    return Turn(world=world, now_ms=now_ms, site=Site(work_dir="", api_url=""))


def a_node() -> Node:
    report = NodeReport(
        id="n1",
        total=Resources(milli_cpu=2_000),
        topology=("site", "", "", "", "", "", "n1"),
        address="127.0.0.1",
    )
    return Node(id="n1", state=NodeState.READY, reason="", report=report, changed_ms=0)


def a_site() -> World:
    world = World(epoch=1)
    world.put(a_node())
    world.put(open_account(a_node(), now_ms=START_MS))
    return world


def rested(world: World, now_ms: int) -> list[LedgerEntry]:
    turn = turn_of(world, now_ms)
    rest(turn, a_node())
    return turn.entries


def test_nodes_that_are_set_aside_are_their_holders_time_until_they_are_not() -> None:
    world = a_site()
    aside = Reservation(
        id="r7",
        created_ms=0,
        nodes=("n1",),
        start_ms=START_MS,
        end_ms=NOW_MS,
        holder="acme/nlp",
        plan=Plan.FLEX,
        phase=ReservationPhase.ACTIVE,
    )
    world.put(aside)
    (idle,) = rested(world, START_MS + 10)
    assert (idle.time_class, idle.tenant, idle.sku) == (TimeClass.IDLE, "", "cpu")
    (held,) = rested(world, START_MS + 30)
    assert held == LedgerEntry(
        at_ms=START_MS + 30,
        node="n1",
        unit="milli_core_ms",
        time_class=TimeClass.RESERVED_IDLE,
        unit_ms=2_000 * 20,
        tenant="acme",
        project="nlp",
        sku="cpu",
        plan="flex",
        reservation="r7",
    )
    world.reservations.clear()
    rested(world, START_MS + 40)
    (after,) = rested(world, START_MS + 50)
    assert (after.time_class, after.tenant, after.plan) == (TimeClass.IDLE, "", "")


def a_volume(stored_bytes: int, kind: VolumeKind = VolumeKind.MANAGED) -> Volume:
    return Volume(
        id="acme/nlp/data",
        tenant="acme",
        project="nlp",
        name="data",
        kind=kind,
        created_ms=0,
        created_by="ada",
        stored_bytes=stored_bytes,
    )


def test_storage_is_counted_in_whole_mebibytes_by_the_day() -> None:
    world = World(epoch=1)
    storage.measured(turn_of(world, START_MS), a_volume(3 * MIB + 1))
    turn = turn_of(world, START_MS + DAY_MS + 7)
    storage.measured(turn, a_volume(0))
    assert [(each.at_ms, each.quantity, each.subject) for each in turn.meters] == [
        (START_MS + DAY_MS, 4 * DAY_MS, "acme/nlp/data"),
        (START_MS + DAY_MS + 7, 4 * 7, "acme/nlp/data"),
    ]
    later = turn_of(world, START_MS + 9 * DAY_MS)
    storage.settle(later, world.storage["acme/nlp/data"])
    assert later.meters == []  # of nothing there is nothing to count


def test_paths_and_buckets_are_not_our_storage() -> None:
    world = World(epoch=1)
    for kind in (VolumeKind.PATH, VolumeKind.S3):
        storage.measured(turn_of(world, START_MS), a_volume(MIB, kind))
    assert world.storage == {}


def asked(month: str = "2026-10") -> SettleMonth:
    return SettleMonth(
        month=month, start_ms=month_start_ms(month), end_ms=month_end_ms(month), by="op"
    )


def closed(world: World, month: str, now_ms: int) -> Closing:
    closing = money.settle(turn_of(world, now_ms), asked(month))
    made = money.command(turn_of(world, now_ms), CloseMonth(closing=closing))
    assert isinstance(made, Closing)
    return made


def test_settling_a_month_accounts_for_all_of_it_told_apart_at_its_end() -> None:
    turn = turn_of(a_site(), NOW_MS)
    money.settle(turn, asked())
    within = [each for each in turn.entries if each.at_ms <= month_end_ms("2026-10")]
    assert sum(each.unit_ms for each in within) == 2_000 * 31 * DAY_MS
    assert [each.unit_ms for each in turn.entries if each not in within] == [2_000 * 5]


def test_a_month_is_closed_once_in_order_and_when_it_is_over() -> None:
    world = a_site()
    first = closed(world, "2026-10", NOW_MS)
    assert money.close(turn_of(world, NOW_MS + 9), first) == first
    for month, now_ms in (
        ("2026-10", NOW_MS),
        ("2026-11", NOW_MS),
        ("2026-12", month_end_ms("2026-12")),
    ):
        with pytest.raises(RefusalError):
            money.settle(turn_of(world, now_ms), asked(month))
    assert closed(world, "2026-11", month_end_ms("2026-11")).number == 2


def test_a_clock_that_went_back_does_not_put_a_closing_before_the_last() -> None:
    world = a_site()
    first = closed(world, "2026-10", month_end_ms("2027-03"))
    assert closed(world, "2026-11", month_end_ms("2026-11")).created_ms > first.created_ms
