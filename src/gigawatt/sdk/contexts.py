"""Instances that a person works with, by name: where each is and with which key. One file, which its owner alone reads."""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from gigawatt import clock
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.spec.names import NAME_HINT, NAME_PATTERN, default_name

ENV_CONTEXT = "GIGAWATT_CONTEXT"
LOCAL = "local"  # the instance on this machine; always there, never stored
FILE = "contexts.json"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`user`, `role` and `tenant` are what the instance said of the key when it was stored."""

    name: str
    api_url: str
    token: str = field(repr=False)
    user: str = ""
    role: str = ""
    tenant: str = ""
    ca: str = ""  # PEM of what it is believed by alone; empty for what the system knows
    provider: str = ""  # whom one has signed in by; empty for an API key
    issuer: str = ""
    refresh: str = field(default="", repr=False)  # the provider's token that gets the next session
    expires: str = ""  # when the session ends, in ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Contexts:
    """Those that are stored, by name, and the one in use: empty for the instance on this machine."""

    current: str = ""
    known: tuple[Context, ...] = ()

    def find(self, name: str) -> Context:
        """Raises RefusalError with the nearest name."""
        for each in self.known:
            if each.name == name:
                return each
        names = [*(each.name for each in self.known), LOCAL]
        close = get_close_matches(name, names, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(names)}"
        detail = f"there is no context {name!r}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="context", hint=hint)

    def using(self, name: str) -> "Contexts":
        """The same with `name` in use. Raises RefusalError."""
        return replace(self, current="" if name == LOCAL else self.find(name).name)

    def having(self, context: Context) -> "Contexts":
        """The same with `context`, in place of the one of its name. Raises RefusalError for another instance's name."""
        there = {each.name: each for each in self.known}
        before = there.get(context.name)
        if before and before.api_url != context.api_url:
            detail = f"context {context.name!r} is {before.api_url} already"
            hint = f"choose another --name, or first: gw context remove {context.name}"
            raise RefusalError(RefusalCode.CONFLICT, detail, field="name", hint=hint)
        there[context.name] = context
        return replace(self, known=tuple(there[name] for name in sorted(there)))

    def without(self, name: str) -> "Contexts":
        """The same without `name`. Raises RefusalError."""
        gone = self.find(name)
        kept = tuple(each for each in self.known if each is not gone)
        return Contexts(current="" if self.current == name else self.current, known=kept)


def contexts_path(environ: Mapping[str, str]) -> Path:
    """In XDG_CONFIG_HOME if it is set, else in the user's configuration directory."""
    named = environ.get("XDG_CONFIG_HOME", "")
    if named.startswith("/"):
        return Path(named) / "gigawatt" / FILE
    import platformdirs

    return Path(platformdirs.user_config_path("gigawatt")) / FILE


def read_contexts(path: Path) -> Contexts:
    """What is stored; nothing where there is no file. Raises RefusalError where it cannot be trusted or read."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except FileNotFoundError:
        return Contexts()
    except (OSError, UnicodeDecodeError) as error:
        detail = f"cannot read {path}: {error}"
        raise RefusalError(RefusalCode.INVALID, detail, hint="check its owner and mode") from error
    if mode & _OTHERS:
        detail = f"{path} holds keys, and others can read it (mode {mode:o})"
        raise RefusalError(RefusalCode.FORBIDDEN, detail, hint=f"chmod 600 {path}")
    try:
        return _decoded(json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        hint = "remove it, and log in again with: gw login URL"
        raise RefusalError(RefusalCode.INVALID, f"{path} is damaged", hint=hint) from error


def write_contexts(path: Path, contexts: Contexts) -> None:
    """Replace the file in one step; at no moment can others read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    value = {"current": contexts.current, "contexts": [asdict(each) for each in contexts.known]}
    beside = path.with_name(f"{FILE}.{clock.entropy(8).hex()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(value, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def context_name(name: str, url: str) -> str:
    """`name` checked, or one made from the URL's host and port. Raises RefusalError."""
    import re

    parts = urlsplit(url)
    host = (parts.hostname or "").replace(".", "-").replace(":", "-")
    made = name or default_name(f"{host}-{parts.port}" if parts.port else host)
    if made == LOCAL or not re.match(NAME_PATTERN, made):
        hint = "it means the instance on this machine" if made == LOCAL else NAME_HINT
        detail = f"a context cannot be called {made!r}"
        raise RefusalError(RefusalCode.INVALID, detail, field="name", hint=hint)
    return made


def in_the_clear(url: str) -> bool:
    """Whether a key would travel to another machine unencrypted."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in LOOPBACK


def _decoded(value: Any) -> Contexts:
    stored = cast("Mapping[str, Any]", value)
    known = tuple(
        Context(**{str(name): str(text) for name, text in each.items()})
        for each in stored["contexts"]
    )
    return Contexts(current=str(stored.get("current", "")), known=known)
