"""How soon and how often messages go."""

from dataclasses import replace

from gigawatt.control.courier import tried
from gigawatt.control.postage import AGE_MAX_MS, Allowance, pause_ms
from gigawatt.model.notification import Delivery, DeliveryPhase
from gigawatt.service.answer import Answer
from gigawatt.service.webhooks import answered

WAITING = Delivery(
    id="n/0",
    tenant="t",
    project="p",
    notification="n",
    message="n-1",
    body="{}",
    events=1,
    at_ms=1_000,
)


def test_pauses_double_up_to_a_bound_and_chance_takes_some_off() -> None:
    assert [pause_ms(n, 0) for n in (1, 2, 3, 7, 8, 500)] == [
        5_000,
        10_000,
        20_000,
        320_000,
        600_000,
        600_000,
    ]
    assert pause_ms(1, 1) == 4_000


def test_a_minutes_messages_may_go_at_once_and_then_each_in_its_time() -> None:
    allowance = Allowance()
    for n in range(3):
        assert allowance.wait_s(3, 100.0) == 0
        assert allowance.is_last(3, 100.0) is (n == 2)
        allowance.spend(3, 100.0)
    assert allowance.wait_s(3, 100.0) == 20
    assert round(allowance.wait_s(3, 110.0), 6) == 10
    assert allowance.wait_s(3, 120.0) == 0
    assert allowance.is_last(3, 120.0)
    assert not allowance.is_last(3, 1_000.0)


def test_a_try_ends_delivered_dead_or_with_another() -> None:
    arrived = tried(WAITING, Answer(status=200), at_ms=2_000, chance=0)
    assert (arrived.phase, arrived.tries, arrived.body) == (DeliveryPhase.DELIVERED, 1, "")
    busy = tried(WAITING, answered(503), at_ms=2_000, chance=0)
    assert (busy.phase, busy.next_ms, busy.error) == (
        DeliveryPhase.PENDING,
        7_000,
        "it answered 503",
    )
    final = tried(WAITING, answered(410), at_ms=2_000, chance=0)
    assert (final.phase, final.body) == (DeliveryPhase.DEAD, "{}")
    old = tried(WAITING, Answer(status=0, error="x"), at_ms=1_000 + AGE_MAX_MS, chance=0)
    assert old.phase is DeliveryPhase.DEAD
    again = replace(WAITING, again_ms=1_000 + AGE_MAX_MS)
    assert tried(again, answered(503), at_ms=1_001 + AGE_MAX_MS, chance=0).next_ms > 0


def test_only_what_will_not_change_is_final() -> None:
    assert [status for status in range(300, 600) if answered(status).final] == [
        status for status in range(400, 500) if status not in {401, 403, 404, 408, 409, 425, 429}
    ]
