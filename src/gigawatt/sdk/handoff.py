"""Files that change hands with an instance on this machine: an open file goes over a socket in place of its bytes.

The client opens what it sends, so the instance reads nothing that the client could not; the instance opens what it
gives. A message is one packet of JSON, with at most one open file beside it.
"""

import json
import os
import re
import socket
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gigawatt.sdk.errors import ApiError, problem_of

MESSAGE_BYTES_MAX = 64 * 1024
LEAST_BYTES = 1024 * 1024  # of a file: less is sooner sent
SILENCE_S = 120.0
CONNECT_S = 5.0
SEAL = re.compile(r"[0-9a-f]{32}")  # the XXH3, of 128 bits, of a stored file


class HandoffLostError(Exception):
    """The instance went away, or cannot be understood: the bytes can be sent instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """What the store has now, and whether it is new to the tenant."""

    digest: str
    size: int
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOut:
    """A stored file, open to be read, and its seal; that is empty where the instance has not noted it."""

    fd: int
    seal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Handoff:
    """The socket of an instance, and the key to it."""

    path: str
    token: str

    def hand_in(self, file: Path, *, project: str, tell: Callable[[int], None]) -> HandedIn:
        """Have a file stored. `tell` is told how many bytes are through.

        Raises OSError where it cannot be opened, ApiError, HandoffLostError.
        """
        with (
            file.open("rb") as source,
            self._asked({"op": "put", "project": project}, (source.fileno(),)) as connection,
        ):
            while True:
                answer, _ = _received(connection)
                if "through" not in answer:
                    break
                tell(answer["through"])
        return HandedIn(digest=answer["digest"], size=answer["size_bytes"], new=bool(answer["new"]))

    @contextmanager
    def taken_out(self, digest: str, name: str) -> Generator[TakenOut]:
        """One file of a stored tree, to read. Raises ApiError, HandoffLostError."""
        with self._asked({"op": "file", "digest": digest, "path": name}, ()) as connection:
            answer, descriptor = _received(connection)
            if descriptor is None:
                raise HandoffLostError("there was no file in the answer")
            try:
                noted = str(answer.get("seal", ""))
                yield TakenOut(fd=descriptor, seal=noted if SEAL.fullmatch(noted) else "")
            finally:
                os.close(descriptor)

    @contextmanager
    def _asked(
        self, request: Mapping[str, str], descriptors: tuple[int, ...]
    ) -> Generator[socket.socket]:
        message = json.dumps({"token": self.token, **request}).encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            try:
                connection.settimeout(CONNECT_S)
                connect(connection, Path(self.path))
                connection.settimeout(SILENCE_S)
                socket.send_fds(connection, [message], descriptors)
            except OSError as error:
                raise HandoffLostError(str(error)) from error
            yield connection


def connect(connection: socket.socket, path: Path) -> None:
    """Connect to a socket however long its path is. Raises OSError."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)


def _received(connection: socket.socket) -> tuple[dict[str, Any], int | None]:
    """One answer, and the open file that came with it. Raises ApiError for a problem, HandoffLostError."""
    try:
        data, descriptors, _, _ = socket.recv_fds(connection, MESSAGE_BYTES_MAX, 1)
        answer: dict[str, Any] = json.loads(data) if data else {}
    except (OSError, ValueError) as error:
        raise HandoffLostError(str(error)) from error
    descriptor = descriptors[0] if descriptors else None
    if answer and "problem" not in answer:
        return answer, descriptor
    if descriptor is not None:
        os.close(descriptor)
    if not answer:
        raise HandoffLostError("the instance went away")
    problem = answer["problem"]
    raise ApiError(problem_of(problem["status"], problem, ""))
