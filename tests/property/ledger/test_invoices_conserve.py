"""What all invoices charge and do not charge, what was idle and what is ours sum to what was installed, whatever happened."""

from dataclasses import dataclass

import hypothesis.strategies as st
from hypothesis import given

from gigawatt.ledger import account as ledger
from gigawatt.ledger.account import Settled
from gigawatt.ledger.calendar import month_after, month_end_ms, month_start_ms
from gigawatt.ledger.charges import Quantity, conserved, of_entry
from gigawatt.ledger.invoice import Account, Period, invoice
from gigawatt.ledger.rates import Rates
from gigawatt.model.ledger import DAY_MS, LedgerEntry, NodeAccount, Terms, TimeClass, Use
from gigawatt.model.prices import Meter
from tests.unit.ledger.bills import book

START_MS = month_start_ms("2026-10") + 3 * DAY_MS
INSTALLED = 8_000
TENANTS = ("acme", "zeta")
GANGS = ("a", "b", "c")
CLASSES = (TimeClass.USEFUL, TimeClass.CHECKPOINTING, TimeClass.SERVING, TimeClass.PREEMPTED)
RESTS = (TimeClass.IDLE, TimeClass.DOWN, TimeClass.DRAINED, TimeClass.RESERVED_IDLE)
TERMS = (
    Terms(),
    Terms(reservation="r", holder="acme", plan="reserved"),
    Terms(reservation="f", holder="zeta/p", plan="flex"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    what: str
    gang: str
    number: int
    later_ms: int


STEPS = st.lists(
    st.builds(
        Step,
        what=st.sampled_from(("begin", "class", "lose", "confirm", "end", "rest", "resize")),
        gang=st.sampled_from(GANGS),
        number=st.integers(0, 3_000),
        later_ms=st.integers(0, 9 * DAY_MS),
    ),
    max_size=30,
)


def after(account: NodeAccount, step: Step, now_ms: int) -> Settled:
    number, gang = step.number, step.gang
    held = {use.gang for use in account.uses}
    used = sum(use.units for use in account.uses)
    match step.what:
        case "begin" if gang not in held and used + number <= account.installed:
            use = Use(
                gang=gang,
                attempt=1,
                tenant=TENANTS[number % 2],
                project="p",
                units=number,
                time_class=TimeClass.STARTING,
                plan=("on-demand", "spot")[number % 3 % 2],
            )
            return ledger.begin(account, use, now_ms=now_ms)
        case "class":
            kind = CLASSES[number % len(CLASSES)]
            return ledger.reclass(account, gang, 1, kind, now_ms=now_ms)
        case "lose":
            into = (TimeClass.REDONE, TimeClass.USER_FAULT)[number % 2]
            return ledger.withdraw(account, gang, 1, into, now_ms=now_ms)
        case "confirm":
            return ledger.confirm(account, gang, 1, now_ms=now_ms)
        case "end":
            return ledger.end(account, gang, 1, now_ms=now_ms)
        case "rest":
            rest, terms = RESTS[number % len(RESTS)], TERMS[number % len(TERMS)]
            return ledger.set_rest(account, rest, now_ms=now_ms, terms=terms)
        case "resize":
            return ledger.resize(account, INSTALLED + number, now_ms=now_ms)
        case _:
            return ledger.settle(account, now_ms=now_ms)


def played(steps: list[Step]) -> tuple[NodeAccount, list[LedgerEntry], int]:
    account = NodeAccount(
        id="n1",
        unit="milli_gpu_ms",
        installed=INSTALLED,
        rest_class=TimeClass.IDLE,
        installed_ms=START_MS,
        accounted_to_ms=START_MS,
        sku="h100",
    )
    entries: list[LedgerEntry] = []
    now_ms = START_MS
    for step in steps:
        now_ms += step.later_ms
        account, more = after(account, step, now_ms)
        entries += more
    account, more = ledger.settle(account, now_ms=now_ms + 1)
    return account, [*entries, *more], now_ms + 1


def invoiced(quantities: list[Quantity], month: str) -> int:
    """The device time on the lines of every invoice of a month."""
    rates = Rates([book()], ())
    period = Period(
        month=month,
        start_ms=month_start_ms(month),
        end_ms=month_end_ms(month),
        created_ms=month_end_ms(month),
    )
    found = 0
    for tenant in TENANTS:
        mine = tuple(each for each in quantities if each.tenant == tenant)
        made = invoice(Account(tenant=tenant, quantities=mine), rates, period)
        found += sum(line.quantity for line in made.lines if line.meter == Meter.GPU)
    return found


@given(STEPS)
def test_invoices_idle_time_and_ours_sum_to_what_was_installed(steps: list[Step]) -> None:
    account, entries, now_ms = played(steps)
    total, month = 0, "2026-10"
    while month_start_ms(month) < now_ms:
        quantities = [
            of_entry(each)
            for each in entries
            if month_start_ms(month) < each.at_ms <= month_end_ms(month)
        ]
        sums = conserved(tuple(quantities), Meter.GPU)
        billed = invoiced(quantities, month)
        assert billed == sums.charged + sums.not_charged
        total += billed + sums.idle + sums.ours
        month = month_after(month)
    assert total == account.installed_unit_ms


@given(STEPS)
def test_time_that_passes_is_told_apart_by_the_day(steps: list[Step]) -> None:
    account, entries, now_ms = played([each for each in steps if each.what != "lose"])
    by_day: dict[int, int] = {}
    for each in entries:
        day = (each.at_ms - 1) // DAY_MS
        by_day[day] = by_day.get(day, 0) + each.unit_ms
    whole = range(START_MS // DAY_MS, now_ms // DAY_MS)
    least = [by_day[day] for day in whole]
    assert all(INSTALLED * DAY_MS <= found <= (INSTALLED + 3_000) * DAY_MS for found in least)
    assert sum(by_day.values()) == account.installed_unit_ms


def test_an_invoice_that_left_something_out_would_be_noticed() -> None:
    use = Step(what="begin", gang="a", number=1_000, later_ms=DAY_MS)
    _, entries, _ = played([use, Step(what="end", gang="a", number=0, later_ms=DAY_MS)])
    quantities = [of_entry(each) for each in entries]
    sums = conserved(tuple(quantities), Meter.GPU)
    nobodys = [each for each in quantities if not each.tenant]
    assert invoiced(nobodys, "2026-10") < sums.charged + sums.not_charged
