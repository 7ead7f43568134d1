"""What things cost: plans, prices, versions of the price book, and what was agreed with single tenants.

Amounts of money are decimals. A version and an agreement are never changed, only superseded: at any time the one with the
highest number among those that have begun holds.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

NAMES_MAX = 1_000  # prices of one version
PLACES_MAX = 10  # decimal places of a price
ANY = "*"  # of which no price of its own is named
MINOR_PLACES = {"JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3, "TND": 3}  # others have 2


class Plan(StrEnum):
    ON_DEMAND = "on-demand"
    SPOT = "spot"  # gangs that start last and are stopped first: those of negative priority
    RESERVED = "reserved"  # on nodes that are set aside for the tenant, used or not
    FLEX = "flex"  # the same, cheaper while it is not used


class Meter(StrEnum):
    """What is counted; its unit is in `PER`."""

    GPU = "gpu"  # milli-GPU-milliseconds
    CPU = "cpu"  # milli-core-milliseconds
    STORAGE = "storage"  # mebibyte-milliseconds
    PROMPT = "prompt_tokens"  # those not cached
    CACHED = "cached_tokens"
    COMPLETION = "completion_tokens"


class Rate(StrEnum):
    USAGE = "usage"
    HOLDING = "holding"  # of what is set aside and not used


HOUR_UNITS = 1_000 * 3_600_000
MONTH_HOURS = 730  # of a GiB-month, in every month
PER: dict[Meter, int] = {
    Meter.GPU: HOUR_UNITS,
    Meter.CPU: HOUR_UNITS,
    Meter.STORAGE: 1_024 * MONTH_HOURS * 3_600_000,
    Meter.PROMPT: 1_000_000,
    Meter.CACHED: 1_000_000,
    Meter.COMPLETION: 1_000_000,
}  # base units of what a price is for
UNITS: dict[Meter, str] = {
    Meter.GPU: "GPU-hour",
    Meter.CPU: "core-hour",
    Meter.STORAGE: "GiB-month",
    Meter.PROMPT: "1M tokens",
    Meter.CACHED: "1M tokens",
    Meter.COMPLETION: "1M tokens",
}
TOKEN_METERS = (Meter.PROMPT, Meter.CACHED, Meter.COMPLETION)
DEVICE_METERS = {"milli_gpu_ms": Meter.GPU, "milli_core_ms": Meter.CPU}


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """`amount` for one `UNITS[meter]` of `sku`: a kind of GPU, a kind of storage, a model, or ANY."""

    meter: Meter
    sku: str
    amount: Decimal
    plan: Plan = Plan.ON_DEMAND
    rate: Rate = Rate.USAGE

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is the price of."""
        return self.meter.value, self.sku, self.plan.value, self.rate.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Below so much availability, so much of what the time cost is given back; both in percent."""

    below: Decimal
    credit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceVersion:
    """The whole book from `from_ms` on, which is a midnight of UTC."""

    id: str  # its number, in eight digits
    number: int
    currency: str
    from_ms: int
    prices: tuple[Price, ...]  # sorted by key
    made_ms: int
    by: str
    tiers: tuple[Tier, ...] = ()  # the lowest first
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What a tenant pays instead, from `from_ms` to `until_ms` (0 is without an end)."""

    id: str  # tenant/number
    tenant: str
    number: int
    from_ms: int
    made_ms: int
    by: str
    until_ms: int = 0
    discount: Decimal = Decimal(0)  # percent of every price of the book
    prices: tuple[Price, ...] = ()  # in place of those of the book, and without the discount
    commitment: Decimal = Decimal(0)  # at least so much a month
    note: str = ""


def plan_of(priority: int) -> Plan:
    """The plan of a gang on nodes that are nobody's."""
    return Plan.SPOT if priority < 0 else Plan.ON_DEMAND


def minor_places(currency: str) -> int:
    """Decimal places of its smallest coin."""
    return MINOR_PLACES.get(currency, 2)
