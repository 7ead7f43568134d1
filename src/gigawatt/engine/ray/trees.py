"""Files and directories that nodes without our file system are sent, at the paths that they have here, and what comes back.

Bytes go by a connection of their own, past the link: a file of 100 GB holds up no stop. What was sent before a connection
broke is not sent again.
"""

import asyncio
import os
import socket
from collections import defaultdict
from pathlib import Path

from gigawatt.engine.local.far_talks import taken
from gigawatt.engine.local.launching import Part
from gigawatt.engine.local.link import Message, RefusedError
from gigawatt.engine.ray.fleet import Fleet
from gigawatt.engine.supervisor.parcel import state_of, unpack_parcel, write_parcel
from gigawatt.engine.supervisor.workdir import remove_tree

UNPACK_S = 3_600.0  # for a node to verify and lay out what has come
SILENT_S = 120.0  # without a byte, a connection is given up
CHUNK_BYTES = 1 << 20
COMING = "coming"
MANAGED = "cpython-"  # of an interpreter that uv has put beside the environments


class Trees:
    def __init__(self, fleet: Fleet, root: Path) -> None:
        self._fleet = fleet
        self._coming = root / COMING
        self._locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def carry(self, node: str, path: str) -> None:
        """Have what is at `path` here at the same path there; once, also when many ask.

        Raises OSError, LinkLostError, RefusedError, StaleEpochError.
        """
        name, size = await asyncio.to_thread(state_of, Path(path))
        async with self._locks[node, path]:
            for anew in (False, True):
                if (await self._ask(node, "tree", digest=name, path=path))["whole"]:
                    return
                given = await self._ask(node, "tree-take", digest=name, size=size, anew=anew)
                (fd,) = await taken(self._fleet.access(node).place, given["tickets"])
                await asyncio.to_thread(_send, fd, Path(path), skip=int(given["bytes"]))
                try:
                    await self._ask(node, "tree-whole", digest=name, path=path, timeout_s=UNPACK_S)
                except RefusedError:
                    if anew:
                        raise  # what had come before was of another time, but this was not
                else:
                    return

    async def bring(self, node: str, path: str) -> bool:
        """Have what is at `path` there here too, beside what is here already; False where it has nothing.

        Raises OSError, LinkLostError, RefusedError, StaleEpochError.
        """
        async with self._locks[node, path]:
            part = self._coming / f"{node}-{_name(path)}"
            for anew in (False, True):
                skip = await asyncio.to_thread(_begun, part, anew=anew)
                try:
                    given = await self._ask(node, "tree-give", path=path, skip=skip)
                except RefusedError as error:
                    if error.code == "unknown":
                        return False
                    raise
                (fd,) = await taken(self._fleet.access(node).place, given["tickets"])
                await asyncio.to_thread(_receive, fd, part)
                try:
                    await asyncio.to_thread(_lay_beside, part, Path(path), node)
                except OSError:
                    if anew:
                        raise
                else:
                    return True
        return False

    async def _ask(self, node: str, verb: str, **fields: object) -> Message:
        return await self._fleet.ask(node, verb, **fields)


def needed(part: Part) -> tuple[str, ...]:
    """What a node's part of a launch names of what is here: its environment, weights, data, and what it resumes from. Blocks."""
    environment = part["environment"]
    paths = [part["model_path"], part["resume_path"]]
    paths += [volume["source"] for volume in part["volumes"]]
    if environment:
        home = Path(environment, "bin", "python").resolve().parent.parent
        paths += [str(home)] if home.name.startswith(MANAGED) else []
        paths.append(environment)
    return tuple(path for path in dict.fromkeys(paths) if path and os.path.lexists(path))


def _send(fd: int, path: Path, *, skip: int) -> None:
    """Returns when the other end has all of it on its disk. Raises OSError."""
    with socket.socket(fileno=fd) as sock:
        sock.settimeout(SILENT_S)
        write_parcel(path, sock.sendall, skip=skip)
        sock.shutdown(socket.SHUT_WR)
        if sock.recv(1):
            raise OSError("the node said something where there is nothing to say")


def _receive(fd: int, part: Path) -> None:
    with socket.socket(fileno=fd) as sock, part.open("ab") as file:
        sock.settimeout(SILENT_S)
        while data := sock.recv(CHUNK_BYTES):
            file.write(data)


def _begun(part: Path, *, anew: bool) -> int:
    part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if anew:
        part.unlink(missing_ok=True)
    return part.stat().st_size if part.exists() else 0


def _lay_beside(part: Path, path: Path, node: str) -> None:
    """Verify what has come, and put at `path` what is not there yet. Raises OSError."""
    fresh = path.with_name(f".{path.name}.from-{node}")
    try:
        unpack_parcel(part, fresh)
    finally:
        part.unlink()
    if not os.path.lexists(path):
        fresh.rename(path)
        return
    _move_missing(fresh, path)
    if fresh.is_dir() and not fresh.is_symlink():
        remove_tree(fresh)
    else:
        fresh.unlink()


def _move_missing(source: Path, target: Path) -> None:
    if not source.is_dir() or source.is_symlink():
        return
    for each in sorted(source.iterdir()):
        there = target / each.name
        if not os.path.lexists(there):
            each.rename(there)
        else:
            _move_missing(each, there)


def _name(path: str) -> str:
    """A file name for a path."""
    return "".join(each if each.isalnum() else "_" for each in path)[-200:]
