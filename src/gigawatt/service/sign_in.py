"""Signing in by an OpenID provider: from what it says of an account to a session, which is an API key that ends.

No account is given a role that the operator's rules do not say. A browser never has the key: its cookie says which one
is meant, sealed, and when it was last seen.
"""

import asyncio
import base64
import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from gigawatt import clock
from gigawatt.model.command import CreateKey
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import ApiKey, Project
from gigawatt.service.oidc import Provider, refused
from gigawatt.service.ports import Leader
from gigawatt.service.seals import Seals
from gigawatt.service.tokens import KEY_BYTES, Owner, new_key
from gigawatt.spec.sign_in import Standing, standing_of, verified
from gigawatt.store.base import Store

FLOW_MS = 600_000  # from the start in a browser to its end
RANDOM_BYTES = 32
ONCE_MAX = 50_000  # tokens and answers that are remembered, so that none is taken twice
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
        self._once: OrderedDict[str, None] = OrderedDict()

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
        self._only_once(f"flow {flow['state']}")
        token = await provider.redeemed(
            code, redirect=self.redirect, verifier=str(flow["verifier"])
        )
        claims = await provider.checked(
            token, audience=provider.form.client_id, nonce=str(flow["nonce"])
        )
        made = await self._session(provider, claims)
        return Session(key=made.key, secret="", return_to=str(flow["return_to"]))

    async def exchange(self, name: str, token: str) -> Session:
        """The session for an ID token that a command line was given by the provider. Raises RefusalError."""
        provider = self._provider(name)
        claims = await provider.checked(token, audience=provider.audiences[1], nonce=None)
        self._only_once(f"token {hashlib.sha256(token.encode()).hexdigest()}")
        return await self._session(provider, claims)

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

    def csrf(self, key: str) -> str:
        """What a page of ours must show to change something, on behalf of a session."""
        return hmac.new(self._secret, f"csrf\0{key}".encode(), "sha256").hexdigest()

    async def _session(self, provider: Provider, claims: dict[str, Any]) -> Session:
        known = verified(claims)
        standing = standing_of(provider.form, known)
        name = str(known.get(provider.form.called) or known["sub"])[:NAME_CHARS_MAX]
        if standing is None:
            raise RefusalError(
                RefusalCode.FORBIDDEN,
                f"{name} of {provider.form.name} has no role here",
                hint="ask the operator: the file of sign_in says whom which claims make what",
            )
        await self._check_there(standing)
        now_ms = clock.now_ms()
        owner = Owner(
            tenant=standing.tenant,
            project=standing.project,
            name=name,
            role=standing.role,
            created_by=f"{BY}{provider.form.name}:{known['sub']}",
            expires_ms=now_ms + provider.form.session * 1000,
        )
        secret, key = new_key(owner, entropy=clock.entropy(KEY_BYTES), now_ms=now_ms)
        made = await self._leader.submit(CreateKey(key=key), receipt=None)
        assert isinstance(made, ApiKey)
        return Session(key=made, secret=secret)

    async def _check_there(self, standing: Standing) -> None:
        """Raises RefusalError where a rule names a project that there is not."""
        if not standing.project:
            return
        place = f"{standing.tenant}/{standing.project}"
        if await asyncio.to_thread(self._store.read, Project, place) is None:
            detail = f"there is no project {place}, which a rule of sign-in names"
            raise RefusalError(RefusalCode.FORBIDDEN, detail, field="project")

    def _provider(self, name: str) -> Provider:
        try:
            return self.providers[name]
        except KeyError:
            hint = f"there are: {', '.join(sorted(self.providers))}"
            detail = f"there is no provider {name[:64]}"
            raise RefusalError(RefusalCode.NOT_FOUND, detail, field="provider", hint=hint) from None

    def _only_once(self, what: str) -> None:
        """Raises RefusalError the second time. What is forgotten for want of room has expired long before."""
        if what in self._once:
            raise refused("this was used to sign in before")
        self._once[what] = None
        if len(self._once) > ONCE_MAX:
            self._once.popitem(last=False)

    def _cookie(self, key: str, provider: str) -> str:
        said = {"key": key, "provider": provider, "seen_ms": clock.now_ms()}
        return self._seals.sealed(said, "session")


def local_path(path: str) -> str:
    """A path of ours to return to; the root for anything that would lead elsewhere."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if plain and path.isprintable() and path.isascii() and "\\" not in path else "/"


def _random() -> str:
    return base64.urlsafe_b64encode(clock.entropy(RANDOM_BYTES)).rstrip(b"=").decode()
