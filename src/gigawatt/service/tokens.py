"""Secrets that callers show: API keys, and the short-lived tokens of ranks.

An API key is 256 random bits; only its SHA-256 is kept, and its id is made of that, so that it is found without an
index. A rank's token is signed, not stored: it says which attempt it is for, and is worth nothing once that has ended.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass

from gigawatt.model.tenant import ApiKey, Role

KEY_PREFIX = "gw_"
KEY_BYTES = 32
KEY_ID_DIGITS = 20
SHOWN_CHARS = 9
KEY_CHARS_MAX = 46  # of a whole key
TOKEN_PREFIX = "gwr_"  # noqa: S105 - it marks tokens and is none
TOKEN_CHARS_MAX = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose key it is to be, and what it may do."""

    tenant: str
    project: str  # empty: every project of the tenant
    name: str
    role: Role
    created_by: str
    expires_ms: int = 0
    user: str = ""  # the id of its owner; empty for the instance's own
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a rank's token says."""

    gang: str
    attempt: int
    tenant: str
    project: str
    expires_ms: int


def new_key(owner: Owner, *, entropy: bytes, now_ms: int) -> tuple[str, ApiKey]:
    """The secret, to be shown once, and what is kept of it. `entropy` is `KEY_BYTES` long."""
    assert len(entropy) == KEY_BYTES
    secret = KEY_PREFIX + base64.urlsafe_b64encode(entropy).rstrip(b"=").decode()
    return secret, kept_key(secret, owner, now_ms=now_ms)


def kept_key(secret: str, owner: Owner, *, now_ms: int) -> ApiKey:
    """What is kept of a secret."""
    sha256 = secret_sha256(secret)
    return ApiKey(
        id=key_id(sha256),
        tenant=owner.tenant,
        project=owner.project,
        name=owner.name,
        role=owner.role,
        prefix=secret[:SHOWN_CHARS],
        sha256=sha256,
        created_ms=now_ms,
        created_by=owner.created_by,
        expires_ms=owner.expires_ms,
        user=owner.user,
        scopes=owner.scopes,
    )


def secret_sha256(secret: str) -> str:
    """The hash under which a key is kept, in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def key_id(sha256: str) -> str:
    """The id of the key with that hash."""
    return f"key-{sha256[:KEY_ID_DIGITS]}"


class RankTokens:
    """Signs and reads the tokens of ranks with the instance's secret."""

    def __init__(self, secret: bytes) -> None:
        assert len(secret) >= 32
        self._secret = secret

    def issue(self, claims: Claims) -> str:
        """The token that says `claims`."""
        said = json.dumps(
            [claims.gang, claims.attempt, claims.tenant, claims.project, claims.expires_ms]
        )
        payload = _text(said.encode())
        return f"{TOKEN_PREFIX}{payload}.{self._sign(payload)}"

    def read(self, token: str, *, now_ms: int) -> Claims | None:
        """What a token says; None for one that we did not sign, to the letter, or that has expired."""
        if len(token) > TOKEN_CHARS_MAX or not token.isascii():
            return None
        payload, _, signature = token.removeprefix(TOKEN_PREFIX).partition(".")
        if not hmac.compare_digest(signature, self._sign(payload)):
            return None
        gang, attempt, tenant, project, expires_ms = json.loads(_bytes(payload))
        if expires_ms <= now_ms:
            return None
        return Claims(
            gang=gang, attempt=attempt, tenant=tenant, project=project, expires_ms=expires_ms
        )

    def _sign(self, payload: str) -> str:
        return _text(hmac.digest(self._secret, f"rank-token:{payload}".encode(), "sha256"))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
