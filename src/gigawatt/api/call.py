"""One request: who calls, with what body, on which terms. The only dependency that routes have."""

import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection, Request

from gigawatt.api.cookies import caller_by_cookie
from gigawatt.api.operations import IF_MATCH_PATTERN
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.service.audit import signed_in
from gigawatt.service.revocations import while_good
from gigawatt.service.services import IDEMPOTENCY_KEY_CHARS_MAX, Services, Terms
from gigawatt.service.tokens import key_id, secret_sha256

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated:
    """A request whose key is good."""

    request: Request
    services: Services
    caller: Caller

    @property
    def key_id(self) -> str:
        """The id of the API key that it came with."""
        secret = self.request.headers.get("authorization", "").partition(" ")[2].strip()
        return key_id(secret_sha256(secret))

    def while_good(self, items: AsyncIterator[T]) -> AsyncIterator[T]:
        """What a stream gives, to its end or until the caller's key is revoked."""
        return while_good(self.services.revocations, self.caller.key, items)

    async def body(self) -> bytes:
        """The whole body. Raises RefusalError over the limit and for what does not say it is JSON."""
        media_type = self.request.headers.get("content-type", "application/json")
        if media_type.partition(";")[0].strip().lower() != "application/json":
            raise RefusalError(
                RefusalCode.UNSUPPORTED,
                f"the body must be application/json, not {media_type[:100]}",
                field="Content-Type",
            )
        return await self.request.body()

    async def terms(self) -> Terms:
        """At most once, and only if unchanged, as the headers ask. Raises RefusalError."""
        headers = self.request.headers
        key = headers.get("idempotency-key", "")
        if len(key) > IDEMPOTENCY_KEY_CHARS_MAX:
            raise RefusalError(
                RefusalCode.INVALID,
                f"Idempotency-Key has over {IDEMPOTENCY_KEY_CHARS_MAX} characters",
                field="Idempotency-Key",
            )
        return Terms(
            key=key,
            request_sha256=await self._digest() if key else "",
            if_version=_version(headers.get("if-match", "*")),
        )

    async def _digest(self) -> str:
        scope = self.request.scope
        what = f"{scope['method']} {scope['path']}?".encode() + scope["query_string"] + b"\n"
        return hashlib.sha256(what + await self.request.body()).hexdigest()


def services_of(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


def address_of(request: HTTPConnection) -> str:
    """Where a request comes from; empty for a socket on this machine."""
    return request.client.host if request.client else ""


async def authenticated(request: Request) -> Authenticated:
    """The call behind a request. Raises RefusalError (unauthenticated)."""
    return await identified(request)


async def identified(request: Request, *, shown: str = "") -> Authenticated:
    """The same for a page; `shown` is the token that a form sent in a field. Raises RefusalError (unauthenticated)."""
    services = services_of(request)
    if "authorization" not in request.headers:
        found = await caller_by_cookie(request, services, shown=shown)
        if found is not None:
            caller = replace(found, address=address_of(request))
            return Authenticated(request=request, services=services, caller=caller)
    authorization = request.headers.get("authorization", "")
    caller = await signed_in(services, authorization, address=address_of(request))
    return Authenticated(request=request, services=services, caller=caller)


Call = Annotated[Authenticated, Depends(authenticated)]


def _version(if_match: str) -> int | None:
    """The version that a caller insists on; proxies that compress make tags weak."""
    found = re.fullmatch(IF_MATCH_PATTERN, if_match.strip())
    if found is None:
        raise RefusalError(
            RefusalCode.INVALID,
            "If-Match is not a version",
            field="If-Match",
            hint='send the ETag of the object back, e.g. If-Match: "3"',
        )
    return int(found[1]) if found[1] else None
