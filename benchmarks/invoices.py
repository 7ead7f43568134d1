"""Invoices of a month: a million intervals of the ledger, a thousand tenants, two price books, agreements, reservations.

Every invoice is compared, to the cent, with one that is worked out anew in another way: by SQL on the database file and whole numbers,
with prices, plans and classes written down here again, and none of the product's code.
"""

import random
import sqlite3
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from benchmarks.figures import Figure
from gigawatt.ledger.calendar import month_end_ms, month_start_ms
from gigawatt.model.bill import Closing, Invoice
from gigawatt.model.change import Batch
from gigawatt.model.ledger import DAY_MS, LedgerEntry, TimeClass
from gigawatt.model.prices import Agreement, Meter, Plan, Price, PriceVersion, Rate, Tier
from gigawatt.service import billing
from gigawatt.store import open_store
from gigawatt.store.base import Store

INTERVALS = 1_000_000
TENANTS = 1_000
NODES = 5_000
AT_ONCE = 20_000
SECONDS_MAX = 30.0
MONTH = "2026-10"
START_MS, END_MS = month_start_ms(MONTH), month_end_ms(MONTH)
CHANGE_MS = START_MS + 14 * DAY_MS  # of prices
KINDS = ("h100", "b200", "cpu")
# Cents for an hour, a thousandfold, by kind and plan; the second of each pair is from the change on. Flex is held and used.
CENTS = {
    ("h100", "on-demand"): (299_900, 312_500),
    ("h100", "spot"): (149_950, 155_555),
    ("h100", "reserved"): (235_000, 235_000),
    ("h100", "flex"): (260_001, 260_001),
    ("h100", "flex-held"): (90_003, 90_003),
    ("b200", "on-demand"): (603_000, 577_777),
    ("b200", "spot"): (225_000, 225_000),
    ("b200", "reserved"): (265_000, 265_000),
    ("b200", "flex"): (410_000, 410_000),
    ("b200", "flex-held"): (123_457, 123_457),
    ("cpu", "on-demand"): (4_000, 4_200),
    ("cpu", "spot"): (1_500, 1_500),
    ("cpu", "reserved"): (3_000, 3_000),
    ("cpu", "flex"): (3_500, 3_500),
    ("cpu", "flex-held"): (1_000, 1_000),
}
FREE = ("redone", "preempted", "tested", "drained", "down", "idle")


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="gigawatt-bench-") as name:
        path = Path(name) / "state.db"
        store = open_store(f"sqlite:///{path}")
        store.migrate()
        _fill(store)
        began_s, busy_s = time.perf_counter(), time.process_time()
        made = billing.invoices(store, billing.books(store, MONTH, now_ms=END_MS + 5))
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - busy_s
        store.close()
        expected = _recomputed(path)
    wrong = sum(expected.pop(each.tenant) != _cents(each) for each in made)
    wrong += sum(owed != 0 for owed in expected.values())  # of tenants without an invoice
    lines = sum(len(each.lines) for each in made)
    note = f"{INTERVALS:,} intervals, {len(made):,} invoices, {lines:,} lines; CPU time, {took_s:.1f} s by the clock"
    return [
        Figure(what="invoices of a month", value=cpu_s, unit="s", goal=SECONDS_MAX, note=note),
        Figure(what="invoices that differ from a recomputation", value=wrong, unit="", goal=0),
    ]


def _cents(invoice: Invoice) -> int:
    return int(invoice.charges * 100)


def _fill(store: Store) -> None:
    """A ledger as a site would have written it, with corrections; by chance of one seed."""
    chance = random.Random(7)
    epoch = store.lead(holder="bench", now_ms=1, lease_ms=1 << 40)
    store.commit(_book(), epoch=epoch, now_ms=1)
    classes = [each.value for each in TimeClass]
    for start in range(0, INTERVALS, AT_ONCE):
        entries = [_entry(chance, classes) for _ in range(min(AT_ONCE, INTERVALS - start))]
        store.commit(Batch(entries=entries), epoch=epoch, now_ms=1)
    entry_row, meter_row = store.metered_rows()
    closing = Closing(
        id=MONTH,
        number=1,
        created_ms=END_MS + 5,
        start_ms=START_MS,
        end_ms=END_MS,
        entry_row=entry_row,
        meter_row=meter_row,
        by="bench",
    )
    store.commit(Batch(puts=[closing]), epoch=epoch, now_ms=1)


