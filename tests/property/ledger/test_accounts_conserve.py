"""Whatever happens to a node's account, its entries sum to what is installed times the time accounted for."""

from collections.abc import Callable

import hypothesis.strategies as st
from hypothesis import given

from gigawatt.ledger import account as ledger
from gigawatt.ledger.account import Settled
from gigawatt.ledger.goodput import totals
from gigawatt.model.ledger import LedgerEntry, NodeAccount, TimeClass, Use
from gigawatt.model.node import Node, NodeReport, NodeState
from gigawatt.model.resources import Resources

INSTALLED = 4_000
GANGS = ("a", "b", "c")

Step = tuple[str, str, int]


def a_node(milli_cpu: int) -> Node:
    report = NodeReport(
        id="n1",
        total=Resources(milli_cpu=milli_cpu),
        topology=("site", "", "", "", "", "", "n1"),
        address="127.0.0.1",
    )
    return Node(id="n1", state=NodeState.READY, reason="", report=report, changed_ms=0)


def a_use(gang: str, units: int) -> Use:
    return Use(
        gang=gang,
        attempt=1,
        tenant="t",
        project="p",
        units=units,
        time_class=TimeClass.STARTING,
    )


def take(account: NodeAccount, step: Step, now_ms: int) -> Settled:
    what, gang, units = step
    used = sum(use.units for use in account.uses)
    held = any(use.gang == gang for use in account.uses)
    if what == "begin":
        if held or used + units > account.installed:
            return ledger.settle(account, now_ms=now_ms)
        return ledger.begin(account, a_use(gang, units), now_ms=now_ms)
    steps: dict[str, Callable[[], Settled]] = {
        "useful": lambda: ledger.reclass(account, gang, 1, TimeClass.USEFUL, now_ms=now_ms),
        "confirm": lambda: ledger.confirm(account, gang, 1, now_ms=now_ms),
        "redone": lambda: ledger.withdraw(account, gang, 1, TimeClass.REDONE, now_ms=now_ms),
        "fault": lambda: ledger.withdraw(account, gang, 1, TimeClass.USER_FAULT, now_ms=now_ms),
        "end": lambda: ledger.end(account, gang, 1, now_ms=now_ms),
        "down": lambda: ledger.set_rest(account, TimeClass.DOWN, now_ms=now_ms),
        "idle": lambda: ledger.set_rest(account, TimeClass.IDLE, now_ms=now_ms),
        "resize": lambda: ledger.resize(account, INSTALLED + units, now_ms=now_ms),
    }
    return steps[what]()


STEPS = st.lists(
    st.tuples(
        st.tuples(
            st.sampled_from(
                (
                    "begin",
                    "useful",
                    "confirm",
                    "redone",
                    "fault",
                    "end",
                    "down",
                    "idle",
                    "resize",
                )
            ),
            st.sampled_from(GANGS),
            st.integers(0, 3_000),
        ),
        st.integers(-5, 10_000),
    ),
    max_size=40,
)


@given(STEPS)
def test_entries_sum_to_installed_time_whatever_happens(steps: list[tuple[Step, int]]) -> None:
    account, now_ms = ledger.open_account(a_node(INSTALLED), now_ms=1_000), 1_000
    entries: list[LedgerEntry] = []
    for step, later_ms in steps:
        now_ms += later_ms
        account, more = take(account, step, now_ms)
        entries.extend(more)
    assert sum(entry.unit_ms for entry in entries) == account.installed_unit_ms
    assert all(amount >= 0 for amount in totals(entries, unit=account.unit).values())


@given(STEPS)
def test_without_resizing_installed_time_is_capacity_times_the_clock(
    steps: list[tuple[Step, int]],
) -> None:
    account, now_ms = ledger.open_account(a_node(INSTALLED), now_ms=0), 0
    entries: list[LedgerEntry] = []
    for step, later_ms in steps:
        if step[0] == "resize":
            continue
        now_ms += abs(later_ms)
        account, more = take(account, step, now_ms)
        entries.extend(more)
    account, more = ledger.settle(account, now_ms=now_ms + 7)
    total = sum(entry.unit_ms for entry in (*entries, *more))
    assert total == INSTALLED * (now_ms + 7)


def test_a_lost_entry_would_be_noticed() -> None:
    account = ledger.open_account(a_node(INSTALLED), now_ms=0)
    account, _lost = ledger.begin(account, a_use("a", 1_000), now_ms=50)
    account, entries = ledger.end(account, "a", 1, now_ms=100)
    assert sum(entry.unit_ms for entry in entries) != account.installed_unit_ms
