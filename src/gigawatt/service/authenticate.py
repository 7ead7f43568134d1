"""Who is calling: from the secret in a request to a `Caller`. Keys are cached by hash, so that most calls cost no read."""

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from gigawatt import clock
from gigawatt.model.endpoint import Replica
from gigawatt.model.job import Job
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.roles import standing
from gigawatt.model.tenant import ApiKey, Caller, Role, User
from gigawatt.model.values import replace
from gigawatt.model.workspace import Workspace
from gigawatt.service.callers import KeyUses, caller_of
from gigawatt.service.guesses import Guesses
from gigawatt.service.tokens import TOKEN_PREFIX, Claims, RankTokens, key_id, secret_sha256
from gigawatt.store.base import Store

KEY_FRESH_MS = 5_000  # a key revoked by another process is refused after this, at the latest
TOKEN_FRESH_MS = 1_000
CACHED_MAX = 10_000
SECRET_CHARS_MAX = 1_024


@dataclass(slots=True, kw_only=True)
class _Known:
    caller: Caller  # with the address of the last call
    key_id: str
    until_ms: int


class Keyring:
    """Reads keys from the store and remembers them for a moment."""

    def __init__(self, store: Store, tokens: RankTokens) -> None:
        self._store = store
        self._tokens = tokens
        self.guesses = Guesses()
        self.uses = KeyUses()
        self._known: dict[str, _Known] = {}
        self._forgotten = 0  # how often; what was read before the last time may be out of date

    async def authenticate(self, authorization: str, *, address: str = "") -> Caller:
        """The caller behind an Authorization header. Raises RefusalError (unauthenticated, limit)."""
        scheme, _, secret = authorization.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            hint = "send the header `Authorization: Bearer KEY`"
            raise RefusalError(RefusalCode.UNAUTHENTICATED, "the request has no key", hint=hint)
        now_ms, sha256 = clock.now_ms(), secret_sha256(secret)
        known = self._known.get(sha256)
        if known is None or now_ms >= known.until_ms:
            self.guesses.check(address, sha256, now_ms=now_ms)
            known = await self._look_up(secret, sha256, now_ms)
            if known is None:
                self.guesses.failed(address, now_ms=now_ms)
                raise _refused("the key is not known")
            self.guesses.succeeded(sha256, now_ms=now_ms)
        self.uses.note(known.key_id, address, now_ms=now_ms)
        if known.caller.address != address:
            known.caller = replace(known.caller, address=address)
        return known.caller

    def forget(self, id: str) -> None:
        """Ask the store again for the key of this id: it was revoked."""
        self._forgotten += 1
        self._known = {sha: known for sha, known in self._known.items() if known.key_id != id}

    async def _look_up(self, secret: str, sha256: str, now_ms: int) -> _Known | None:
        """Whom a secret stands for; None for one that was never given out. Raises RefusalError (unauthenticated)."""
        if len(secret) > SECRET_CHARS_MAX:
            return None
        if secret.startswith(TOKEN_PREFIX):
            return await self._rank(secret, sha256, now_ms)
        return await self._key(sha256, now_ms)

    async def _key(self, sha256: str, now_ms: int) -> _Known | None:
        key, owner = await self._read(key_id(sha256))
        if key is None or not hmac.compare_digest(key.sha256, sha256):
            return None
        if key.revoked_ms is not None:
            raise _refused(f"the key {key.name} was revoked")
        if key.expires_ms and key.expires_ms <= now_ms:
            raise _refused(f"the key {key.name} has expired")
        role = standing(key, owner)
        if role is None:
            who = key.user.partition("/")[2]
            raise _refused(f"{who}, whose key {key.name} is, is disabled or holds no role for it")
        until_ms = now_ms + KEY_FRESH_MS
        if key.expires_ms:
            until_ms = min(until_ms, key.expires_ms)
        caller = caller_of(key, owner, role)
        return self._remember(sha256, _Known(caller=caller, key_id=key.id, until_ms=until_ms))

    async def _read(self, id: str) -> tuple[ApiKey | None, User | None]:
        """The key and its owner as the store has it: a revocation that is committed while it is read is not overlooked."""
        while True:
            before = self._forgotten
            found = await asyncio.to_thread(self._key_and_owner, id)
            if before == self._forgotten:
                return found

    def _key_and_owner(self, id: str) -> tuple[ApiKey | None, User | None]:
        key = self._store.read(ApiKey, id)
        if key is None:
            return None, None
        self.uses.learn(self._store, key)
        return key, self._store.read(User, key.user) if key.user else None

    async def _rank(self, token: str, sha256: str, now_ms: int) -> _Known | None:
        claims = self._tokens.read(token, now_ms=now_ms)
        if claims is None:
            return None
        if not await asyncio.to_thread(self._lives, claims):
            raise _refused(f"attempt {claims.gang}.{claims.attempt} has ended")
        caller = Caller(
            name=f"{claims.gang}.{claims.attempt}",
            role=Role.RANK,
            tenant=claims.tenant,
            project=claims.project,
            job=claims.gang,
        )
        return self._remember(
            sha256, _Known(caller=caller, key_id="", until_ms=now_ms + TOKEN_FRESH_MS)
        )

    def _lives(self, claims: Claims) -> bool:
        kinds = (Job, Replica, Workspace)
        found = (self._store.read(kind, claims.gang) for kind in kinds)
        owner = next((each for each in found if each is not None), None)
        attempt = owner.attempt if owner else None
        return attempt is not None and attempt.n == claims.attempt and attempt.live

    def _remember(self, sha256: str, known: _Known) -> _Known:
        if len(self._known) >= CACHED_MAX:
            self._known = _fresh(self._known, clock.now_ms())
        self._known[sha256] = known
        return known


def _fresh(known: Mapping[str, _Known], now_ms: int) -> dict[str, _Known]:
    """Those still good; none where all are, so that the cache stays within its limit."""
    kept = {sha: each for sha, each in known.items() if now_ms < each.until_ms}
    return kept if len(kept) < CACHED_MAX else {}


def _refused(detail: str) -> RefusalError:
    hint = "on this machine gw uses the key in the data directory; elsewhere set GIGAWATT_TOKEN"
    return RefusalError(RefusalCode.UNAUTHENTICATED, detail, hint=hint)
