"""Talking to an endpoint from a page: the control plane asks the gateway, with a key that no page ever sees.

The key is the caller's own kind of thing: made by the verb that makes keys, for one project, with the one scope that
calls models, and good for an hour. It stays in this process, so whoever has no session any more has no use of it.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2

from gigawatt import clock
from gigawatt.console.visit import Visit
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller, Role
from gigawatt.service import keys
from gigawatt.service.scopes import INVOKE
from gigawatt.service.services import Terms
from gigawatt.service.trust import trusting
from gigawatt.service.views.endpoints import EndpointView
from gigawatt.spec.requests import KeyRequest

MESSAGES_MAX, CHARS_MAX = 100, 200_000
ROLES = frozenset({"system", "user", "assistant"})
KEY_MS, RENEWED_MS = 3_600_000, 600_000
KEYS_MAX = 10_000
CONNECT_S, SILENCE_S = 5.0, 600.0  # a model may have to be loaded first
UNKNOWN = 401
PAUSES_S = (0.05, 0.15, 0.4, 1.0, 0.0)  # until the gateway knows a key that was just made

Subject = tuple[str, str, str]


@dataclass(slots=True, kw_only=True)
class Playground:
    """The keys by who made them: the caller's key, and the tenant and project of what is called."""

    made: dict[Subject, tuple[str, int]] = field(default_factory=dict[Subject, tuple[str, int]])
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def key(self, visit: Visit, endpoint: EndpointView) -> str:
        """The secret of a key that may call the endpoint. Raises RefusalError."""
        caller = visit.caller
        subject = (caller.key, endpoint.tenant, endpoint.project)
        async with self.lock:
            secret, until_ms = self.made.get(subject, ("", 0))
            now_ms = clock.now_ms()
            if until_ms - RENEWED_MS > now_ms:
                return secret
            request = KeyRequest(
                name="console-playground",
                role=_role(caller),
                tenant=endpoint.tenant if caller.role is Role.OPERATOR else "",
                project=endpoint.project,
                expires_ms=now_ms + KEY_MS,
                scopes=[INVOKE],
            )
            view = await keys.create(caller, visit.services, request, terms=Terms())
            if len(self.made) >= KEYS_MAX:
                self.made.clear()
            self.made[subject] = (view.key, now_ms + KEY_MS)
            return view.key


def messages_of(text: str) -> list[dict[str, str]]:
    """What a page sent: turns of a conversation. Raises RefusalError."""
    try:
        told: Any = json.loads(text)
        messages = [{"role": str(each["role"]), "content": str(each["content"])} for each in told]
    except (ValueError, KeyError, TypeError):
        raise _wrong("is no JSON list of {role, content}") from None
    if not messages or len(messages) > MESSAGES_MAX:
        raise _wrong(f"has {len(messages)} turns; 1 to {MESSAGES_MAX} are allowed")
    if sum(len(each["content"]) for each in messages) > CHARS_MAX:
        raise _wrong(f"has over {CHARS_MAX:,} characters")
    if any(each["role"] not in ROLES for each in messages):
        raise _wrong(f"has a role that is none of {', '.join(sorted(ROLES))}")
    return messages


async def answer(
    visit: Visit, endpoint: EndpointView, messages: list[dict[str, str]], secret: str
) -> AsyncIterator[bytes]:
    """The gateway's stream of events as it is; a refusal is one event `error` in OpenAI's shape."""
    body = {"model": endpoint.served_name, "messages": messages, "stream": True}
    timeout = httpx2.Timeout(SILENCE_S, connect=CONNECT_S)
    authority = visit.services.instance.authority
    verify = trusting(authority) if endpoint.url.startswith("https:") else True
    try:
        async with httpx2.AsyncClient(timeout=timeout, trust_env=False, verify=verify) as http:
            for pause_s in PAUSES_S:
                async with http.stream(
                    "POST",
                    f"{endpoint.url}/chat/completions",
                    json=body,
                    headers={"Authorization": f"Bearer {secret}"},
                ) as reply:
                    if reply.status_code == UNKNOWN and pause_s:
                        await asyncio.sleep(pause_s)
                        continue
                    if not reply.is_success:
                        yield b"data: " + _line(await reply.aread()) + b"\n\n"
                        return
                    async for piece in reply.aiter_raw():
                        yield piece
                    return
    except httpx2.HTTPError as error:
        detail = f"the gateway does not answer: {type(error).__name__}"
        yield b"data: " + json.dumps({"error": {"message": detail}}).encode() + b"\n\n"


def _line(body: bytes) -> bytes:
    """A refusal on one line."""
    try:
        told: Any = json.loads(body)
    except ValueError:
        told = {"error": {"message": body[:200].decode(errors="replace")}}
    return json.dumps(told).encode()


def _role(caller: Caller) -> Any:
    """The least role that calls models. Raises RefusalError for one that may not."""
    if caller.role in {Role.VIEWER, Role.AUDITOR}:
        detail = f"the role {caller.role.value} may not call models"
        raise RefusalError(RefusalCode.FORBIDDEN, detail, hint="ask for the role developer")
    return Role.DEVELOPER.value


def _wrong(detail: str) -> RefusalError:
    return RefusalError(RefusalCode.INVALID, f"messages {detail}", field="messages")
