"""The seal of a stored file: its XXH3, noted on it by the pass that proved its SHA-256.

Whoever is handed the open file checks a copy against the seal, in a tenth of the time that SHA-256 takes. It tells damage
and not malice, as whoever could change the file could change its seal. It is an attribute of the file, so it goes when the file does. A file has none where it is small, came in before there were
seals, or lies in a file system without attributes: then its SHA-256 is checked.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from xxhash import xxh3_128

from gigawatt.build.digest import PREFIX
from gigawatt.sdk.handoff import LEAST_BYTES, SEAL

ATTRIBUTE = "user.gigawatt.xxh3"
READ_BYTES = 1 << 20


def seal(fd: int, xxh3_hex: str) -> None:
    """Note it on an open file that can still be written to. No attributes, no seal."""
    if os.fstat(fd).st_size >= LEAST_BYTES:
        with suppress(OSError):
            os.setxattr(fd, ATTRIBUTE, xxh3_hex.encode())


def seal_of(fd: int) -> str:
    """64 hex digits; empty where the file has none."""
    try:
        noted = os.getxattr(fd, ATTRIBUTE).decode("ascii", "replace")
    except OSError:
        return ""
    return noted if SEAL.fullmatch(noted) else ""


def sums_of(path: Path) -> tuple[str, str]:
    """The digest and the XXH3 of a file's bytes, read once. Raises OSError."""
    sha256, quick = hashlib.sha256(), xxh3_128()
    buffer = memoryview(bytearray(READ_BYTES))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            sha256.update(buffer[:count])
            quick.update(buffer[:count])
    return PREFIX + sha256.hexdigest(), quick.hexdigest()
