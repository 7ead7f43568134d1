"""Single movements of device time, as whole values."""

import pytest

from gigawatt.ledger import account as ledger
from gigawatt.ledger.goodput import ettr, goodput, totals
from gigawatt.model.ledger import LedgerEntry, NodeAccount, TimeClass, Use

MS = 1_000


def an_account() -> NodeAccount:
    return NodeAccount(
        id="n1",
        unit="milli_core_ms",
        installed=2_000,
        rest_class=TimeClass.IDLE,
        installed_ms=0,
        accounted_to_ms=0,
    )


def a_use(units: int = 500) -> Use:
    return Use(
        gang="g",
        attempt=1,
        tenant="t",
        project="p",
        units=units,
        time_class=TimeClass.USEFUL,
    )


def sums_of(*groups: tuple[LedgerEntry, ...]) -> dict[TimeClass, int]:
    entries = [entry for group in groups for entry in group]
    found = totals(entries, unit="milli_core_ms")
    return {each: amount for each, amount in found.items() if amount}


def test_a_use_takes_its_units_and_the_rest_stays_idle() -> None:
    account, first = ledger.begin(an_account(), a_use(), now_ms=10 * MS)
    account, second = ledger.settle(account, now_ms=30 * MS)
    assert sums_of(first, second) == {
        TimeClass.USEFUL: 500 * 20 * MS,
        TimeClass.IDLE: 2_000 * 10 * MS + 1_500 * 20 * MS,
    }


def test_what_was_useful_since_the_last_checkpoint_is_lost_with_the_attempt() -> None:
    account, _ = ledger.begin(an_account(), a_use(2_000), now_ms=0)
    account, kept = ledger.confirm(account, "g", 1, now_ms=8 * MS)
    account, lost = ledger.withdraw(account, "g", 1, TimeClass.REDONE, now_ms=10 * MS)
    account, none = ledger.end(account, "g", 1, now_ms=10 * MS)
    assert sums_of(kept, lost, none) == {
        TimeClass.USEFUL: 2_000 * 8 * MS,
        TimeClass.REDONE: 2_000 * 2 * MS,
    }
    assert account.uses == ()


@pytest.mark.parametrize(
    ("to_ms", "lost_ms"),
    [
        (60 * MS, 0),  # a rank whose clock is ahead confirms what there is, and nothing that comes
        (20 * MS, 0),
        (15 * MS, 5 * MS),
        (8 * MS, 12 * MS),
        (3 * MS, 12 * MS),  # what was confirmed stays so
        (-60 * MS, 12 * MS),
    ],
)
def test_a_checkpoint_confirms_no_more_than_there_is_and_takes_nothing_back(
    to_ms: int, lost_ms: int
) -> None:
    account, _ = ledger.begin(an_account(), a_use(2_000), now_ms=0)
    account, first = ledger.confirm(account, "g", 1, now_ms=8 * MS)
    told = ledger.provisional(account.uses[0], account, now_ms=20 * MS, to_ms=to_ms)
    account, second = ledger.confirm(account, "g", 1, now_ms=20 * MS, to_ms=to_ms)
    assert told == 2_000 * (12 * MS - lost_ms)
    assert account.uses[0].provisional_ms == 2_000 * lost_ms
    account, lost = ledger.withdraw(account, "g", 1, TimeClass.REDONE, now_ms=30 * MS)
    redone_ms = lost_ms + 10 * MS
    assert sums_of(first, second, lost) == {
        TimeClass.USEFUL: 2_000 * (30 * MS - redone_ms),
        TimeClass.REDONE: 2_000 * redone_ms,
    }


def test_a_clock_that_goes_back_settles_nothing() -> None:
    account, _ = ledger.settle(an_account(), now_ms=10 * MS)
    assert ledger.settle(account, now_ms=9 * MS) == (account, ())


def test_goodput_is_kept_useful_time_over_allocated_time() -> None:
    sums = dict.fromkeys(TimeClass, 0) | {TimeClass.USEFUL: 90, TimeClass.STARTING: 10}
    assert goodput(sums) == 0.9
    assert ettr(sums, units=1, wall_ms=180) == 0.5
    assert goodput(dict.fromkeys(TimeClass, 0)) is None
