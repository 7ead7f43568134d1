"""Signing in by an OpenID provider: from what it says of an account to a session, which is an API key that ends.

No account is given a role that the operator's rules do not say. A browser never has the key: its cookie says which one
is meant, sealed, and when it was last seen.
"""

import asyncio
import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from typing import Any

from gigawatt import clock
from gigawatt.model.accounts import BeginSession, WithdrawAccount
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import ApiKey, User
from gigawatt.service.oidc import Provider, refused
from gigawatt.service.ports import Leader, ReceiptRequest
from gigawatt.service.seals import Seals
from gigawatt.service.tokens import KEY_BYTES, Owner, new_key
from gigawatt.spec.sign_in import standing_of, verified
from gigawatt.store.base import Store

FLOW_MS = 600_000  # from the start in a browser to its end
RANDOM_BYTES = 32
NOBODYS = ""  # receipts of sign-ins are no tenant's; the store keeps them for days, and tokens are good for minutes
SEEN_EVERY_MS = 60_000  # so often a cookie says anew when it was last seen
NAME_CHARS_MAX = 63
BY = "sign-in "  # how keys of sessions say who made them


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Where to send the browser, and what it must bring back."""

    url: str
    cookie: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A key that was made by a sign-in. `secret` is shown to command lines, once."""

    key: ApiKey
    secret: str
    return_to: str = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a cookie says: whose, if it is time the cookie that takes its place, and what a page shows to write."""

    key: str
    renewed: str
    csrf: str


class SignIn:
    """`secret` is the instance's; `redirect` the one URL that providers send browsers back to."""

    def __init__(
        self,
        providers: tuple[Provider, ...],
        *,
        store: Store,
        leader: Leader,
        secret: bytes,
        redirect: str,
    ) -> None:
        self.providers = {each.form.name: each for each in providers}
        self.redirect = redirect
        self._store = store
        self._leader = leader
        self._secret = secret
        self._seals = Seals(secret)
        self._changed: list[str] = []

    async def start(self, name: str, return_to: str) -> Started:
        """Ask a provider who the person at a browser is. Raises RefusalError."""
        provider = self._provider(name)
        state, nonce, verifier = (_random() for _ in range(3))
        url = await provider.question(
            redirect=self.redirect, state=state, nonce=nonce, verifier=verifier
        )
        flow = {
            "provider": name,
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "return_to": local_path(return_to),
            "until_ms": clock.now_ms() + FLOW_MS,
        }
        return Started(url=url, cookie=self._seals.sealed(flow, "flow"))

    async def finish(self, cookie: str, *, code: str, state: str, issuer: str) -> Session:
        """The session of a browser that comes back with a provider's answer. Raises RefusalError."""
        flow = self._seals.unsealed(cookie, "flow")
        if flow is None or flow["until_ms"] <= clock.now_ms():
            raise refused("this sign-in was not begun here, or took too long")
        if not hmac.compare_digest(str(flow["state"]).encode(), state.encode()):
            raise refused("this is the answer to another sign-in")
        provider = self._provider(flow["provider"])
        told = (await provider.endpoints()).says_iss
        if (issuer or told) and issuer != provider.form.issuer:
            raise refused("this is the answer of another provider")
        once = f"flow {flow['state']}"
        await self._check_unused(once)
        token = await provider.redeemed(
            code, redirect=self.redirect, verifier=str(flow["verifier"])
        )
        claims = await provider.checked(
            token, audience=provider.form.client_id, nonce=str(flow["nonce"])
        )
        made = await self._session(provider, claims, once)
        return replace(made, secret="", return_to=str(flow["return_to"]))

    async def exchange(self, name: str, token: str) -> Session:
        """The session for an ID token that a command line was given by the provider. Raises RefusalError."""
        provider = self._provider(name)
        claims = await provider.checked(token, audience=provider.audiences[1], nonce=None)
        once = f"token {hashlib.sha256(token.encode()).hexdigest()}"
        return await self._session(provider, claims, once)

    def cookie(self, key: ApiKey) -> str:
        """What a browser is given for a session."""
        provider = key.created_by.removeprefix(BY).partition(":")[0]
        return self._cookie(key.id, provider)

    def seen(self, cookie: str) -> Seen | None:
        """Whose cookie it is; None where it is nobody's, or nobody used it for too long."""
        said = self._seals.unsealed(cookie, "session")
        if said is None:
            return None
        provider = self.providers.get(said["provider"])
        idle_ms = clock.now_ms() - int(said["seen_ms"])
        if provider is None or idle_ms >= provider.form.idle * 1000:
            return None
        due = idle_ms >= min(SEEN_EVERY_MS, provider.form.idle * 1000 // 4)
        renewed = self._cookie(said["key"], said["provider"]) if due else ""
        key = str(said["key"])
        return Seen(key=key, renewed=renewed, csrf=self.csrf(key))

    def changed(self) -> list[str]:
        """Users who hold something else than before, by sign-ins since this was asked last."""
        changed, self._changed = self._changed, []
        return changed

    def csrf(self, key: str) -> str:
        """What a page of ours must show to change something, on behalf of a session."""
        return hmac.new(self._secret, f"csrf\0{key}".encode(), "sha256").hexdigest()

    async def _session(self, provider: Provider, claims: dict[str, Any], once: str) -> Session:
        known = verified(claims)
        account = f"{provider.form.name}:{known['sub']}"
        standing = standing_of(provider.form, known)
        name = str(known.get(provider.form.called) or known["sub"])[:NAME_CHARS_MAX]
        if standing is None:
            await self._withdraw(account)
            raise RefusalError(
                RefusalCode.FORBIDDEN,
                f"{name} of {provider.form.name} has no role here",
                hint="ask the operator: the file of sign_in says whom which claims make what",
            )
        now_ms = clock.now_ms()
        owner = Owner(
            tenant=standing.tenant,
            project=standing.project,
            name=name,
            role=standing.role,
            created_by=f"{BY}{account}",
            expires_ms=now_ms + provider.form.session * 1000,
        )
        secret, key = new_key(owner, entropy=clock.entropy(KEY_BYTES), now_ms=now_ms)
        command = BeginSession(
            account=account, name=user_name(name), email=str(known.get("email") or ""), key=key
        )
        before = self._leader.users_of(account)
        try:
            made = await self._leader.submit(command, receipt=_claim(once, key.id))
        except RefusalError as error:
            if error.code is RefusalCode.KEY_REUSED:
                raise refused("this was used to sign in before") from None
            raise
        assert isinstance(made, ApiKey)
        self._compare(account, before)
        return Session(key=made, secret=secret)

    async def _withdraw(self, account: str) -> None:
        """What its users held is theirs no more."""
        before = self._leader.users_of(account)
        if any(user.grants for user in before):
            command = WithdrawAccount(user=before[0].id, by=f"{BY}{account}")
            await self._leader.submit(command, receipt=None)
            self._changed += [user.id for user in before]

    def _compare(self, account: str, before: tuple[User, ...]) -> None:
        held = {user.id: user.grants for user in before}
        for user in self._leader.users_of(account):
            if held.get(user.id, user.grants) != user.grants:
                self._changed.append(user.id)

    def _provider(self, name: str) -> Provider:
        try:
            return self.providers[name]
        except KeyError:
            hint = f"there are: {', '.join(sorted(self.providers))}"
            detail = f"there is no provider {name[:64]}"
            raise RefusalError(RefusalCode.NOT_FOUND, detail, field="provider", hint=hint) from None

    async def _check_unused(self, once: str) -> None:
        """Raises RefusalError for what has made a session before. Two at the same time: the leader takes one."""
        place = (NOBODYS, once)
        if await asyncio.to_thread(self._store.receipts, [place]):
            raise refused("this was used to sign in before")

    def _cookie(self, key: str, provider: str) -> str:
        said = {"key": key, "provider": provider, "seen_ms": clock.now_ms()}
        return self._seals.sealed(said, "session")


def local_path(path: str) -> str:
    """A path of ours to return to; the root for anything that would lead elsewhere."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if plain and path.isprintable() and path.isascii() and "\\" not in path else "/"


def user_name(called: str) -> str:
    """What a user of an account is called here: what names are made of, of the part before an @."""
    plain = re.sub(r"[^a-z0-9]+", "-", called.partition("@")[0].lower()).strip("-")
    return plain[:NAME_CHARS_MAX].rstrip("-") or "account"


def _claim(once: str, key: str) -> ReceiptRequest:
    """Remembered with the session that is made of it, and refused to every other."""
    return ReceiptRequest(tenant=NOBODYS, key=once, request_sha256=key)


def _random() -> str:
    return base64.urlsafe_b64encode(clock.entropy(RANDOM_BYTES)).rstrip(b"=").decode()
