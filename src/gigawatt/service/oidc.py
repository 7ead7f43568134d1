"""One OpenID provider: found by discovery, its keys kept for a while, its tokens checked.

Only signatures with public keys are taken. A token is for us (`aud`), of this issuer, not too old, and, where a browser
asked for it, an answer to that very question (`nonce`).
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

import httpx2
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gigawatt import clock
from gigawatt.build.certificates import trusting
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.spec.limits import ID_TOKEN_CHARS_MAX
from gigawatt.spec.sign_in import ProviderForm

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
KEYS_FRESH_MS = 3_600_000
KEYS_AGAIN_MS = (
    10_000  # at most so often are they asked for because of a token that none of them signed
)
LEEWAY_S = 60  # between clocks
AGE_S_MAX = 600  # of a token when it is brought
ANSWER_BYTES_MAX = 1 << 20
ANSWER_S = 10.0
KEYS_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where the provider does what."""

    authorization: str
    token: str
    keys: str
    device: str = ""
    says_iss: bool = False  # in its answers to browsers (RFC 9207)


class Provider:
    """`secret` authenticates us where the provider knows one."""

    def __init__(self, form: ProviderForm, *, secret: str = "") -> None:
        self.form = form
        self._secret = secret
        self._endpoints: Endpoints | None = None
        self._keys: KeySet | None = None
        self._keys_ms = 0
        self._lock = asyncio.Lock()

    @property
    def audiences(self) -> tuple[str, ...]:
        """Our names there: the browsers' and the command line's."""
        return (self.form.client_id, self.form.cli_client_id or self.form.client_id)

    async def endpoints(self) -> Endpoints:
        """Raises RefusalError where it cannot be found, or says that it is another."""
        if self._endpoints is None:
            url = f"{self.form.issuer.rstrip('/')}/.well-known/openid-configuration"
            told = await self._asked("GET", url)
            if told.get("issuer") != self.form.issuer:
                raise _unusable(self.form, f"says that it is {str(told.get('issuer'))[:200]!r}")
            try:
                self._endpoints = Endpoints(
                    authorization=str(told["authorization_endpoint"]),
                    token=str(told["token_endpoint"]),
                    keys=str(told["jwks_uri"]),
                    device=str(told.get("device_authorization_endpoint", "")),
                    says_iss=told.get("authorization_response_iss_parameter_supported") is True,
                )
            except KeyError as error:
                raise _unusable(self.form, f"has no {error.args[0]}") from error
        return self._endpoints

    async def question(self, *, redirect: str, state: str, nonce: str, verifier: str) -> str:
        """The URL that a browser is sent to. Raises RefusalError."""
        endpoints = await self.endpoints()
        asked = {
            "response_type": "code",
            "client_id": self.form.client_id,
            "redirect_uri": redirect,
            "scope": " ".join(dict.fromkeys(("openid", *self.form.scopes))),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in endpoints.authorization else "?"
        return f"{endpoints.authorization}{joint}{urlencode(asked)}"

    async def redeemed(self, code: str, *, redirect: str, verifier: str) -> str:
        """The ID token for the code that a browser brought. Raises RefusalError."""
        endpoints = await self.endpoints()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
            "client_id": self.form.client_id,
        }
        basic = (self.form.client_id, self._secret) if self._secret else None
        told = await self._asked("POST", endpoints.token, form=form, basic=basic)
        token = told.get("id_token")
        if not isinstance(token, str):
            raise refused("the provider gave no ID token for the code")
        return token

    async def checked(self, token: str, *, audience: str, nonce: str | None) -> dict[str, Any]:
        """The claims of a token that is good, for `audience`, and answers `nonce` if there is one. Raises RefusalError."""
        if len(token) > ID_TOKEN_CHARS_MAX or token.count(".") != 2:
            raise refused("that is no ID token")
        claims = await self._opened(token)
        if claims.get("iss") != self.form.issuer:
            raise refused("the ID token is of another issuer")
        _check_audience(claims, audience)
        _check_times(claims, now_s=clock.now_ms() // 1000)
        if nonce is not None and claims.get("nonce") != nonce:
            raise refused("the ID token does not answer this sign-in")
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise refused("the ID token names nobody")
        return claims

    async def _opened(self, token: str) -> dict[str, Any]:
        """The claims, whose signature is good; with keys asked for anew if none of those there are fits."""
        for last in (False, True):
            keys = await self._known_keys(again=last)
            try:
                return dict(jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims)
            except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
                if last:
                    raise refused("the signature of the ID token is not good") from error
        raise AssertionError

    async def _known_keys(self, *, again: bool) -> KeySet:
        async with self._lock:
            now_ms = clock.now_ms()
            age_ms = now_ms - self._keys_ms
            if self._keys is None or age_ms > (KEYS_AGAIN_MS if again else KEYS_FRESH_MS):
                told = await self._asked("GET", (await self.endpoints()).keys)
                found = cast("list[Any]", told.get("keys") or [])[:KEYS_MAX]
                public = [each for each in found if _may_sign(each)]
                try:
                    self._keys = KeySet.import_key_set({"keys": public})
                except (JoseError, ValueError, TypeError, KeyError) as error:
                    raise _unusable(self.form, "has keys that cannot be read") from error
                self._keys_ms = now_ms
            return self._keys

    async def _asked(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
    ) -> dict[str, Any]:
        """A JSON object from the provider. Raises RefusalError; its answer is not repeated, as it may hold a token."""
        try:
            async with (
                httpx2.AsyncClient(
                    verify=trusting(self.form.ca_file), timeout=ANSWER_S, follow_redirects=False
                ) as http,
                http.stream(method, url, data=form, auth=basic or httpx2.USE_CLIENT_DEFAULT) as got,
            ):
                body = b""
                async for piece in got.aiter_bytes():
                    body += piece
                    if len(body) > ANSWER_BYTES_MAX:
                        raise _unusable(self.form, "answers too much")
                told: Any = json.loads(body)
                status = got.status_code
        except (httpx2.HTTPError, OSError, ValueError) as error:
            raise _unusable(self.form, f"does not answer: {type(error).__name__}") from error
        if not isinstance(told, dict):
            raise _unusable(self.form, "does not answer as one does")
        answer = cast("dict[str, Any]", told)
        if status >= 500:
            raise _unusable(self.form, f"answers {status}")
        if status >= 400:
            raise refused(f"the provider refused: {str(answer.get('error'))[:100]}")
        return answer


def challenge(verifier: str) -> str:
    """What a verifier is announced by (RFC 7636, S256)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def refused(detail: str) -> RefusalError:
    """A sign-in that comes to nothing."""
    return RefusalError(RefusalCode.UNAUTHENTICATED, detail, hint="sign in again")


def _may_sign(key: object) -> bool:
    """Public keys of a kind that we take. One that is secret would let whoever knows it sign."""
    if not isinstance(key, dict):
        return False
    fields = cast("dict[str, Any]", key)
    signs = fields.get("use", "sig") == "sig"
    return signs and fields.get("kty") in {"RSA", "EC", "OKP"} and "d" not in fields


def _check_audience(claims: Mapping[str, Any], audience: str) -> None:
    told = claims.get("aud")
    audiences = cast("list[Any]", told) if isinstance(told, list) else [told]
    party = claims.get("azp", audience if len(audiences) == 1 else None)
    if audience not in audiences or party != audience:
        raise refused("the ID token is for somebody else")


def _check_times(claims: Mapping[str, Any], *, now_s: int) -> None:
    ends, made = _time(claims, "exp"), _time(claims, "iat")
    begins = _time(claims, "nbf") if "nbf" in claims else 0.0
    if ends + LEEWAY_S <= now_s:
        raise refused("the ID token has expired")
    if made > now_s + LEEWAY_S or begins > now_s + LEEWAY_S:
        raise refused("the ID token is of the future: see the clocks")
    if made + AGE_S_MAX + LEEWAY_S <= now_s:
        raise refused("the ID token is too old to sign in with")


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refused(f"the ID token says no time in {name}")
    return value


def _unusable(form: ProviderForm, why: str) -> RefusalError:
    return RefusalError(
        RefusalCode.UNAVAILABLE,
        f"the provider {form.name} {why}",
        field="issuer",
        hint=f"see that {form.issuer} is reached from the control plane",
    )
