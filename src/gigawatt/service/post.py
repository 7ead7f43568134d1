"""Sending one message of a notification, by webhook or by mail: the same way for what happened and for a test."""

import json

from gigawatt import clock
from gigawatt.build.secrets import Secret, SecretFiles, check_use
from gigawatt.model.notification import Notification
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service.answer import Answer
from gigawatt.service.mail import Mail
from gigawatt.service.services import Services
from gigawatt.service.webhooks import Letter, signing_key

NO_MAIL = "this instance has no mail server"
NO_MAIL_HINT = "its operator sets GIGAWATT_MAIL_HOST and GIGAWATT_MAIL_FROM; a webhook needs none"


async def sent(services: Services, notification: Notification, message: str, body: str) -> Answer:
    """How a message went. Never raises for what the world does."""
    if notification.email:
        return await _mailed(services, notification, message, body)
    try:
        keys = await services.read(lambda: keys_of(services.secrets, notification))
    except RefusalError as refusal:
        return Answer(status=0, error=f"not signed: {refusal.detail}")
    letter = Letter(url=notification.webhook, message=message, body=body.encode(), keys=keys)
    return await services.webhooks.send(letter)


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


async def _mailed(
    services: Services, notification: Notification, message: str, body: str
) -> Answer:
    if services.mail is None:
        return Answer(status=0, error=NO_MAIL)
    try:
        services.mail.check_recipients(notification.email)
    except RefusalError as refusal:
        return Answer(status=0, error=refusal.detail, final=True)
    told = json.loads(body)
    mail = Mail(
        id=message,
        to=notification.email,
        subject=told["subject"],
        text=told["text"],
        at_ms=clock.now_ms(),
    )
    return await services.mail.send(mail)
