"""Credits for what was set aside for a tenant and could not be used: computed from the ledger, nobody has to claim them.

Availability of a reservation is the part of its device time in which its nodes were in use or could have been: not down,
not out for repair, not drained or tested.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction

from gigawatt.ledger.rates import rounded
from gigawatt.model.bill import NOTHING, Line, LineKind
from gigawatt.model.prices import Tier

PLACES = Decimal("0.0001")
EVIDENCE_MAX = 100  # nodes named on a line, those that were away longest


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Of one reservation in a month: device time in base units, and by node what of it could not be used."""

    reservation: str
    total: int
    unusable: tuple[tuple[str, int], ...] = ()  # (node, unit_ms), sorted

    @property
    def percent(self) -> Decimal:
        """Rounded down to four places, so that no rounding hides a breach."""
        lost = sum(amount for _, amount in self.unusable)
        share = Fraction(100 * (self.total - lost), self.total) if self.total > 0 else Fraction(100)
        exact = Decimal(share.numerator) / Decimal(share.denominator)
        return exact.quantize(PLACES, rounding=ROUND_DOWN)


def sla_credits(
    found: Iterable[Availability], usage: Iterable[Line], tiers: tuple[Tier, ...], currency: str
) -> tuple[Line, ...]:
    """A line for each reservation that was below a tier, of what its time cost in the month."""
    cost: dict[str, Decimal] = {}
    for line in usage:
        if line.reservation and not line.month:
            cost[line.reservation] = cost.get(line.reservation, NOTHING) + line.amount
    lines: list[Line] = []
    for each in sorted(found, key=lambda each: each.reservation):
        tier = _breached(each.percent, tiers)
        of = cost.get(each.reservation, NOTHING)
        if tier is None or of <= 0:
            continue
        amount = rounded(Fraction(of) * Fraction(tier.credit) / 100, currency)
        lines.append(
            Line(
                kind=LineKind.SLA_CREDIT,
                amount=-amount,
                reservation=each.reservation,
                detail=f"available {each.percent} %, below {tier.below} %: {tier.credit} % of {of}",
                evidence=_evidence(each),
            )
        )
    return tuple(lines)


def _breached(percent: Decimal, tiers: tuple[Tier, ...]) -> Tier | None:
    """The lowest tier that it is below, which gives the most."""
    below = [tier for tier in tiers if percent < tier.below]
    return min(below, key=lambda tier: tier.below) if below else None


def _evidence(found: Availability) -> tuple[tuple[str, str], ...]:
    longest = sorted(found.unusable, key=lambda each: (-each[1], each[0]))[:EVIDENCE_MAX]
    return tuple((node, str(amount)) for node, amount in longest)
