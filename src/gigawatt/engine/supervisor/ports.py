"""Ports for rendezvous and replicas: allocated for an attempt's life, so that no two gangs of a machine collide.

A port is ours while we hold the lock on its file, in one directory for all instances of a user on this machine. The
range lies below the one from which the kernel takes ports for outgoing connections, so that nothing else is given one
by chance; a bind test sees whoever uses it without asking.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path
from typing import NamedTuple

RANGE_SIZE = 12_000
LOWEST = 1024


class NoPortError(Exception):
    """Every port of the range is taken."""


class HeldPort(NamedTuple):
    number: int
    lock: int  # the descriptor that holds it

    def free(self) -> None:
        os.close(self.lock)


def runtime_dir() -> Path:
    """A directory of this user on this machine, the same for every instance; 0700, and ours. Raises OSError."""
    run = Path(f"/run/user/{os.getuid()}")
    path = (
        run / "gigawatt"
        if os.access(run, os.W_OK | os.X_OK)
        else Path("/tmp") / f"gigawatt-{os.getuid()}"  # noqa: S108 - made 0700 and checked to be ours
    )
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077 or path.is_symlink():
        raise PermissionError(errno.EPERM, "not a private directory of this user", str(path))
    return path


def port_range(ephemeral: str) -> range:
    """Where to allocate, given the content of `ip_local_port_range`."""
    low, high = (int(word) for word in ephemeral.split())
    if low - LOWEST >= 1000:
        return range(max(LOWEST, low - RANGE_SIZE), low)
    if 65535 - high >= 1000:
        return range(high + 1, min(65536, high + 1 + RANGE_SIZE))
    return range(20_000, 32_000)


class Ports:
    """`start` is where this node begins to look; another for each node, so that they seldom meet."""

    def __init__(self, directory: Path, *, start: int) -> None:
        self._directory = directory
        self._next = start

    def allocate(self) -> HeldPort:
        """Raises NoPortError, or OSError where locks cannot be written."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        ports = port_range(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text())
        for _ in ports:
            number = ports[self._next % len(ports)]
            self._next += 1
            lock = self._lock(number)
            if lock is None:
                continue
            if _bindable(number):
                return HeldPort(number, lock)
            os.close(lock)
        raise NoPortError(f"no port is free from {ports[0]} to {ports[-1]}")

    def _lock(self, number: int) -> int | None:
        path = self._directory / str(number)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return fd


def _bindable(number: int) -> bool:
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104 - any address must be free
        try:
            with socket.socket(family, socket.SOCK_STREAM) as sock:
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind((address, number))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
    return True
