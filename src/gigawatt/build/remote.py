"""Where artifacts are kept beyond this machine's disk, by URL: a shared directory, or S3-compatible storage.

What is there is named by its digest and never changes. A remote checks bytes on their way in; on their way out whoever
fetches them does, against the digest.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from gigawatt.build.incoming import place_of
from gigawatt.build.room import room_needed
from gigawatt.model.refusal import RefusalCode, RefusalError

FIELD = "artifacts_url"
SCHEMES = ("s3", "file")
OWNER = ".gigawatt-owner"
OWNER_BYTES_MAX = 256
CHUNK_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A file of a remote, and when it came there."""

    hex_digits: str
    size_bytes: int
    modified_ms: int


class Remote(Protocol):
    """Files by the hex digits of their digest. Calls block; any thread may make them.

    All raise RefusalError (unavailable), in words that name the place and no secret.
    """

    @property
    def url(self) -> str:
        """Where it is, for people and for comparing; holds no secret."""
        ...

    def check(self) -> None:
        """Prove that it can be written and read, and leave nothing there."""
        ...

    def has(self, hex_digits: str) -> bool: ...

    def send(self, hex_digits: str, path: Path) -> None:
        """Keep the file at `path`. It is there, whole and durable, when this returns, and not there when it raises."""
        ...

    def chunks(self, hex_digits: str) -> Iterator[bytes]:
        """The file's bytes in order, as they are there. Raises RefusalError (not-found) before the first."""
        ...

    def remove(self, hex_digits: str) -> None:
        """It is not there any more, whether or not it was."""
        ...

    def listed(self) -> Iterator[Listed]:
        """Everything that is there, each once."""
        ...

    def owner(self) -> str:
        """Whose place it is, as `own` left it; empty where nobody said."""
        ...

    def own(self, owner: str) -> None: ...

    def sweep(self) -> int:
        """Take back what sends that were killed left half done there; how many."""
        ...


def open_remote(url: str, *, credentials: str, state: Path) -> Remote | None:
    """What an `artifacts_url` names; None for an empty one, which is this machine's disk alone. Touches nothing yet.

    `credentials` is a file in the form of AWS's, `state` a directory for what must be remembered between starts.
    Raises RefusalError (invalid, unsupported).
    """
    if not url:
        return None
    check_url(url)
    if url.startswith("file:"):
        return SharedDirectory(Path(unquote(urlsplit(url).path)))
    from gigawatt.build.s3 import open_s3  # only where it is used

    return open_s3(url, credentials=credentials, state=state)


def check_url(url: str) -> None:
    """Refuse what is no place for artifacts, and a secret in a URL. Raises RefusalError (invalid)."""
    try:
        parts = urlsplit(url)
        secret = "@" in parts.netloc or bool(parts.password)
    except ValueError as error:
        raise _invalid("it is no URL") from error
    if secret:
        raise _invalid("it has a user name or a password in it", "use artifacts_credentials")
    if parts.scheme not in SCHEMES:
        raise _invalid(f"its scheme is {parts.scheme[:20]!r}")
    if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
        raise _invalid("a directory is named by its absolute path", "like file:///shared/artifacts")
    if parts.scheme == "s3" and not parts.netloc:
        raise _invalid("it names no bucket", "like s3://bucket/prefix")


class SharedDirectory:
    """A directory that is mounted where it is needed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def url(self) -> str:
        return f"file://{self._root}"

    def check(self) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._root):
                pass
        except OSError as error:
            raise self._unavailable(error) from error

    def has(self, hex_digits: str) -> bool:
        try:
            return place_of(self._root, hex_digits).exists()
        except OSError as error:
            raise self._unavailable(error) from error

    def send(self, hex_digits: str, path: Path) -> None:
        place = place_of(self._root, hex_digits)
        try:
            with room_needed(self._root):
                self._put(path, place)
        except OSError as error:
            raise self._unavailable(error) from error

    def chunks(self, hex_digits: str) -> Iterator[bytes]:
        try:
            with place_of(self._root, hex_digits).open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        except FileNotFoundError as error:
            raise lost(self.url, hex_digits) from error
        except OSError as error:
            raise self._unavailable(error) from error

    def remove(self, hex_digits: str) -> None:
        try:
            place_of(self._root, hex_digits).unlink(missing_ok=True)
        except OSError as error:
            raise self._unavailable(error) from error

    def listed(self) -> Iterator[Listed]:
        try:
            for path in sorted((self._root / "sha256").glob("??/*")):
                status = path.stat()
                yield Listed(
                    hex_digits=path.name,
                    size_bytes=status.st_size,
                    modified_ms=status.st_mtime_ns // 1_000_000,
                )
        except OSError as error:
            raise self._unavailable(error) from error

    def owner(self) -> str:
        try:
            if not self._root.is_dir():
                raise FileNotFoundError(2, "there is no such directory")
            path = self._root / OWNER
            return path.read_text()[:OWNER_BYTES_MAX].strip() if path.exists() else ""
        except OSError as error:
            raise self._unavailable(error) from error

    def own(self, owner: str) -> None:
        try:
            (self._root / OWNER).write_text(owner)
        except OSError as error:
            raise self._unavailable(error) from error

    def sweep(self) -> int:
        """Files here are renamed when they are whole; what was killed cannot be told from what others write now."""
        return 0

    def _put(self, path: Path, place: Path) -> None:
        incoming = self._root / "incoming"
        for directory in (incoming, place.parent):
            directory.mkdir(parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(dir=incoming)
        try:
            with os.fdopen(fd, "wb") as target, path.open("rb") as source:
                shutil.copyfileobj(source, target, CHUNK_BYTES)
                target.flush()
                os.fchmod(target.fileno(), 0o444)
                os.fsync(target.fileno())
            Path(name).rename(place)
        finally:
            Path(name).unlink(missing_ok=True)

    def _unavailable(self, error: OSError) -> RefusalError:
        return RefusalError(
            RefusalCode.UNAVAILABLE,
            f"the artifacts in {self._root} cannot be reached: {error.strerror}",
            field=FIELD,
            hint="see that it is mounted, and that this user can write to it",
        )


def lost(url: str, hex_digits: str) -> RefusalError:
    """The refusal of what the remote does not have."""
    return RefusalError(
        RefusalCode.NOT_FOUND,
        f"there is no artifact sha256:{hex_digits} in {url}",
        field="digest",
        hint="store it first",
    )


def _invalid(problem: str, hint: str = "") -> RefusalError:
    return RefusalError(
        RefusalCode.INVALID,
        f"artifacts_url cannot be used: {problem}",
        field=FIELD,
        hint=hint or "it is like s3://bucket/prefix or file:///shared/artifacts, or empty",
    )
