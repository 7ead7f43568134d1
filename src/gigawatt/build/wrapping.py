"""Keys that wrap the data keys of projects: held in a file or a variable, or by a program that asks a key service.

What is held is one key a line, or after a comma, each as 64 hex digits, the one in use first. Others after it are of
before, and still open what they wrapped.
"""

import base64
import json
import os
import shlex
import stat
import subprocess
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any, Protocol

from gigawatt.build.sealing import KEY_BYTES, Key, SealError, new_key, seal, unseal
from gigawatt.model.refusal import RefusalCode, RefusalError

KEYS_MAX = 16
COMMAND_S = 20
ANSWER_BYTES_MAX = 1 << 16
VARIABLE_PREFIX = "GIGAWATT_"  # variables of that name are given to no rank
FILE, VARIABLE, COMMAND = "file:", "env:", "command:"
SETTING = "secrets_key"


class Wrap(Protocol):
    """Wraps keys for a place, and unwraps them there. All calls may block."""

    kind: str

    def wrap(self, key: Key, *place: str) -> dict[str, Any]:
        """Raises RefusalError where that cannot be done now."""
        ...

    def unwrap(self, wrapped: dict[str, Any], *place: str) -> Key:
        """Raises SealError for what was wrapped by none of these keys, or for another place; RefusalError as above."""
        ...

    def renew(self) -> None:
        """From now on wrap by a new key; what the old ones wrapped still opens. Raises RefusalError."""
        ...

    def retire(self) -> None:
        """Forget all but the key in use."""
        ...


class HeldKeys:
    """`keep` writes the keys down; without it they are somebody else's to change."""

    def __init__(
        self, kind: str, keys: tuple[Key, ...], keep: Callable[[tuple[Key, ...]], None] | None
    ) -> None:
        self.kind = kind
        self._keys = keys
        self._keep = keep

    def wrap(self, key: Key, *place: str) -> dict[str, Any]:
        return seal(self._keys[0], key.raw, "data key", *place)

    def unwrap(self, wrapped: dict[str, Any], *place: str) -> Key:
        for each in self._keys:
            if each.id == wrapped.get("key"):
                return Key(unseal(each, wrapped, "data key", *place))
        raise SealError("wrapped by a key that is not there any more")

    def renew(self) -> None:
        if self._keep is None:
            return  # whoever holds them has put a new one first
        if len(self._keys) >= KEYS_MAX:
            detail = f"{KEYS_MAX} keys are kept already"
            raise RefusalError(RefusalCode.LIMIT, detail, hint="a rotation must end first")
        keys = (new_key(), *self._keys)
        self._keep(keys)
        self._keys = keys

    def retire(self) -> None:
        if self._keep is not None:
            self._keep(self._keys[:1])
            self._keys = self._keys[:1]


