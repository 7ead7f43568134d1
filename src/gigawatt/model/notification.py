"""Notifications: which events are told to which webhook or by mail, and how far each has got with it."""

from dataclasses import dataclass
from enum import StrEnum

DELIVERIES_KEPT = 1_000  # of a notification, the newest


class WebhookFormat(StrEnum):
    JSON = "json"
    SLACK = "slack"
    MAIL = "mail"  # a subject and lines of text


class DeliveryPhase(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTerm:
    """`key=value`, or with no value `key`; negated, `!key`."""

    key: str
    value: str | None = None
    negated: bool = False

    def holds(self, labels: dict[str, str]) -> bool:
        found = self.key in labels if self.value is None else labels.get(self.key) == self.value
        return found is not self.negated


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """`kinds`, `labels` and `jobs` must all let an event through; empty ones let everything through."""

    id: str
    tenant: str
    project: str
    name: str
    kinds: tuple[str, ...]
    webhook: str = ""  # may hold what must not be seen: views show where it goes, not all of it
    email: tuple[str, ...] = ()  # addresses, where it goes by mail
    labels: tuple[LabelTerm, ...] = ()
    jobs: str = ""  # a pattern of job names: * and ?
    format: WebhookFormat = WebhookFormat.JSON
    secrets: tuple[str, ...] = ()  # names of those that sign; two while one takes the other's place
    per_minute: int = 60  # deliveries; what comes faster goes together
    created_ms: int
    created_by: str
    after_seq: int  # the events up to this one are dealt with
    deliveries: int = 0  # how many there were
    deleted_ms: int | None = None
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message, kept as it is sent until it has arrived or is given up. The newest of a notification are kept."""

    id: str  # the notification's, "/" and a place among those that are kept
    tenant: str
    project: str
    notification: str
    message: str  # the id that the receiver knows it by
    body: str  # JSON; empty once it was delivered
    events: int
    at_ms: int
    again_ms: int = 0  # when somebody had it sent again, after it was given up
    phase: DeliveryPhase = DeliveryPhase.PENDING
    tries: int = 0
    next_ms: int = 0
    status: int = 0  # of the last answer; 0 for none
    error: str = ""
    version: int = 1
