"""Notifications: create, list, show, delete, try out; and what became of their messages."""

import asyncio
from dataclasses import replace

from gigawatt import clock
from gigawatt.build.secrets import Secret, SecretFiles, check_use
from gigawatt.model.change import Entity
from gigawatt.model.ids import make_id
from gigawatt.model.notification import Delivery, DeliveryPhase, Notification, WebhookFormat
from gigawatt.model.order import CreateNotification, DeleteNotification
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.lookup import Filters
from gigawatt.service.messages import trial as trial_body
from gigawatt.service.permissions import home, verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.standing import ACTIVE, find_notification
from gigawatt.service.views.standing import (
    DeliveryView,
    NotificationView,
    TrialView,
    delivery_view,
    notification_view,
    place_of,
)
from gigawatt.service.views.text import PageView
from gigawatt.service.webhooks import Letter, signing_key
from gigawatt.spec.label_terms import parse_term
from gigawatt.spec.standing import NotificationForm
from gigawatt.store.base import Query

ENTROPY_BYTES = 5
PHASES = tuple(phase.value for phase in DeliveryPhase)


@verb
async def create(
    caller: Caller, services: Services, request: NotificationForm, *, project: str, terms: Terms
) -> NotificationView:
    """From now on, tell a webhook. Raises RefusalError for a secret that is not there, or is for another address."""
    tenant, project = home(caller, project)
    _check_webhook(request.webhook)
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
        labels=tuple(parse_term(each) for each in request.labels),
        jobs=request.jobs,
        format=WebhookFormat(request.format),
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
async def trial(caller: Caller, services: Services, name: str, *, project: str = "") -> TrialView:
    """Send a message now, once, and say how it went."""
    notification = await find_notification(caller, services, name, project)
    began_ms = clock.now_ms()
    message = make_id("test", now_ms=began_ms, entropy=clock.entropy(ENTROPY_BYTES))
    body = trial_body(notification, message, at_ms=began_ms)
    keys = await asyncio.to_thread(keys_of, services.secrets, notification)
    letter = Letter(url=notification.webhook, message=message, body=body, keys=keys)
    answer = await services.webhooks.send(letter)
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


def keys_of(secrets: SecretFiles, notification: Notification) -> tuple[bytes, ...]:
    """What a notification signs with, as it is now. Blocks. Raises RefusalError."""
    owner = f"{notification.tenant}/{notification.project}"
    return tuple(
        key_for(secrets, owner, name, notification.webhook) for name in notification.secrets
    )


def key_for(secrets: SecretFiles, owner: str, name: str, url: str) -> bytes:
    """The key of one secret, which must be for this address. Blocks. Raises RefusalError."""
    try:
        secret: Secret = secrets.read(owner, name)
        check_use(secret, url)
    except RefusalError as error:
        forbidden = error.code is RefusalCode.FORBIDDEN
        hint = f"gw secrets set {name} --for the webhook's address" if forbidden else error.hint
        detail = f"the secret {name} is for another address" if forbidden else error.detail
        raise RefusalError(error.code, detail, field="secrets", hint=hint) from error
    return signing_key(secret.value)


def _check_webhook(url: str) -> None:
    try:
        place_of(url)
    except ValueError as error:
        raise RefusalError(
            RefusalCode.INVALID, "webhook has no address that can be", field="webhook"
        ) from error
