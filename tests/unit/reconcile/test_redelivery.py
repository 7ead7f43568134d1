"""Sending again what was given up, decided against what has happened meanwhile."""

from dataclasses import replace

from gigawatt.model.notification import DELIVERIES_KEPT, Delivery, DeliveryPhase, Notification
from gigawatt.model.order import RedeliverMessages
from gigawatt.model.world import World
from gigawatt.reconcile.notifications import redeliver
from gigawatt.reconcile.turn import Site, Turn

NOW_MS = 5_000
OPS = Notification(
    id="n",
    tenant="t",
    project="p",
    name="ops",
    kinds=("job.failed",),
    webhook="https://example.com",
    created_ms=1,
    created_by="ada",
    after_seq=9,
    deliveries=3,
)


def dead(place: int) -> Delivery:
    return Delivery(
        id=f"n/{place}",
        tenant="t",
        project="p",
        notification="n",
        message=f"n-{place}",
        body="{}",
        events=1,
        at_ms=1,
        phase=DeliveryPhase.DEAD,
        tries=7,
        next_ms=0,
        error="it answered 410",
        version=8,
    )


def turn_with(notification: Notification) -> Turn:
    world = World(epoch=1)
    world.put(notification)
    return Turn(world=world, now_ms=NOW_MS, site=Site(work_dir="/w", api_url=""))


def test_what_was_given_up_waits_again_as_if_for_the_first_time() -> None:
    turn = turn_with(OPS)
    redeliver(turn, RedeliverMessages(id="n", dead=(dead(0), dead(2)), seen=3, by="ada"))
    wanted = replace(dead(0), phase=DeliveryPhase.PENDING, tries=0, again_ms=NOW_MS, version=9)
    assert turn.world.deliveries["n/0"] == wanted
    assert list(turn.world.deliveries) == ["n/0", "n/2"]
    assert [(each.kind, each.message) for each in turn.events] == [
        ("notification.redelivered", "ops: 2 by ada")
    ]


def test_a_message_whose_place_is_taken_and_one_that_is_on_its_way_are_left() -> None:
    seen = DELIVERIES_KEPT + 1
    turn = turn_with(replace(OPS, deliveries=seen + 1))  # the newest took place 1
    command = RedeliverMessages(id="n", dead=(dead(1), dead(2)), seen=seen, by="ada")
    redeliver(turn, command)
    redeliver(turn, command)
    assert list(turn.world.deliveries) == ["n/2"]
    assert len(turn.events) == 1
