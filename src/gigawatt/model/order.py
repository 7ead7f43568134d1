"""What callers ask of templates, schedules, notifications, reservations, the power tree and allowances, and what couriers and
gateways tell.
"""

from dataclasses import dataclass

from gigawatt.model.array import ArraySpec
from gigawatt.model.bill import MeterEntry
from gigawatt.model.cause import Cause
from gigawatt.model.environment import Environment
from gigawatt.model.job import Job, JobSpec
from gigawatt.model.money import OfMoney
from gigawatt.model.notification import Delivery, Notification
from gigawatt.model.power import Supply
from gigawatt.model.reservation import Reservation
from gigawatt.model.schedule import SchedulePhase, Timing
from gigawatt.model.tokens import Allowance, TokenUse


@dataclass(frozen=True, slots=True, kw_only=True)
class PushTemplate:
    """Make `document` the newest version, unless it is already."""

    tenant: str
    project: str
    by: str
    name: str
    document: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTemplate:
    id: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSchedule:
    id: str
    tenant: str
    project: str
    name: str
    owner: str
    key: str
    timing: Timing
    spec: JobSpec
    environment: Environment | None
    tasks: ArraySpec | None = None  # where it is an array
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSchedule:
    """Pause, resume or delete it. Resumed, it runs for `key`."""

    id: str
    phase: SchedulePhase
    by: str
    key: str
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSchedule:
    """Have it submit its job or array now, whatever the schedule is. `job` is the new one's id."""

    id: str
    job: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelJob:
    """`job` as the store had it, if it has ended. Labels of `remove` go, those of `put` come."""

    job: Job
    by: str
    put: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateNotification:
    notification: Notification


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteNotification:
    id: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeliverMessages:
    """Send again what was given up: `dead` as the store had it, when there had been `seen` messages."""

    id: str
    dead: tuple[Delivery, ...]
    seen: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceNotification:
    """The events up to `after_seq` are dealt with: `delivery` is to tell those that matter, None where none does."""

    id: str
    after_seq: int
    delivery: Delivery | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDelivery:
    """How a try went."""

    delivery: Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFeed:
    """Make a part of the power tree, or give it another cap, place or supplies, as a whole."""

    name: str
    parent: str
    cap_milliwatts: int | None
    supplies: tuple[Supply, ...]
    by: str
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFeed:
    name: str
    by: str
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeReservation:
    """As it is to be, beside its nodes with those of `parts` of the site."""

    reservation: Reservation
    parts: tuple[Supply, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndReservation:
    name: str
    by: str
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CountTokens:
    """The rows of a gateway's spool that have changed since its last report that was taken in."""

    spool: str
    report: int  # counts up within a spool
    uses: tuple[TokenUse, ...]
    closed: bool = False
    after: int = 0  # the last report that was known when `meters` was worked out
    meters: tuple[MeterEntry, ...] = ()  # what there is more in it


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAllowance:
    """What a key may have of the gateway, or, where none is named, a project."""

    tenant: str
    allowance: Allowance
    by: str
    key: str = ""
    project: str = ""


Order = (
    PushTemplate
    | DeleteTemplate
    | CreateSchedule
    | ChangeSchedule
    | RunSchedule
    | LabelJob
    | CreateNotification
    | DeleteNotification
    | RedeliverMessages
    | AdvanceNotification
    | RecordDelivery
    | SetFeed
    | CountTokens
    | SetAllowance
    | RemoveFeed
    | MakeReservation
    | EndReservation
    | OfMoney
)
