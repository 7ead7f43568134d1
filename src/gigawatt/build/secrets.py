"""Secrets by name: each in a file that only its owner can read, below the data directory. They are for one address.

A secret is bound to the URL that it is for when it is set, so that who may use it cannot have it sent elsewhere.
"""

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gigawatt.build.room import room_needed
from gigawatt.model.refusal import RefusalCode, RefusalError

PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
SUFFIX = ".json"
DEFAULT_USER = "__token__"  # who a secret without a user name is sent as, by the convention of Python's indexes
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Secret:
    """`value` is `user:password`, or a token alone. Not shown by repr."""

    name: str
    url: str
    value: str

    @property
    def user(self) -> str:
        return self.value.partition(":")[0] if ":" in self.value else DEFAULT_USER

    @property
    def password(self) -> str:
        return self.value.partition(":")[2] if ":" in self.value else self.value


class SecretFiles:
    """Secrets below `root`, by owner ("tenant/project") and name. All calls block."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, owner: str, secret: Secret) -> None:
        """Keep it, in the place of one of that name. Raises RefusalError."""
        path = self._path(owner, secret.name)
        partial = path.with_suffix(".partial")
        with room_needed(self._root):
            for parent in (self._root, path.parent.parent, path.parent):
                parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial.unlink(missing_ok=True)
            body = json.dumps({"url": secret.url, "value": secret.value}).encode()
            secret_fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(secret_fd, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)

    def names(self, owner: str) -> tuple[str, ...]:
        place = self._path(owner, "x").parent
        return tuple(sorted(path.stem for path in place.glob("*" + SUFFIX)))

    def read(self, owner: str, name: str) -> Secret:
        """Raises RefusalError (not-found), also where others could read the file."""
        path = self._path(owner, name)
        try:
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise _not_found(name, "others than its owner can read its file: set it again")
            held = json.loads(path.read_text())
        except FileNotFoundError as error:
            raise _not_found(name, f"gw secrets set {name} --for URL") from error
        return Secret(name=name, url=held["url"], value=held["value"])

    def remove(self, owner: str, name: str) -> None:
        """Raises RefusalError (not-found)."""
        try:
            self._path(owner, name).unlink()
        except FileNotFoundError as error:
            raise _not_found(name, "gw secrets lists those there are") from error

    def _path(self, owner: str, name: str) -> Path:
        tenant, _, project = owner.partition("/")
        for part in (tenant, project, name):
            if not PART.fullmatch(part):
                raise _not_found(name, "names are letters, digits, dots, dashes, underscores")
        return self._root / tenant / project / (name + SUFFIX)


def check_use(secret: Secret, url: str) -> None:
    """Refuse to send a secret anywhere but below the address that it was set for, or in the clear. Raises RefusalError."""
    wanted, allowed = urlsplit(url), urlsplit(secret.url)
    same = (wanted.scheme, wanted.hostname, wanted.port) == (
        allowed.scheme,
        allowed.hostname,
        allowed.port,
    )
    base = allowed.path.rstrip("/") + "/"
    if not same or ".." in wanted.path.split("/") or not (wanted.path + "/").startswith(base):
        raise RefusalError(
            RefusalCode.FORBIDDEN,
            f"the secret {secret.name} is for {secret.url}, and {url} is not below that",
            field="environment.indexes",
            hint="use the secret of that index, or have one set for it",
        )


def check_address(url: str, *, field: str) -> None:
    """Refuse an address that no secret may be sent to. Raises RefusalError."""
    parts = urlsplit(url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    if not safe or not parts.hostname or "@" in parts.netloc:
        detail = "a secret is only sent to an https address without a user name in it"
        raise RefusalError(RefusalCode.INVALID, detail, field=field)


def _not_found(name: str, hint: str) -> RefusalError:
    detail = f"there is no secret {name[:128]}"
    return RefusalError(RefusalCode.NOT_FOUND, detail, field="environment.indexes", hint=hint)
