"""The JSON web token by which slurmrestd knows who asks: of a file that somebody renews, or asked of Slurm by ourselves.

It is never an argument of a command, and never logged.
"""

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gigawatt.clock import monotonic_s
from gigawatt.engine.slurm.client import SlurmCommands, SlurmRefusedError

LIFE_S = 3600  # that is asked for
READ_AGAIN_S = 10.0  # whoever renews a file need not tell us
VARIABLE = "SLURM_JWT="  # begins what scontrol prints


class Token(Protocol):
    """One source of tokens."""

    async def read(self) -> str:
        """Raises SlurmUnavailableError, SlurmRefusedError."""
        ...

    @property
    def good_s(self) -> float:
        """How long one may be used before the next is read."""
        ...


class TokenOfFile:
    """The file holds a token, or what `scontrol token` printed."""

    good_s = READ_AGAIN_S

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self) -> str:
        try:
            return _bare(await asyncio.to_thread(self._path.read_text))
        except OSError as error:
            raise SlurmRefusedError(f"{self._path} cannot be read: {error.strerror}") from error


class TokenOfSlurm:
    """Of `scontrol token`, which gives one to the user that runs it: half of its life is used."""

    def __init__(self, commands: SlurmCommands, life_s: int = LIFE_S) -> None:
        self.good_s = life_s / 2
        self._commands = commands
        self._life_s = life_s

    async def read(self) -> str:
        return _bare(await self._commands.token(self._life_s))


class Bearer:
    """Keeps a token as long as it is good; several who want the next one wait for the same."""

    def __init__(self, source: Token, now_s: Callable[[], float] = monotonic_s) -> None:
        self._source = source
        self._now_s = now_s
        self._token = ""
        self._since_s = 0.0
        self._lock = asyncio.Lock()

    async def headers(self, user: str = "") -> dict[str, str]:
        """Of a request as the token's own user, or as another, for which it must be of root or SlurmUser.

        Raises SlurmUnavailableError, SlurmRefusedError.
        """
        async with self._lock:
            if not self._token or self._now_s() - self._since_s >= self._source.good_s:
                self._since_s = self._now_s()
                self._token = await self._source.read()
        return {
            "X-SLURM-USER-NAME": user or user_of(self._token),
            "X-SLURM-USER-TOKEN": self._token,
        }

    def refused(self) -> None:
        """It may have been taken back, or have run out: the next request has a new one."""
        self._token = ""


def user_of(token: str) -> str:
    """Whose it says to be. Raises SlurmRefusedError."""
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        return str(claims["sun"])
    except (IndexError, ValueError, KeyError, TypeError):
        raise SlurmRefusedError("what is given for a token is not one of Slurm's") from None


def _bare(text: str) -> str:
    return text.strip().removeprefix(VARIABLE)
