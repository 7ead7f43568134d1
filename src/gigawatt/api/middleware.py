"""Around every request: an id, a limit on its body, figures about it, and an answer even when we fail."""

import logging
import re
from collections.abc import Mapping, MutableMapping
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gigawatt import clock
from gigawatt.api.problems import internal_problem, problem
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.telemetry import metrics

log = logging.getLogger("gigawatt.api")

UPLOADS = ("/v1/artifacts/", "/v1/packs")
ID_BYTES = 8
OTHER_ROUTE = "other"
LEFT_STATUS = 499  # the client left before there was an answer: for figures alone, never sent

Headers = tuple[tuple[bytes, bytes], ...]

# Answers are for programs: what a browser makes of one must not run, load, be framed, or be guessed at.
SAFE: Headers = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
PINNED = (b"strict-transport-security", b"max-age=31536000")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestFrame:
    """The outermost layer. `body_bytes_max` holds for every body but an artifact's, which has a limit of its own."""

    def __init__(self, app: ASGIApp, *, body_bytes_max: int, pinned: bool = False) -> None:
        self._app = app
        self._body_bytes_max = body_bytes_max
        self._safe = (*SAFE, PINNED) if pinned else SAFE
        self._seconds: dict[tuple[str, str], Histogram] = {}
        self._counts: dict[tuple[str, str, int], Counter] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = clock.monotonic_s()
        headers = dict(scope["headers"])
        request_id = _request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        reply = _Reply(send, scope["state"], self._safe)
        limited = receive if _is_upload(scope) else self._limited(receive)
        try:
            self._check(scope, headers)
            await self._app(scope, limited, reply.send)
        except ClientDisconnect:
            reply.status = reply.status or LEFT_STATUS
        except RefusalError as error:
            if reply.status:
                log.warning(
                    "a stream ended early: %s",
                    error,
                    extra={"request_id": request_id, **_what(scope)},
                )
            else:
                await problem(error)(scope, receive, reply.send)
        except Exception:
            log.exception("request failed", extra={"request_id": request_id, **_what(scope)})
            if not reply.status:
                await internal_problem(request_id)(scope, receive, reply.send)
        finally:
            self._count(scope, reply, began_s)

    def _check(self, scope: Scope, headers: MutableMapping[bytes, bytes]) -> None:
        """Refuse what needs no body to be refused."""
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            raise RefusalError(RefusalCode.INVALID, "the URL holds a NUL character")
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self._body_bytes_max and not _is_upload(scope):
            raise _too_large(self._body_bytes_max)

    def _limited(self, receive: Receive) -> Receive:
        """Counts while the body is read, for senders that do not say how long it is."""
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._body_bytes_max:
                raise _too_large(self._body_bytes_max)
            return message

        return counted

    def _count(self, scope: Scope, reply: "_Reply", began_s: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else OTHER_ROUTE
        route = getattr(scope.get("route"), "path", OTHER_ROUTE)
        key = (method, route)
        seconds = self._seconds.get(key)
        if seconds is None:
            seconds = self._seconds[key] = metrics.API_SECONDS.labels(method, route)
        seconds.observe((reply.answered_s or clock.monotonic_s()) - began_s)
        counted = (method, route, reply.status)
        count = self._counts.get(counted)
        if count is None:
            labels = (method, route, str(reply.status))
            count = self._counts[counted] = metrics.API_REQUESTS.labels(*labels)
        count.inc()


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


class _Reply:
    """What has been sent of the response; adds the request's id to it."""

    def __init__(self, send: Send, state: Mapping[str, Any], safe: Headers) -> None:
        self._send = send
        self._state = state
        self._safe = safe
        self.status = 0
        self.answered_s = 0.0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.answered_s = clock.monotonic_s()
            given = message.get("headers", ())
            own = {name for name, _ in given}  # pages say what they may load by themselves
            message["headers"] = [
                *given,
                *(each for each in self._safe if each[0] not in own),
                *self._state.get("headers", ()),
                (b"date", _date(clock.now_ms() // 1000)),
                (b"x-request-id", self._state["request_id"].encode()),
            ]
        await self._send(message)


@lru_cache(maxsize=1)
def _date(now_s: int) -> bytes:
    """As RFC 9110 wants it. Made when it is asked for, so that an idle server need not wake for it."""
    return formatdate(now_s, usegmt=True).encode()


def _is_upload(scope: Scope) -> bool:
    return scope["method"] == "PUT" and scope["path"].startswith(UPLOADS)


def _request_id(headers: MutableMapping[bytes, bytes]) -> str:
    """The client's own, where it gave a sensible one."""
    given = headers.get(b"x-request-id", b"")
    return given.decode() if _REQUEST_ID.fullmatch(given) else clock.entropy(ID_BYTES).hex()


def _what(scope: Scope) -> dict[str, Any]:
    return {"method": scope["method"], "path": scope["path"]}


def _too_large(limit_bytes: int) -> RefusalError:
    return RefusalError(
        RefusalCode.TOO_LARGE,
        f"the body is over the limit of {limit_bytes} bytes",
        hint="code and data go into bundles and artifacts",
    )
