"""Templates, schedules and notifications as callers see them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gigawatt.model.notification import Delivery, LabelTerm, Notification
from gigawatt.model.ranges import size
from gigawatt.model.schedule import Fire, Schedule
from gigawatt.model.template import Template, TemplateVersion
from gigawatt.spec.cron import upcoming
from gigawatt.spec.parameters import Parameter, Scalar
from gigawatt.spec.placeholders import checked

UPCOMING = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterView:
    """What may be given for one parameter; a null default must be given."""

    name: str
    type: str
    default: Scalar | None
    choices: tuple[Scalar, ...]
    min: float | None
    max: float | None
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateView:
    """A template. `file` and `parameters` are those of version `number`, where one is shown."""

    tenant: str
    project: str
    name: str
    newest: int
    updated_ms: int
    version: int
    number: int
    by: str
    parameters: tuple[ParameterView, ...]
    file: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView:
    """A schedule. `upcoming` are the times that it is due at next; `jobs` those that had not ended at its last fire.

    `tasks` is of how many tasks each is that it submits; 0 for one job.
    """

    id: str
    tenant: str
    project: str
    name: str
    phase: str
    message: str
    cron: str
    timezone: str
    overlap: str
    catch_up: str
    deadline_s: int
    job: str
    tasks: int
    template: str
    template_number: int
    parameters: Mapping[str, str]
    owner: str
    created_ms: int
    next_ms: int | None
    upcoming: tuple[int, ...]
    last_job: str
    jobs: tuple[str, ...]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FireView:
    """What became of a due time; of `count` of them up to `due_ms`, where they were missed together."""

    due_ms: int
    at_ms: int
    outcome: str
    job: str
    count: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationView:
    """A notification. `webhook` shows where it goes, not all of it: some addresses are keys."""

    id: str
    tenant: str
    project: str
    name: str
    on: tuple[str, ...]
    webhook: str
    email: tuple[str, ...]
    format: str
    labels: tuple[str, ...]
    jobs: str
    secrets: tuple[str, ...]
    per_minute: int
    created_ms: int
    created_by: str
    after_seq: int
    deliveries: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """One message: `id` is what the receiver knows it by, `status` that of its last answer, 0 for none."""

    id: str
    phase: str
    events: int
    at_ms: int
    tries: int
    next_ms: int
    again_ms: int
    status: int
    error: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeliveryView:
    """Messages that are on their way again, by the ids that the receiver knows them by."""

    messages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialView:
    """How a message went that was sent to try a webhook out."""

    delivered: bool
    status: int
    error: str
    took_ms: int


def template_view(template: Template, shown: TemplateVersion | None = None) -> TemplateView:
    """With the file of one of its versions, or without one."""
    file = json.loads(shown.document) if shown else None
    known = checked(file).values() if file is not None else ()
    return TemplateView(
        tenant=template.tenant,
        project=template.project,
        name=template.name,
        newest=template.newest,
        updated_ms=template.updated_ms,
        version=template.version,
        number=shown.number if shown else template.newest,
        by=shown.by if shown else "",
        parameters=tuple(_parameter_view(each) for each in known),
        file=file,
    )


def schedule_view(schedule: Schedule, *, now_ms: int) -> ScheduleView:
    """With the times that it is due at next, where it runs."""
    timing, cause = schedule.timing, schedule.cause
    due: tuple[int, ...] = ()
    if schedule.next_ms is not None:
        after_ms = min(now_ms, schedule.next_ms - 1)
        due = upcoming(timing.cron, timing.timezone, after_ms=after_ms, count=UPCOMING)
    return ScheduleView(
        id=schedule.id,
        tenant=schedule.tenant,
        project=schedule.project,
        name=schedule.name,
        phase=schedule.phase.value,
        message=schedule.message,
        cron=timing.cron,
        timezone=timing.timezone,
        overlap=timing.overlap.value,
        catch_up=timing.catch_up.value,
        deadline_s=timing.deadline_s,
        job=schedule.spec.name,
        tasks=size(schedule.tasks.indices) if schedule.tasks else 0,
        template=cause.template,
        template_number=cause.template_number,
        parameters=dict(cause.parameters),
        owner=schedule.owner,
        created_ms=schedule.created_ms,
        next_ms=schedule.next_ms,
        upcoming=due,
        last_job=schedule.last_job,
        jobs=schedule.jobs,
        version=schedule.version,
    )


def fire_view(fire: Fire) -> FireView:
    """A fire's view."""
    return FireView(
        due_ms=fire.due_ms,
        at_ms=fire.at_ms,
        outcome=fire.outcome.value,
        job=fire.job,
        count=fire.count,
        detail=fire.detail,
    )


def notification_view(notification: Notification) -> NotificationView:
    """A notification's view."""
    return NotificationView(
        id=notification.id,
        tenant=notification.tenant,
        project=notification.project,
        name=notification.name,
        on=notification.kinds,
        webhook=place_of(notification.webhook) if notification.webhook else "",
        email=notification.email,
        format=notification.format.value,
        labels=tuple(_term_text(term) for term in notification.labels),
        jobs=notification.jobs,
        secrets=notification.secrets,
        per_minute=notification.per_minute,
        created_ms=notification.created_ms,
        created_by=notification.created_by,
        after_seq=notification.after_seq,
        deliveries=notification.deliveries,
        version=notification.version,
    )


def delivery_view(delivery: Delivery) -> DeliveryView:
    """A delivery's view."""
    return DeliveryView(
        id=delivery.message,
        phase=delivery.phase.value,
        events=delivery.events,
        at_ms=delivery.at_ms,
        tries=delivery.tries,
        next_ms=delivery.next_ms,
        again_ms=delivery.again_ms,
        status=delivery.status,
        error=delivery.error,
        body=delivery.body,
    )


def place_of(url: str) -> str:
    """Where an address leads, without what may be a key: `https://hooks.example.com/…`."""
    parts = urlsplit(url)
    more = "/…" if parts.path.strip("/") or parts.query else "/"
    return f"{parts.scheme}://{parts.netloc}{more}"


def _parameter_view(parameter: Parameter) -> ParameterView:
    return ParameterView(
        name=parameter.name,
        type=parameter.kind,
        default=parameter.default,
        choices=parameter.choices,
        min=parameter.min,
        max=parameter.max,
        description=parameter.description,
    )


def _term_text(term: LabelTerm) -> str:
    value = "" if term.value is None else f"={term.value}"
    return f"{'!' if term.negated else ''}{term.key}{value}"