class KeyCommand:
    """A program that wraps and unwraps. It reads a JSON object from its input and writes one to its output:
    {"operation": "wrap", "key": BASE64, "place": [...]} is answered by {"key": BASE64}, and so is "unwrap".
    """

    kind = "command"

    def __init__(self, argv: tuple[str, ...]) -> None:
        self._argv = argv

    def wrap(self, key: Key, *place: str) -> dict[str, Any]:
        return {"command": _base64(self._asked("wrap", key.raw, place))}

    def unwrap(self, wrapped: dict[str, Any], *place: str) -> Key:
        try:
            box = base64.b64decode(wrapped["command"], validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise SealError("not wrapped by a command") from error
        raw = self._asked("unwrap", box, place)
        if len(raw) != KEY_BYTES:
            raise SealError("unwrapped to what is no key")
        return Key(raw)

    def renew(self) -> None:
        """The key service has versions of its own."""

    def retire(self) -> None:
        """As above."""

    def _asked(self, operation: str, key: bytes, place: tuple[str, ...]) -> bytes:
        asked = {"operation": operation, "key": _base64(key), "place": list(place)}
        try:
            done = subprocess.run(
                self._argv,
                input=json.dumps(asked).encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=COMMAND_S,
                check=True,
            )
            answer: dict[str, Any] = json.loads(done.stdout[:ANSWER_BYTES_MAX])
            return base64.b64decode(answer["key"], validate=True)
        except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
            ended = isinstance(error, subprocess.CalledProcessError)
            why = f"it ended with {error.returncode}" if ended else type(error).__name__
            raise RefusalError(
                RefusalCode.UNAVAILABLE,
                f"the program of {SETTING}, {self._argv[0]}, did not {operation} a key: {why}",
                field=SETTING,
                hint="it reads JSON with operation and key, and answers JSON with key, in base64",
            ) from None


def held_keys() -> HeldKeys:
    """One key that is written down nowhere."""
    return HeldKeys("memory", (new_key(),), lambda _: None)


def open_wrap(text: str, *, home: Path, new: bool, environ: MutableMapping[str, str]) -> Wrap:
    """What a setting says: `file:PATH`, `env:NAME`, `command:PROGRAM ARGUMENTS`; empty is a file at `home`.

    A key file is made where it may be `new`. A variable is taken out of `environ`, as processes inherit that.
    Raises RefusalError.
    """
    if text.startswith(COMMAND):
        argv = tuple(shlex.split(text.removeprefix(COMMAND)))
        if not argv or not os.access(argv[0], os.X_OK):
            raise _refused("names no program that can be run", "write command:/path/of/program")
        return KeyCommand(argv)
    if text.startswith(VARIABLE):
        return _of_variable(text.removeprefix(VARIABLE), environ)
    if text and not text.startswith(FILE + "/"):
        hint = "write file:/path, env:GIGAWATT_NAME or command:/path/of/program"
        raise _refused("is not understood", hint)
    return _of_file(Path(text.removeprefix(FILE)) if text else home, new=new)


def _of_variable(name: str, environ: MutableMapping[str, str]) -> HeldKeys:
    if not name.startswith(VARIABLE_PREFIX):
        hint = f"{VARIABLE_PREFIX}SECRETS_KEY_VALUE, for example: such variables reach no rank"
        raise _refused(f"names a variable that does not begin with {VARIABLE_PREFIX}", hint)
    text = environ.pop(name, "")
    if not text:
        raise _refused(f"names the variable {name}, which is not set", "set it to 64 hex digits")
    return HeldKeys("variable", _parsed(text.split(","), name), None)


def _of_file(path: Path, *, new: bool) -> HeldKeys:
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise _refused(f"{path} can be read by others than its owner", f"chmod 600 {path}")
        keys = _parsed(path.read_text().split(), str(path))
    except FileNotFoundError:
        if not new:
            hint = "put it back; or remove the directory secrets, and set all secrets anew"
            detail = f"{path} is not there, and secrets are kept that only it opens"
            raise RefusalError(RefusalCode.NOT_FOUND, detail, field=SETTING, hint=hint) from None
        keys = (new_key(),)
        _write(path, keys)
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(f"{path} cannot be read", f"check its owner and mode: {error}") from error
    return HeldKeys("file", keys, lambda changed: _write(path, changed))


def _parsed(words: list[str], where: str) -> tuple[Key, ...]:
    try:
        keys = tuple(Key(bytes.fromhex(word)) for word in words)
    except ValueError:
        keys = ()
    if not keys or len(keys) > KEYS_MAX or any(len(key.raw) != KEY_BYTES for key in keys):
        hint = f"1 to {KEYS_MAX} keys of {2 * KEY_BYTES} hex digits, the one in use first"
        raise _refused(f"{where} holds no such keys", hint)
    return keys


def _write(path: Path, keys: tuple[Key, ...]) -> None:
    """The old content or the new, readable by its owner alone. Raises RefusalError."""
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part.unlink(missing_ok=True)
        file_fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file_fd, "w") as file:
            file.write("".join(f"{key.raw.hex()}\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        hint = "the key file, or its directory, cannot be written"
        raise _refused(f"{path} cannot be written: {error.strerror}", hint) from error


def _refused(detail: str, hint: str) -> RefusalError:
    return RefusalError(RefusalCode.INVALID, f"{SETTING}: {detail}", field=SETTING, hint=hint)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
