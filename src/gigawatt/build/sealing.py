"""Sealing of what is kept on disk: AES-256-GCM, with what a record is bound to as associated data.

A sealed value opens only for the place that it was sealed for: a record that was damaged, or put in the place of
another one, does not open at all.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gigawatt.clock import entropy

KEY_BYTES = 32
NONCE_BYTES = 12
ID_DIGITS = 16


class SealError(Exception):
    """It does not open with this key, for this place."""


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """Not shown by repr. Its id says which key it is and nothing of it."""

    raw: bytes

    @property
    def id(self) -> str:
        return hashlib.sha256(b"gigawatt key id\0" + self.raw).hexdigest()[:ID_DIGITS]


def new_key() -> Key:
    """A key that nobody had before."""
    return Key(entropy(KEY_BYTES))


def seal(key: Key, plain: bytes, *place: str) -> dict[str, Any]:
    """`plain` in a form for JSON, for `place` alone."""
    nonce = entropy(NONCE_BYTES)
    box = AESGCM(key.raw).encrypt(nonce, plain, _bound(key, place))
    return {"key": key.id, "nonce": _text(nonce), "box": _text(box)}


def unseal(key: Key, sealed: dict[str, Any], *place: str) -> bytes:
    """What `seal` was given. Raises SealError."""
    try:
        nonce, box = _bytes(sealed["nonce"]), _bytes(sealed["box"])
        return AESGCM(key.raw).decrypt(nonce, box, _bound(key, place))
    except (InvalidTag, KeyError, TypeError, ValueError) as error:
        raise SealError("damaged, or of another place") from error


def _bound(key: Key, place: tuple[str, ...]) -> bytes:
    return json.dumps(["gigawatt/2", key.id, *place]).encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
