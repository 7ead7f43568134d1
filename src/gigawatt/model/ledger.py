"""The classes of device time, and what the ledger keeps of it."""

from dataclasses import dataclass
from enum import StrEnum

DAY_MS = 86_400_000  # no entry speaks of more than one day of UTC
CPU = "cpu"  # the kind of device of a node without GPUs


class TimeClass(StrEnum):
    USEFUL = "useful"
    REDONE = "redone"  # lost to infrastructure or preemption, so done again
    USER_FAULT = "user_fault"  # lost because the program failed or its owner stopped it
    CHECKPOINTING = "checkpointing"
    STARTING = "starting"
    PREEMPTED = "preempted"  # between the notice and the end
    HELD = "held"  # kept for the head of the line
    SERVING = "serving"
    SERVING_IDLE = "serving_idle"
    WORKSPACE_IDLE = "workspace_idle"
    TESTED = "tested"
    DRAINED = "drained"
    DOWN = "down"
    RESERVED_IDLE = "reserved_idle"
    IDLE = "idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """`unit_ms` milli-GPU- or milli-core-milliseconds of one node moved into `time_class` (negative: out of it).

    The entries of a node sum to what is installed times the time accounted for, whatever was reclassified. Time that an
    entry adds lies within one day of UTC, so that prices may change between days.
    """

    at_ms: int  # when it was written; the time it speaks of ended then or before
    node: str
    unit: str  # "milli_gpu_ms" or "milli_core_ms"
    time_class: TimeClass
    unit_ms: int
    tenant: str = ""
    project: str = ""
    gang: str = ""
    attempt: int = 0
    sku: str = ""  # the kind of device: of GPU, or CPU
    plan: str = ""  # by which it is charged (`model.prices.Plan`); empty where nobody is
    reservation: str = ""  # of which the node was


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """For whom a node is set aside now, and how its time is charged; empty where it is for everybody."""

    reservation: str = ""
    holder: str = ""  # a tenant, or tenant/project
    plan: str = ""


NO_TERMS = Terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One attempt's share of one node, and how its time counts from the account's `accounted_to_ms` on."""

    gang: str
    attempt: int
    tenant: str
    project: str
    units: int
    time_class: TimeClass
    provisional_ms: int = 0  # unit_ms counted as useful since the last valid checkpoint
    idle_ms: int = 0  # unit_ms counted as serving_idle and not known to be busy
    plan: str = ""  # by which it is charged where the node is not reserved for it


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAccount:
    """One node's open account: everything up to `accounted_to_ms` is in entries, the rest follows from here."""

    id: str  # the node's id
    unit: str
    installed: int
    rest_class: TimeClass  # of what no gang uses: idle, drained or down
    installed_ms: int
    accounted_to_ms: int
    installed_unit_ms: int = (
        0  # installed x time, up to accounted_to_ms, counted apart from the entries
    )
    uses: tuple[Use, ...] = ()  # sorted by gang, attempt
    version: int = 1
    sku: str = ""
    terms: Terms = NO_TERMS
