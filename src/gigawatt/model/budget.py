"""Budgets: how much a tenant or a project may spend in a month, and what happens when it has."""

from dataclasses import dataclass
from decimal import Decimal

THRESHOLDS = (50, 80, 100)  # percent, unless somebody says otherwise
THRESHOLDS_MAX = 10
GRACE_MS_MAX = 31 * 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """`amount` and `tokens` in a month of UTC; None and 0 are no limit. `stops`: what runs is stopped too, after `grace_ms`.

    `spent` and `spent_tokens` are as they were last looked at, in `month`; `told` is the highest threshold that was.
    """

    id: str  # tenant, or tenant/project
    tenant: str
    project: str  # empty: the whole tenant
    created_ms: int
    amount: Decimal | None = None
    tokens: int = 0
    thresholds: tuple[int, ...] = THRESHOLDS
    refuses: bool = True  # new work, once it is spent; else it only tells
    stops: bool = False
    grace_ms: int = 0
    month: str = ""
    spent: Decimal = Decimal(0)
    spent_tokens: int = 0
    told: int = 0
    spent_ms: int = 0  # when it was found spent; 0 while it is not
    stopped: bool = False  # what ran then was stopped
    deleted_ms: int | None = None
    version: int = 1

    @property
    def off(self) -> bool:
        """Whether it limits nothing."""
        return self.amount is None and not self.tokens

    @property
    def percent(self) -> int:
        """How much of it is used, of the tighter limit; rounded down."""
        shares = [0]
        if self.amount is not None:
            shares.append(int(self.spent * 100 / self.amount) if self.amount else 100)
        if self.tokens:
            shares.append(self.spent_tokens * 100 // self.tokens)
        return max(shares)

    @property
    def exhausted(self) -> bool:
        return not self.off and self.percent >= 100

    @property
    def bars(self) -> bool:
        """Whether new work is refused now."""
        return self.refuses and self.exhausted and self.deleted_ms is None