def _book() -> Batch:
    versions = [
        PriceVersion(
            id=f"{number:08d}",
            number=number,
            currency="USD",
            from_ms=from_ms,
            prices=_prices(number - 1),
            made_ms=number,
            by="bench",
            tiers=(Tier(below=Decimal(99), credit=Decimal(10)),),
        )
        for number, from_ms in ((1, START_MS), (2, CHANGE_MS))
    ]
    agreements = [
        Agreement(
            id=f"{_tenant(number)}/1",
            tenant=_tenant(number),
            number=1,
            from_ms=START_MS,
            made_ms=1,
            by="bench",
            discount=Decimal(number % 40) / 2,
        )
        for number in range(0, TENANTS, 3)
    ]
    return Batch(puts=[*versions, *agreements])


def _prices(which: int) -> tuple[Price, ...]:
    found: list[Price] = []
    for (kind, plan), cents in CENTS.items():
        held = plan == "flex-held"
        found.append(
            Price(
                meter=Meter.CPU if kind == "cpu" else Meter.GPU,
                sku=kind,
                amount=Decimal(cents[which]) / 100_000,
                plan=Plan.FLEX if held else Plan(plan),
                rate=Rate.HOLDING if held else Rate.USAGE,
            )
        )
    return tuple(sorted(found, key=lambda price: price.key))


def _entry(chance: random.Random, classes: list[str]) -> LedgerEntry:
    number = chance.randrange(TENANTS)
    kind = KINDS[chance.randrange(3)]
    plan = ("on-demand", "spot", "reserved", "flex")[chance.randrange(4)]
    amount = chance.randrange(1, 8_000) * chance.randrange(1, 3_600_000)
    return LedgerEntry(
        at_ms=chance.randrange(START_MS + 1, END_MS + 1),
        node=f"n{chance.randrange(NODES)}",
        unit="milli_core_ms" if kind == "cpu" else "milli_gpu_ms",
        time_class=TimeClass(classes[chance.randrange(len(classes))]),
        unit_ms=-amount if chance.random() < 0.05 else amount,
        tenant=_tenant(number) if chance.random() < 0.95 else "",
        project=f"p{number % 3}",
        gang=f"job-{chance.randrange(100_000)}",
        attempt=1,
        sku=kind,
        plan=plan,
        reservation=f"r{number % 7}" if plan in {"reserved", "flex"} else "",
    )


def _tenant(number: int) -> str:
    return f"tenant-{number:04d}"


def _recomputed(path: Path) -> dict[str, int]:
    """Cents by tenant. A line is what the invoice calls one: all that has the same names and the same price."""
    marks = ", ".join("?" for _ in FREE)
    found = sqlite3.connect(path).execute(
        "SELECT tenant, project, sku, plan, time_class, reservation, at_ms > ?, SUM(unit_ms >> 20), SUM(unit_ms & 1048575)"
        f" FROM entries WHERE tenant <> '' AND time_class NOT IN ({marks})"
        " GROUP BY 1, 2, 3, 4, 5, 6, 7",
        (CHANGE_MS, *FREE),
    )
    by_line: dict[tuple[str, ...], tuple[int, int]] = {}
    owed = {_tenant(number): 0 for number in range(TENANTS)}
    rows: list[tuple[str, str, str, str, str, str, int, int, int]] = found.fetchall()
    for tenant, project, kind, plan, use, reservation, later, high, low in rows:
        held = plan == "flex" and use == "reserved_idle"
        cents: int = CENTS[kind, "flex-held" if held else plan][later]
        key = (tenant, project, kind, plan, use, reservation, str(later))
        by_line[key] = (high << 20) + low, cents
    for key, (amount, cents) in by_line.items():
        number = int(key[0].removeprefix("tenant-"))
        per_mille = 1_000 - (number % 40) * 5 if number % 3 == 0 else 1_000
        top, bottom = abs(amount) * cents * per_mille, 3_600_000_000 * 1_000 * 1_000
        coins = (2 * top + bottom) // (2 * bottom)
        owed[key[0]] += -coins if amount < 0 else coins
    return owed
