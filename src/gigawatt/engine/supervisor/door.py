"""Where a supervisor of a whole node on another machine is found: one TCP port of one address, on record in `door`.

After a restart it is the same port if that is free, so that whoever knew it finds the next one too.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import NamedTuple

from gigawatt.engine.supervisor.layout import Layout, write_whole

NAME = "door"


class Door(NamedTuple):
    host: str
    port: int
    pid: int  # of the supervisor


def read_door(root: Path) -> Door | None:
    """Of the last supervisor of this directory that did not end by itself."""
    try:
        return Door(**json.loads((root / NAME).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def listen_at_door(layout: Layout, address: str) -> tuple[str, socket.socket]:
    """On that address alone. Raises OSError."""
    before = read_door(layout.root)
    listener = _listener(address, before.port if before else 0)
    port: int = listener.getsockname()[1]
    door = Door(address, port, os.getpid())
    write_whole(layout.root / NAME, json.dumps(door._asdict()).encode())
    return f"{address}:{port}", listener


def forget_door(layout: Layout) -> None:
    """It ended because it was told to: nobody need start it again."""
    (layout.root / NAME).unlink(missing_ok=True)


def _listener(address: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
    try:
        sock = socket.create_server((address, port), family=family)
    except OSError:
        if not port:
            raise
        sock = socket.create_server((address, 0), family=family)
    sock.settimeout(0)
    return sock
