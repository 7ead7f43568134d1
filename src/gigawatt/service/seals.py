"""Text that we give to others to keep and know again when it comes back: cookies, sealed with the instance's secret."""

import base64
import hmac
import json
from typing import Any

from gigawatt.build.sealing import Key, SealError, seal, unseal


class Seals:
    """Nobody else can read what was sealed, change it, or pass one kind off as another."""

    def __init__(self, secret: bytes) -> None:
        self._key = Key(raw=hmac.digest(secret, b"cookies of sign-in", "sha256"))

    def sealed(self, value: dict[str, Any], kind: str) -> str:
        """A value as text of the characters that cookies may have."""
        found = seal(self._key, json.dumps(value).encode(), kind)
        return base64.urlsafe_b64encode(json.dumps(found).encode()).rstrip(b"=").decode()

    def unsealed(self, text: str, kind: str) -> dict[str, Any] | None:
        """The value again; None for what is not ours, or of another kind."""
        try:
            padded = text + "=" * (-len(text) % 4)
            sealed = json.loads(base64.urlsafe_b64decode(padded))
            value: dict[str, Any] = json.loads(unseal(self._key, sealed, kind))
        except (ValueError, TypeError, SealError):
            return None
        return value
