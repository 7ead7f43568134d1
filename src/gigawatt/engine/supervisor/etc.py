"""What walled attempts see of /etc: a directory of a node's, kept like the machine's own, and seen by all of them.

One mount in place of one for each file: bubblewrap looks through all that it has mounted after each. And what changes on
the machine (where names are asked for, above all) is seen by gangs that run already, once another starts.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from gigawatt.engine.supervisor.layout import write_whole

SOURCE = Path("/etc")
FILES = (
    "debian_version",
    "gai.conf",
    "host.conf",
    "hosts",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "locale.alias",
    "localtime",
    "magic",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "profile",
    "protocols",
    "resolv.conf",
    "rpc",
    "services",
    "timezone",
)
DIRECTORIES = (
    "OpenCL",
    "alternatives",
    "ca-certificates",
    "fonts",
    "ld.so.conf.d",
    "libibverbs.d",
    "pki",
    "ssl",
    "terminfo",
    "vulkan",
)
OWN = ("passwd", "group")  # of each attempt
FILE_BYTES_MAX = 8 << 20


def refresh(place: Path, source: Path = SOURCE) -> None:
    """Make `place` like `source`: its files, and where its directories and an attempt's own files go. Raises OSError."""
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o755)
    for name in OWN:
        if not (place / name).exists():
            write_whole(place / name, b"", mode=0o644)
            (place / name).chmod(0o644)
    for name in FILES:
        _copy(source / name, place / name)
    for name in DIRECTORIES:
        if (source / name).is_dir():
            (place / name).mkdir(exist_ok=True)
            (place / name).chmod(0o755)


def _copy(source: Path, copy: Path) -> None:
    """Only if it has changed. What cannot be read is not shown."""
    try:
        there = source.stat()
        if _same(there, copy):
            return
        data = source.read_bytes() if there.st_size <= FILE_BYTES_MAX else b""
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            copy.unlink()
        return
    fresh = copy.with_name(f".{copy.name}")
    write_whole(fresh, data)
    fresh.chmod(0o644)
    os.utime(fresh, ns=(there.st_atime_ns, there.st_mtime_ns))
    fresh.replace(copy)


def _same(there: os.stat_result, copy: Path) -> bool:
    try:
        here = copy.stat()
    except FileNotFoundError:
        return False
    return (here.st_size, here.st_mtime_ns) == (there.st_size, there.st_mtime_ns)
