"""What of the ledger is charged to whom, and what is ours: one table.

`docs/concepts/billing.md` has the same table in words.
"""

from dataclasses import dataclass

from gigawatt.ledger.calendar import day_number
from gigawatt.model.bill import MeterEntry
from gigawatt.model.ledger import CPU, LedgerEntry, TimeClass
from gigawatt.model.prices import DEVICE_METERS, Meter, Plan, Rate

# How a tenant's time is charged; None is ours, whoever held the device.
CHARGED: dict[TimeClass, Rate | None] = {
    TimeClass.USEFUL: Rate.USAGE,
    TimeClass.USER_FAULT: Rate.USAGE,
    TimeClass.CHECKPOINTING: Rate.USAGE,
    TimeClass.STARTING: Rate.USAGE,
    TimeClass.SERVING: Rate.USAGE,
    TimeClass.SERVING_IDLE: Rate.USAGE,
    TimeClass.WORKSPACE_IDLE: Rate.USAGE,
    TimeClass.HELD: Rate.USAGE,
    TimeClass.RESERVED_IDLE: Rate.HOLDING,
    TimeClass.REDONE: None,
    TimeClass.PREEMPTED: None,
    TimeClass.TESTED: None,
    TimeClass.DRAINED: None,
    TimeClass.DOWN: None,
    TimeClass.IDLE: None,
}
UNUSABLE = frozenset({TimeClass.TESTED, TimeClass.DRAINED, TimeClass.DOWN})  # of what is reserved
UNKNOWN_GPU = "gpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """So much of one thing on one day, in the meter's base units. Who is empty is nobody, or was not asked for.

    `day` counts from 1970-01-01 and is that of the time which the quantity speaks of; `late` is the month of an
    earlier closing that did not know of it yet.
    """

    meter: Meter
    sku: str
    quantity: int
    day: int
    tenant: str = ""
    project: str = ""
    plan: str = ""
    use: str = ""  # the class of time; empty for what is no device time
    reservation: str = ""
    node: str = ""
    gang: str = ""  # the job, replica, workspace; of storage the volume, of tokens the endpoint
    key: str = ""
    late: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conservation:
    """Device time of a span by who answers for it; the parts sum to what was installed."""

    charged: int  # on invoices, with a price
    not_charged: int  # on invoices, without one
    idle: int
    ours: int

    @property
    def installed(self) -> int:
        return self.charged + self.not_charged + self.idle + self.ours


def rate_of(quantity: Quantity) -> Rate | None:
    """By which rate it is charged; None where it is not. What is reserved costs the same used or not, unless it is flex."""
    if not quantity.use:
        return Rate.USAGE
    rate = CHARGED[TimeClass(quantity.use)] if quantity.tenant else None
    return rate if quantity.plan == Plan.FLEX or rate is None else Rate.USAGE


def plan_of(quantity: Quantity) -> Plan:
    """The plan that it is charged by; of entries from before plans were kept it is on demand."""
    return Plan(quantity.plan) if quantity.plan else Plan.ON_DEMAND


def device_sku(unit: str, sku: str) -> str:
    """The kind of device of an entry; of one from before kinds were kept, by its unit."""
    return sku or (CPU if DEVICE_METERS[unit] is Meter.CPU else UNKNOWN_GPU)


def of_entry(entry: LedgerEntry, by: tuple[str, ...] = ()) -> Quantity:
    """An entry as a quantity, told apart as `by` says."""
    return Quantity(
        meter=DEVICE_METERS[entry.unit],
        sku=device_sku(entry.unit, entry.sku),
        quantity=entry.unit_ms,
        day=day_number(entry.at_ms),
        tenant=entry.tenant,
        project=entry.project,
        plan=entry.plan,
        use=entry.time_class.value,
        reservation=entry.reservation,
        node=entry.node if "node" in by else "",
        gang=entry.gang if "gang" in by else "",
    )


def of_meter(entry: MeterEntry, by: tuple[str, ...] = ()) -> Quantity:
    """What is metered beside the ledger, told apart as `by` says."""
    return Quantity(
        meter=Meter(entry.meter),
        sku=entry.sku,
        quantity=entry.quantity,
        day=day_number(entry.at_ms),
        tenant=entry.tenant,
        project=entry.project,
        gang=entry.subject if "gang" in by else "",
        key=entry.key if "key" in by else "",
    )


def conserved(quantities: tuple[Quantity, ...], meter: Meter) -> Conservation:
    """Who answers for the time of one kind of device."""
    charged = not_charged = idle = ours = 0
    for each in quantities:
        if each.meter is not meter:
            continue
        if each.tenant and rate_of(each) is not None:
            charged += each.quantity
        elif each.tenant:
            not_charged += each.quantity
        elif each.use == TimeClass.IDLE:
            idle += each.quantity
        else:
            ours += each.quantity
    return Conservation(charged=charged, not_charged=not_charged, idle=idle, ours=ours)
