"""Sums of what is charged by, on both databases."""

from dataclasses import replace

from gigawatt.ledger.charges import Quantity
from gigawatt.model.bill import MeterEntry
from gigawatt.model.change import Batch
from gigawatt.model.ledger import DAY_MS, LedgerEntry, TimeClass
from gigawatt.model.prices import Meter
from gigawatt.store.base import MeterQuery, Store
from tests.contract.store.databases import NOW_MS

BIG = 1 << 62


def entry(unit_ms: int, **changes: object) -> LedgerEntry:
    made = LedgerEntry(
        at_ms=DAY_MS,
        node="n1",
        unit="milli_gpu_ms",
        time_class=TimeClass.USEFUL,
        unit_ms=unit_ms,
        tenant="acme",
        project="nlp",
        gang="job-1",
        attempt=1,
        sku="h100",
        plan="spot",
    )
    return replace(made, **changes)  # pyright: ignore[reportArgumentType]


def quantity(amount: int, **changes: object) -> Quantity:
    made = Quantity(
        meter=Meter.GPU,
        sku="h100",
        quantity=amount,
        day=0,
        tenant="acme",
        project="nlp",
        plan="spot",
        use="useful",
    )
    return replace(made, **changes)  # pyright: ignore[reportArgumentType]


TOKENS = MeterEntry(
    at_ms=DAY_MS + 1,
    meter="prompt_tokens",
    quantity=7,
    tenant="acme",
    project="nlp",
    subject="ep-1",
    sku="tiny",
    key="key-1",
)


def commit(store: Store, epoch: int, entries: list[LedgerEntry], *meters: MeterEntry) -> None:
    store.commit(Batch(entries=entries, meters=list(meters)), epoch=epoch, now_ms=NOW_MS)


def test_sums_are_told_apart_by_all_that_prices_depend_on(store: Store, epoch: int) -> None:
    commit(
        store,
        epoch,
        [entry(5), entry(6), entry(1, at_ms=DAY_MS + 1), entry(-2, reservation="r"), entry(BIG)],
        TOKENS,
        TOKENS,
    )
    tokens = Quantity(
        meter=Meter.PROMPT, sku="tiny", quantity=14, day=1, tenant="acme", project="nlp"
    )
    assert store.quantities(MeterQuery()) == (
        quantity(11 + BIG),
        quantity(1, day=1),
        quantity(-2, reservation="r"),
        tokens,
    )


def test_sums_of_more_than_64_bits_are_exact(store: Store, epoch: int) -> None:
    commit(store, epoch, [entry(BIG), entry(BIG), entry(BIG), entry(1)])
    assert store.quantities(MeterQuery()) == (quantity(3 * BIG + 1),)


def test_rows_and_times_bound_what_is_summed(store: Store, epoch: int) -> None:
    commit(store, epoch, [entry(1), entry(2)], TOKENS)
    entries, meters = store.metered_rows()
    commit(store, epoch, [entry(4), entry(8, at_ms=DAY_MS + 1)], TOKENS)

    def found(**bounds: int) -> int:
        return sum(each.quantity for each in store.quantities(MeterQuery(**bounds)))

    assert found(entries_through=entries, meters_through=meters) == 1 + 2 + 7
    assert found(entries_after=entries, meters_after=meters) == 4 + 8 + 7
    assert found(until_ms=DAY_MS) == 1 + 2 + 4
    assert found(since_ms=DAY_MS) == 8 + 14


def test_whose_and_what_is_asked_for_narrows(store: Store, epoch: int) -> None:
    theirs = entry(9, tenant="zeta", reservation="r", time_class=TimeClass.DOWN)
    commit(store, epoch, [entry(1), theirs], TOKENS)
    assert [each.quantity for each in store.quantities(MeterQuery(tenant="zeta"))] == [9]
    assert [each.quantity for each in store.quantities(MeterQuery(reserved=True))] == [9]
    down = MeterQuery(classes=(TimeClass.DOWN,), by=("node",))
    assert [(each.node, each.gang) for each in store.quantities(down)] == [("n1", "")]
    whose = store.quantities(MeterQuery(tenant="acme", by=("gang", "key")))
    assert [(each.gang, each.key) for each in whose] == [("job-1", ""), ("ep-1", "key-1")]


def test_an_empty_ledger_has_no_rows_and_no_sums(store: Store, epoch: int) -> None:
    assert store.metered_rows() == (0, 0)
    assert store.quantities(MeterQuery()) == ()
