"""What of the tree of shares does not depend on who uses what: it is kept from round to round while nobody is promised more.

P and W are those of `share`.
"""

from dataclasses import dataclass, field

import numpy as np

from gigawatt.model.quota import UNSET
from gigawatt.model.reason import ReasonCode
from gigawatt.scheduler.guarantees import effective, filled
from gigawatt.scheduler.policy import Order
from gigawatt.scheduler.snapshot import NONE, Amounts, Codes, Flags, KindColumns, ShareColumns
from gigawatt.scheduler.tree import by_depth

Bound = tuple[int, int, int, ReasonCode]  # row of P, index of K, at most, what it is
Key = tuple[Order, tuple[str, ...], tuple[int, ...], list[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """`key` is all that it follows from. Nothing of it is written to, but for `chains` and `bounds`, which are memos."""

    key: Key
    levels: list[Codes]  # rows at each depth, from the top down
    quota_PW: Amounts  # effective
    quotas: list[list[int]]
    weights: list[int]
    hard: dict[int, list[Bound]]  # by row, what it may never exceed
    chains: dict[int, tuple[int, ...]] = field(default_factory=dict[int, tuple[int, ...]])
    bounds: dict[int, tuple[Bound, ...]] = field(default_factory=dict[int, tuple[Bound, ...]])


class Frames:
    """Keeps the last frame."""

    def __init__(self) -> None:
        self._last: Frame | None = None

    def of(
        self, columns: ShareColumns, kinds: KindColumns, parents: list[int], order: Order
    ) -> Frame:
        """The frame of these columns and the rows behind them."""
        key = _key(columns, kinds, parents, order)
        if self._last is None or self._last.key != key:
            self._last = _framed(columns, kinds, parents, key)
        return self._last


def longer(column: Amounts, extra: int, value: int) -> Amounts:
    """With rows for those that nobody has made."""
    more = np.full((extra, *column.shape[1:]), value, dtype=np.int64)
    return np.concatenate([column.astype(np.int64), more])


def wide(own_PK: Amounts, own_PB: Amounts, extra: int, value: int) -> Amounts:
    """Kinds of resource and kinds of GPU as one axis W, with rows for those that nobody has made."""
    return longer(np.hstack([own_PK, own_PB]), extra, value)


def _key(columns: ShareColumns, kinds: KindColumns, parents: list[int], order: Order) -> Key:
    told = columns.quota_PK, columns.limit_PK, columns.weight_P, columns.borrows_P
    amounts = [each.tobytes() for each in (*told, kinds.quota_PB, kinds.limit_PB)]
    return order, kinds.kinds, tuple(parents), amounts


def _framed(columns: ShareColumns, kinds: KindColumns, parents: list[int], key: Key) -> Frame:
    order = key[0]
    extra = len(parents) - len(columns.ids)
    levels = by_depth(np.array(parents, dtype=np.int32))
    quota_PW = filled(wide(columns.quota_PK, kinds.quota_PB, extra, UNSET))
    effective_PW = effective(quota_PW, levels, parents)
    if order is Order.ATTAINED:
        effective_PW = np.full_like(effective_PW, UNSET)
    quotas: list[list[int]] = effective_PW.tolist()
    weight_P = longer(columns.weight_P, extra, 1)
    limit_PW = wide(columns.limit_PK, kinds.limit_PB, extra, UNSET)
    strict_P = longer((~columns.borrows_P).astype(np.int64), extra, 0) != 0
    hard = _hard(limit_PW, quota_PW, strict_P)
    if order is Order.COHORTS:
        _close_cohorts(hard, quotas, parents)
    return Frame(
        key=key,
        levels=levels,
        quota_PW=effective_PW,
        quotas=quotas,
        weights=[1] * len(parents) if order is Order.ATTAINED else weight_P.tolist(),
        hard=hard,
    )


def _hard(limit_PW: Amounts, quota_PW: Amounts, strict_P: Flags) -> dict[int, list[Bound]]:
    """By row, what it may never exceed: its limit, and its quota where it does not borrow."""
    found: dict[int, list[Bound]] = {}
    for row, kind in np.argwhere(limit_PW != UNSET).tolist():
        bound = row, kind, int(limit_PW[row, kind]), ReasonCode.LIMIT
        found.setdefault(row, []).append(bound)
    strict_PW = (quota_PW != UNSET) & strict_P[:, np.newaxis]
    for row, kind in np.argwhere(strict_PW).tolist():
        bound = row, kind, int(quota_PW[row, kind]), ReasonCode.QUOTA_EXCEEDED
        found.setdefault(row, []).append(bound)
    return found


def _close_cohorts(
    hard: dict[int, list[Bound]], quotas: list[list[int]], parents: list[int]
) -> None:
    """A cohort, a row with others below it, uses no more than its quotas sum to."""
    for row in sorted(set(parents) - {NONE}):
        for kind, amount in enumerate(quotas[row]):
            if amount != UNSET:
                bound = row, kind, amount, ReasonCode.QUOTA_EXCEEDED
                hard.setdefault(row, []).append(bound)
