"""Notifications: create, list, show, delete, try out; what became of their messages, and sending those again."""

import asyncio
from dataclasses import replace

from gigawatt import clock
from gigawatt.model.change import Entity
from gigawatt.model.ids import make_id
from gigawatt.model.notification import (
    DELIVERIES_KEPT,
    Delivery,
    DeliveryPhase,
    Notification,
    WebhookFormat,
)
from gigawatt.model.order import CreateNotification, DeleteNotification, RedeliverMessages
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.lookup import Filters
from gigawatt.service.messages import trial as trial_body
from gigawatt.service.permissions import home, verb
from gigawatt.service.post import NO_MAIL, NO_MAIL_HINT, key_for, sent
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.standing import ACTIVE, find_notification
from gigawatt.service.views.standing import (
    DeliveryView,
    NotificationView,
    RedeliveryView,
    TrialView,
    delivery_view,
    notification_view,
    place_of,
)
from gigawatt.service.views.text import PageView
from gigawatt.spec.label_terms import parse_term
from gigawatt.spec.standing import NotificationForm, RedeliveryForm
from gigawatt.store.base import Query

ENTROPY_BYTES = 5
PHASES = tuple(phase.value for phase in DeliveryPhase)


@verb
async def create(
    caller: Caller, services: Services, request: NotificationForm, *, project: str, terms: Terms
) -> NotificationView:
    """From now on, tell a webhook or mailboxes. Raises RefusalError for a secret that is not there, or is for another address."""
    tenant, project = home(caller, project)
    email = tuple(dict.fromkeys(request.email))
    _check_place(services, request.webhook, email)
    for secret in request.secrets:
        await asyncio.to_thread(
            key_for, services.secrets, f"{tenant}/{project}", secret, request.webhook
        )
    now_ms = clock.now_ms()
    notification = Notification(
        id=make_id("notif", now_ms=now_ms, entropy=clock.entropy(ENTROPY_BYTES)),
        tenant=tenant,
        project=project,
        name=request.name,
        kinds=tuple(dict.fromkeys(request.on)),
        webhook=request.webhook,
        email=email,
        labels=tuple(parse_term(each) for each in request.labels),
        jobs=request.jobs,
        format=WebhookFormat.MAIL if email else WebhookFormat(request.format),
        secrets=tuple(dict.fromkeys(request.secrets)),
        per_minute=request.per_minute,
        created_ms=now_ms,
        created_by=caller.name,
        after_seq=await services.read(services.store.newest_seq),
    )

    async def write() -> Entity:
        command = CreateNotification(notification=notification)
        return await services.leader.submit(command, receipt=terms.receipt(tenant))

    return notification_view(await once(Notification, services, terms, tenant, write))


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[NotificationView]:
    """Notifications, newest first."""
    query = replace(filters.query(caller), phases=ACTIVE)
    found = await services.read(lambda: services.store.page(Notification, query))
    return PageView(items=[notification_view(each) for each in found.items], next=found.next)


@verb
async def show(
    caller: Caller, services: Services, name: str, *, project: str = ""
) -> NotificationView:
    """One notification."""
    return notification_view(await find_notification(caller, services, name, project))


@verb
async def deliveries(
    caller: Caller, services: Services, name: str, filters: Filters, *, project: str = ""
) -> PageView[DeliveryView]:
    """Its newest messages: on the way, delivered, and given up."""
    notification = await find_notification(caller, services, name, project)
    asked = filters.query(caller, phases=PHASES)
    query = Query(
        parent=notification.id, phases=asked.phases, cursor=asked.cursor, limit=asked.limit
    )
    found = await services.read(lambda: services.store.page(Delivery, query))
    return PageView(items=[delivery_view(each) for each in found.items], next=found.next)


@verb
async def redeliver(
    caller: Caller,
    services: Services,
    name: str,
    request: RedeliveryForm,
    *,
    project: str,
    terms: Terms,
) -> RedeliveryView:
    """Send dead messages again: those that are named, or all. Raises RefusalError where one is not dead."""
    notification = await find_notification(caller, services, name, project)
    query = Query(parent=notification.id, phases=(DeliveryPhase.DEAD.value,), limit=DELIVERIES_KEPT)
    found = await services.read(lambda: services.store.page(Delivery, query))
    dead = {each.message: each for each in sorted(found.items, key=_age)}
    for message in request.messages:
        if message not in dead:
            detail = f"{message} is no dead message of {name}"
            hint = f"gw notifications deliveries {name} --phase dead lists them"
            raise RefusalError(RefusalCode.NOT_FOUND, detail, field="messages", hint=hint)
    chosen = [
        each for each in dead.values() if not request.messages or each.message in request.messages
    ]
    command = RedeliverMessages(
        id=notification.id, dead=tuple(chosen), seen=notification.deliveries, by=caller.name
    )
    await services.leader.submit(command, receipt=terms.receipt(notification.tenant))
    return RedeliveryView(messages=tuple(each.message for each in chosen))


@verb
async def trial(caller: Caller, services: Services, name: str, *, project: str = "") -> TrialView:
    """Send a message now, once, and say how it went."""
    notification = await find_notification(caller, services, name, project)
    began_ms = clock.now_ms()
    message = make_id("test", now_ms=began_ms, entropy=clock.entropy(ENTROPY_BYTES))
    body = trial_body(notification, message, at_ms=began_ms)
    answer = await sent(services, notification, message, body.decode())
    return TrialView(
        delivered=answer.arrived,
        status=answer.status,
        error=answer.error,
        took_ms=clock.now_ms() - began_ms,
    )


@verb
async def remove(
    caller: Caller, services: Services, name: str, *, project: str, terms: Terms
) -> None:
    """Tell it nothing more; what is on the way is given up."""
    notification = await find_notification(caller, services, name, project)
    terms.check(notification.version)
    command = DeleteNotification(id=notification.id, by=caller.name)
    await services.leader.submit(command, receipt=terms.receipt(notification.tenant))


def _age(delivery: Delivery) -> tuple[int, str]:
    return delivery.at_ms, delivery.id


def _check_place(services: Services, webhook: str, email: tuple[str, ...]) -> None:
    if bool(webhook) == bool(email):
        detail = "give a webhook or addresses for mail, one of the two"
        raise RefusalError(RefusalCode.INVALID, detail, field="webhook")
    if email and services.mail is None:
        raise RefusalError(RefusalCode.UNSUPPORTED, NO_MAIL, field="email", hint=NO_MAIL_HINT)
    if email and services.mail is not None:
        services.mail.check_recipients(email)
    try:
        place_of(webhook)
    except ValueError as error:
        raise RefusalError(
            RefusalCode.INVALID, "webhook has no address that can be", field="webhook"
        ) from error
