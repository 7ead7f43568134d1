"""Digests: `sha256:` and 64 lower-case hex digits, the name of every artifact."""

import hashlib
import re
from pathlib import Path

from gigawatt.model.refusal import RefusalCode, RefusalError

PREFIX = "sha256:"
COPY_BYTES = 1 << 22
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def parse_digest(text: str, *, field: str = "digest") -> str:
    """The 64 hex digits of a digest. Raises RefusalError (invalid) naming `field`."""
    if DIGEST.fullmatch(text):
        return text.removeprefix(PREFIX)
    shown = text if len(text) <= 100 else text[:100] + "…"
    hint = "a digest is sha256: and 64 hex digits in lower case"
    if DIGEST.fullmatch(text.strip().lower()):
        hint = f"write {text.strip().lower()}"
    elif re.fullmatch("[0-9a-f]{64}", text):
        hint = f"write {PREFIX}{text}"
    raise RefusalError(RefusalCode.INVALID, f"{shown!r} is not a digest", field=field, hint=hint)


def digest_of(path: Path) -> str:
    """The digest of a file's bytes. Raises OSError."""
    with path.open("rb") as file:
        return PREFIX + hashlib.file_digest(file, "sha256").hexdigest()


def copy_checked(source: Path, target: Path, hex_digits: str) -> None:
    """Copy a file and hash what is copied. Raises RefusalError (digest-mismatch), OSError."""
    sha256 = hashlib.sha256()
    with source.open("rb") as reading, target.open("xb") as writing:
        while chunk := reading.read(COPY_BYTES):
            sha256.update(chunk)
            writing.write(chunk)
    if sha256.hexdigest() != hex_digits:
        raise mismatch(wanted=PREFIX + hex_digits, got=PREFIX + sha256.hexdigest())


def mismatch(*, wanted: str, got: str) -> RefusalError:
    """The refusal of bytes that are not what they were called."""
    return RefusalError(
        RefusalCode.DIGEST_MISMATCH,
        f"these bytes have the digest {got}, not {wanted}",
        field="digest",
        hint="they were damaged on the way, or the digest is of something else: send them again",
    )
