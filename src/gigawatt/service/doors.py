"""The way into a workspace for a browser, which never has an API key: a link that works once, then a cookie.

The link's code is good for a minute and for one use. The cookie says which workspace it opens and which key asked for
it, signed with the instance's secret; it is worth nothing once that key is revoked or has expired. What stands before
the program on its node knows the control plane by a token that is made from the same secret for each attempt.
"""

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, replace

from gigawatt import clock
from gigawatt.model.launch import AttemptKey
from gigawatt.model.roles import standing
from gigawatt.model.tenant import ApiKey, Caller, User
from gigawatt.service.callers import caller_of
from gigawatt.service.permissions import may, sees
from gigawatt.service.ports import Leader
from gigawatt.store.base import Store

CODE_BYTES = 24
CODE_MS = 60_000
CODES_MAX = 1_000  # not used yet; more push out the oldest
SESSION_MS = 12 * 3_600_000
COOKIE_CHARS_MAX = 1_024
KEY_FRESH_MS = 5_000  # a key that another process revoked opens nothing after this
KEYS_KEPT_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Code:
    workspace: str
    key: str
    until_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """Where a cookie leads, and the id of the key on whose behalf."""

    workspace: str
    key: str


class Doors:
    """Gives out codes, exchanges them for cookies, and says what a cookie opens. Codes are kept in memory alone."""

    def __init__(self, *, store: Store, leader: Leader, secret: bytes) -> None:
        self._store = store
        self._leader = leader
        self._secret = secret
        self._codes: dict[str, _Code] = {}  # by their SHA-256, oldest first
        self._callers: dict[str, tuple[Caller | None, int]] = {}  # by key, and good until when
        self._forgotten = 0  # how often; what was read before the last time may be out of date

    def code(self, workspace: str, key: str) -> str:
        """A new code for one entry into a workspace, on behalf of an API key."""
        code = _text(clock.entropy(CODE_BYTES))
        while len(self._codes) >= CODES_MAX:
            del self._codes[next(iter(self._codes))]
        until_ms = clock.now_ms() + CODE_MS
        self._codes[_sha256(code)] = _Code(workspace=workspace, key=key, until_ms=until_ms)
        return code

    def redeem(self, code: str, name: str) -> str | None:
        """The cookie for a code that is good for the workspace of that name; used or not, the code is gone."""
        found = self._codes.pop(_sha256(code), None)
        if found is None or found.until_ms <= clock.now_ms():
            return None
        workspace = self._leader.workspace(found.workspace)
        if workspace is None or workspace.spec.name != name:
            return None
        claims = [found.workspace, found.key, clock.now_ms() + SESSION_MS]
        payload = _text(json.dumps(claims).encode())
        return f"{payload}.{self._signed('workspace-session', payload)}"

    async def entered(self, cookie: str, name: str) -> Entered | None:
        """The workspace of that name which a cookie opens; None where it opens none, or not that one."""
        payload, _, signature = cookie[:COOKIE_CHARS_MAX].partition(".")
        if not hmac.compare_digest(
            signature.encode(), self._signed("workspace-session", payload).encode()
        ):
            return None
        named, key, until_ms = json.loads(_bytes(payload))
        workspace = self._leader.workspace(named)
        if until_ms <= clock.now_ms() or workspace is None or workspace.spec.name != name:
            return None
        caller = await self._caller(key)
        if caller is None or not may(caller, "workspaces.enter"):
            return None
        seen = sees(caller, workspace.tenant, workspace.project)
        return Entered(workspace=named, key=key) if seen else None

    async def caller(self, key: str) -> Caller | None:
        """Whom the key of this id stands for; None for one that is not good."""
        found = await self._caller(key)
        return replace(found, key=key) if found else None

    def forget(self, key: str) -> None:
        """Ask the store again for the key of this id: it was revoked."""
        self._forgotten += 1
        self._callers.pop(key, None)

    def desk_token(self, key: AttemptKey) -> str:
        """What an attempt's desk takes for the control plane."""
        return self._signed("workspace-desk", str(key))

    async def _caller(self, id: str) -> Caller | None:
        """Whom a key stands for; None for one that is not good any more."""
        now_ms = clock.now_ms()
        known = self._callers.get(id)
        if known is None or known[1] <= now_ms:
            before = -1
            key: ApiKey | None = None
            owner: User | None = None
            while before != self._forgotten:  # one that is revoked meanwhile is not overlooked
                before = self._forgotten
                key = await asyncio.to_thread(self._store.read, ApiKey, id)
                if key is not None and key.user:
                    owner = await asyncio.to_thread(self._store.read, User, key.user)
            if len(self._callers) >= KEYS_KEPT_MAX:
                self._callers.clear()
            known = self._callers[id] = (_good(key, owner, now_ms), now_ms + KEY_FRESH_MS)
        return known[0]

    def _signed(self, use: str, payload: str) -> str:
        return _text(hmac.digest(self._secret, f"{use}:{payload}".encode(), "sha256"))


def _good(key: ApiKey | None, owner: User | None, now_ms: int) -> Caller | None:
    if key is None or key.revoked_ms is not None or 0 < key.expires_ms <= now_ms:
        return None
    role = standing(key, owner)
    return None if role is None else caller_of(key, owner, role)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
