"""Secrets by name: each sealed, in a file that only its owner can read, below the data directory.

One that is for an address is bound to it when it is set, so that who may use it cannot have it sent elsewhere. One that
is for no address is given to ranks, and sent nowhere.
"""

import json
import os
import re
import stat
import threading
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gigawatt.build.room import room_needed
from gigawatt.build.sealing import Key, SealError, new_key, seal, unseal
from gigawatt.build.wrapping import Wrap, open_wrap
from gigawatt.model.refusal import RefusalCode, RefusalError

PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
SUFFIX = ".json"
KEYS = ".keys.json"  # of a project, beside its secrets; no secret has such a name
KEY_FILE = "secrets.key"
DEFAULT_USER = "__token__"  # who a secret without a user name is sent as, by the convention of Python's indexes
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Secret:
    """`value` is `user:password`, or a token alone. Not shown by repr."""

    name: str
    url: str  # empty for one that ranks are given
    value: str

    @property
    def user(self) -> str:
        return self.value.partition(":")[0] if ":" in self.value else DEFAULT_USER

    @property
    def password(self) -> str:
        return self.value.partition(":")[2] if ":" in self.value else self.value


class SecretFiles:
    """Secrets below `root`, by owner ("tenant/project") and name. All calls block.

    Each is sealed by its project's data key, for its place alone; data keys are kept beside them, wrapped.
    """

    def __init__(self, root: Path, wrap: Wrap) -> None:
        self._root = root
        self._wrap = wrap
        self._keys: dict[str, tuple[Key, ...]] = {}  # by owner, the one in use first
        self._lock = threading.RLock()  # of what changes: readers need none

    @property
    def key_kind(self) -> str:
        """Where the key is kept that wraps the others."""
        return self._wrap.kind

    def put(self, owner: str, secret: Secret) -> None:
        """Keep it, in the place of one of that name. Raises RefusalError."""
        path = self._path(owner, secret.name)
        with self._lock, room_needed(self._root):
            for parent in (self._root, path.parent.parent, path.parent):
                parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(owner, secret, self._data_keys(owner, new=True)[0])

    def names(self, owner: str) -> tuple[str, ...]:
        place = self._path(owner, "x").parent
        return tuple(sorted(path.stem for path in place.glob("[!.]*" + SUFFIX)))

    def read(self, owner: str, name: str) -> Secret:
        """Raises RefusalError: not-found, also where others could read the file; digest-mismatch where it does not open."""
        path = self._path(owner, name)
        try:
            if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise _not_found(name, "others than its owner can read its file: set it again")
            held = json.loads(self._opened(owner, name))
        except FileNotFoundError as error:
            raise _not_found(name, f"gw secrets set {name}") from error
        except (ValueError, TypeError, KeyError, AttributeError, SealError) as error:
            raise _damaged(owner, name) from error
        return Secret(name=name, url=held["url"], value=held["value"])

    def remove(self, owner: str, name: str) -> None:
        """Raises RefusalError (not-found)."""
        try:
            with self._lock:
                self._path(owner, name).unlink()
        except FileNotFoundError as error:
            raise _not_found(name, "gw secrets lists those there are") from error

    def seal_plain(self) -> int:
        """Seal what an earlier release kept as it was; how many there were. Raises RefusalError."""
        count = 0
        for owner in self._owners():
            for name in self.names(owner):
                path = self._path(owner, name)
                try:
                    held = json.loads(path.read_bytes())
                    plain = Secret(name=name, url=held["url"], value=held["value"])
                except (ValueError, TypeError, KeyError):
                    continue  # sealed already, or damaged: whoever reads it is told
                self.put(owner, plain)
                count += 1
        return count

    def rotate(self) -> int:
        """Take new keys for everything, and forget the old ones; how many secrets were sealed anew.

        What cannot be opened now is left as it is, and its keys with it: then RefusalError is raised at the end.
        Cut short at any point, all opens as before, and the next rotation finishes it.
        """
        with self._lock, room_needed(self._root):
            self._wrap.renew()
            count, faults = 0, list[RefusalError]()
            for owner in self._owners():
                try:
                    count += self._rotate(owner)
                except RefusalError as fault:
                    faults.append(fault)
            if faults:
                raise faults[0]
            self._wrap.retire()
            return count

    def _rotate(self, owner: str) -> int:
        """Of one project. Raises RefusalError."""
        key, before = new_key(), self._data_keys(owner)
        if not before:
            return 0
        self._keep_keys(owner, (key, *before))
        kept = [self.read(owner, name) for name in self.names(owner)]
        for secret in kept:
            self._write(owner, secret, key)
        self._keep_keys(owner, (key,))
        return len(kept)

    def _owners(self) -> list[str]:
        return sorted(
            f"{place.parent.name}/{place.name}"
            for place in self._root.glob("*/*")
            if place.is_dir() and PART.fullmatch(place.parent.name) and PART.fullmatch(place.name)
        )

    def _opened(self, owner: str, name: str) -> bytes:
        """Raises SealError, FileNotFoundError, and what comes of a file that is no record."""
        for last in (False, True):  # a rotation may have ended between the two reads
            sealed = json.loads(self._path(owner, name).read_bytes())
            for key in self._data_keys(owner, fresh=last):
                if key.id == sealed["key"]:
                    return unseal(key, sealed, *owner.split("/"), name)
        raise SealError("sealed by a key that is not there")

    def _write(self, owner: str, secret: Secret, key: Key) -> None:
        body = json.dumps({"url": secret.url, "value": secret.value}).encode()
        _replace(self._path(owner, secret.name), seal(key, body, *owner.split("/"), secret.name))

    def _data_keys(self, owner: str, *, new: bool = False, fresh: bool = False) -> tuple[Key, ...]:
        """A project's, the one in use first; the first is made where there may be a `new` one. Raises RefusalError."""
        held = () if fresh else self._keys.get(owner, ())
        if held:
            return held
        try:
            wrapped = json.loads(self._key_path(owner).read_bytes())["keys"]
            keys = tuple(self._wrap.unwrap(each, *owner.split("/")) for each in wrapped)
        except FileNotFoundError:
            if not new:
                return ()
            keys = (new_key(),)
            self._keep_keys(owner, keys)
        except (ValueError, TypeError, KeyError, AttributeError, SealError) as error:
            raise _key_damaged(owner) from error
        self._keys[owner] = keys
        return keys

    def _keep_keys(self, owner: str, keys: tuple[Key, ...]) -> None:
        wrapped = [self._wrap.wrap(key, *owner.split("/")) for key in keys]
        _replace(self._key_path(owner), {"keys": wrapped})
        self._keys[owner] = keys

    def _key_path(self, owner: str) -> Path:
        return self._path(owner, "x").with_name(KEYS)

    def _path(self, owner: str, name: str) -> Path:
        tenant, _, project = owner.partition("/")
        for part in (tenant, project, name):
            if not PART.fullmatch(part):
                raise _not_found(name, "names are letters, digits, dots, dashes, underscores")
        return self._root / tenant / project / (name + SUFFIX)


