"""What is told: events as JSON, as lines of text for a chat, or as a mail with a subject."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from gigawatt.model.array import JobArray
from gigawatt.model.event import Event
from gigawatt.model.job import Job
from gigawatt.model.notification import Notification, WebhookFormat

EVENTS_MAX = 20  # of one message; more are counted
OF_BUDGETS = "budget."
MESSAGE_CHARS_MAX = 500  # of an event's own text


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event, and the job or the array that it is about, as it is now."""

    event: Event
    job: Job | JobArray | None


def concerns(notification: Notification, event: Event) -> bool:
    """Whether it is of a kind and a place that the notification is about. Nodes are everybody's.

    A tenant's own budget is in the way of all its projects, so each of them may hear of it.
    """
    if event.kind not in notification.kinds:
        return False
    if not event.tenant:
        return True
    shared = not event.project and event.kind.startswith(OF_BUDGETS)
    return event.tenant == notification.tenant and (shared or event.project == notification.project)


def lets_through(notification: Notification, told: Told) -> bool:
    """Whether labels and names of jobs let it through. Where they are asked for, what is no job has none."""
    if told.job is None:
        return not notification.jobs and not notification.labels
    labels = dict(told.job.spec.labels)
    named = not notification.jobs or fnmatchcase(told.job.spec.name, notification.jobs)
    return named and all(term.holds(labels) for term in notification.labels)


def written(notification: Notification, message: str, told: Sequence[Told], *, more: int) -> bytes:
    """The body of a message."""
    if notification.format is WebhookFormat.SLACK:
        return _json({"text": "\n".join(_lines(notification, told, more))})
    if notification.format is WebhookFormat.MAIL:
        return _json(_mail(notification, told, more))
    return _json(
        {
            "type": "gigawatt.events",
            "id": message,
            "notification": notification.name,
            "tenant": notification.tenant,
            "project": notification.project,
            "events": [_fields(each) for each in told],
            "more": more,
        }
    )


def trial(notification: Notification, message: str, *, at_ms: int) -> bytes:
    """The body of a message that tries a webhook out."""
    event = Event(
        at_ms=at_ms,
        kind="notification.test",
        tenant=notification.tenant,
        project=notification.project,
        subject=notification.id,
        message="this is a test",
    )
    return written(notification, message, [Told(event=event, job=None)], more=0)


def _fields(told: Told) -> dict[str, Any]:
    event, job = told.event, told.job
    fields: dict[str, Any] = {
        "id": f"event-{event.seq}",
        "at_ms": event.at_ms,
        "kind": event.kind,
        "subject": event.subject,
        "message": event.message[:MESSAGE_CHARS_MAX],
        "data": dict(event.data),
    }
    if job is not None:
        labels = dict(job.spec.labels)
        fields["job"] = {"id": job.id, "name": job.spec.name, "labels": labels}
    return fields


def _mail(notification: Notification, told: Sequence[Told], more: int) -> dict[str, str]:
    """A subject that says the most in little, and a line for each event."""
    place = f"{notification.tenant}/{notification.project}"
    first, count = told[0], len(told) + more
    what = f"{first.event.kind} {_subject(first)}" if count == 1 else f"{count} events"
    lines = [f"{each.event.kind}  {_said(each)}" for each in told]
    lines += [f"and {more} more"] if more else []
    lines += ["", f"notification {notification.name} of {place}"]
    return {"subject": f"gigawatt: {what} [{place}]", "text": "\n".join(lines) + "\n"}


def _lines(notification: Notification, told: Sequence[Told], more: int) -> list[str]:
    place = f"{notification.tenant}/{notification.project}"
    lines = [_line(each, place) for each in told]
    return [*lines, f"and {more} more"] if more else lines


def _line(told: Told, place: str) -> str:
    return f"*{told.event.kind}* {_plain(_said(told))} [{_plain(place)}]"


def _said(told: Told) -> str:
    subject, text = _subject(told), told.event.message[:MESSAGE_CHARS_MAX]
    return f"{subject}: {text}" if text else subject


def _subject(told: Told) -> str:
    return f"{told.job.spec.name} ({told.job.id})" if told.job else told.event.subject


def _plain(text: str) -> str:
    """Slack reads these three as its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
