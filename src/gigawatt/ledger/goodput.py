"""Sums over the ledger: totals by class, goodput, and the effective training time ratio."""

from collections.abc import Iterable

from gigawatt.model.ledger import LedgerEntry, TimeClass


def totals(entries: Iterable[LedgerEntry], *, unit: str) -> dict[TimeClass, int]:
    """`unit_ms` by class, every class present."""
    sums = dict.fromkeys(TimeClass, 0)
    for entry in entries:
        if entry.unit == unit:
            sums[entry.time_class] += entry.unit_ms
    return sums


def goodput(sums: dict[TimeClass, int]) -> float | None:
    """Kept useful time over all that was allocated, 0 to 1; None where nothing was allocated."""
    allocated = sum(sums.values())
    return sums[TimeClass.USEFUL] / allocated if allocated else None


def ettr(sums: dict[TimeClass, int], *, units: int, wall_ms: int) -> float | None:
    """Productive time over wall time, waits included (Llama 3, section 3.3.4 calls it effective training time).

    `units` is what the whole gang holds while it runs, `wall_ms` the time from submit to now or to the end.
    """
    return sums[TimeClass.USEFUL] / (units * wall_ms) if units and wall_ms > 0 else None