def open_secrets(data: Path, key: str, environ: MutableMapping[str, str]) -> SecretFiles:
    """Those of a data directory, wrapped by what the setting `key` says. Raises RefusalError."""
    root = data / "secrets"
    new = not any(root.glob(f"*/*/{KEYS}"))
    wrap = open_wrap(key, home=data / KEY_FILE, new=new, environ=environ)
    return SecretFiles(root, wrap)


def check_use(secret: Secret, url: str) -> None:
    """Refuse to send a secret anywhere but below the address that it was set for, or in the clear. Raises RefusalError."""
    wanted, allowed = urlsplit(url), urlsplit(secret.url)
    same = (wanted.scheme, wanted.hostname, wanted.port) == (
        allowed.scheme,
        allowed.hostname,
        allowed.port,
    )
    base = allowed.path.rstrip("/") + "/"
    if not secret.url:
        raise RefusalError(
            RefusalCode.FORBIDDEN,
            f"the secret {secret.name} is for no address, and is sent to none",
            field="environment.indexes",
            hint=f"set it for one: gw secrets set {secret.name} --for URL",
        )
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


def _damaged(owner: str, name: str) -> RefusalError:
    return RefusalError(
        RefusalCode.DIGEST_MISMATCH,
        f"the secret {name} of {owner} is damaged, or is not the one that was kept there",
        field="secret",
        hint=f"set it again: gw secrets set {name}; or put its file back from a backup",
    )


def _key_damaged(owner: str) -> RefusalError:
    return RefusalError(
        RefusalCode.DIGEST_MISMATCH,
        f"the key of the secrets of {owner} does not open: it is damaged, or wrapped by another key",
        field="secrets_key",
        hint=f"put back the key that wrapped it, or {KEYS} from a backup",
    )


def _replace(path: Path, value: dict[str, Any]) -> None:
    """The old content or the new, readable by its owner alone from its first byte on."""
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    file_fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(file_fd, "wb") as file:
        file.write(json.dumps(value).encode())
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
