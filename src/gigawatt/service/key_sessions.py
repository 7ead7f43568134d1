"""Browsers that signed in with an API key: a cookie stands for the key, and a code that works once for the first cookie.

The cookie never holds the key. It says which key is meant, and is worth nothing once that key is revoked, has expired,
or the browser has signed out. Codes and sign-outs are kept in memory: after a restart codes are void, and a cookie that
someone has copied before its browser signed out is good again until it ends.
"""

import base64
import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass

from gigawatt import clock
from gigawatt.service.seals import Seals
from gigawatt.service.sign_in import Seen

KIND = "key-session"
SESSION_MS = 12 * 3_600_000
CODE_MS = 60_000
CODE_BYTES = 24
CODES_MAX = 1_000  # not used yet; more push out the oldest
ENDED_MAX = 50_000  # sign-outs that are remembered; more push out the oldest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Code:
    key: str
    until_ms: int


class KeySessions:
    """Gives out codes and cookies, and says for which key a cookie stands."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._seals = Seals(secret)
        self._codes: OrderedDict[str, _Code] = OrderedDict()  # by their SHA-256, oldest first
        self._ended: OrderedDict[str, None] = OrderedDict()

    def code(self, key: str) -> str:
        """A new code for one sign-in, on behalf of the key of that id."""
        code = _random()
        while len(self._codes) >= CODES_MAX:
            self._codes.popitem(last=False)
        self._codes[_sha256(code)] = _Code(key=key, until_ms=clock.now_ms() + CODE_MS)
        return code

    def asked_by(self, code: str) -> str:
        """The id of the key that a code is for, which stays good; empty for one that is not good."""
        found = self._codes.get(_sha256(code))
        return found.key if found and found.until_ms > clock.now_ms() else ""

    def redeem(self, code: str) -> str:
        """The id of the key that a code is for; empty for one that is not good. Used or not, the code is gone."""
        key = self.asked_by(code)
        self._codes.pop(_sha256(code), None)
        return key

    def cookie(self, key: str) -> str:
        """What a browser is given for a session of the key of that id."""
        said = {"key": key, "id": _random(), "until_ms": clock.now_ms() + SESSION_MS}
        return self._seals.sealed(said, KIND)

    def seen(self, cookie: str) -> Seen | None:
        """Whose cookie it is; None where it is nobody's, or its session is over."""
        said = self._seals.unsealed(cookie, KIND)
        if said is None or said["until_ms"] <= clock.now_ms() or said["id"] in self._ended:
            return None
        csrf = hmac.new(self._secret, f"csrf\0{said['id']}".encode(), "sha256").hexdigest()
        return Seen(key=str(said["key"]), renewed="", csrf=csrf)

    def end(self, cookie: str) -> bool:
        """End a session; whether the cookie was one of ours."""
        said = self._seals.unsealed(cookie, KIND)
        if said is None:
            return False
        self._ended[str(said["id"])] = None
        if len(self._ended) > ENDED_MAX:
            self._ended.popitem(last=False)
        return True


def _random() -> str:
    return base64.urlsafe_b64encode(clock.entropy(CODE_BYTES)).rstrip(b"=").decode()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
