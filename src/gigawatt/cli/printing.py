"""Several ranks' output on one terminal: read side by side, printed by one thread, as bytes or line by line."""

import json
import queue
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import click

from gigawatt.cli.colour import painted

QUEUED_MAX = 256  # chunks that wait to be printed; then reading waits
_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "bright_red")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose output: one stream of one rank of one attempt."""

    attempt: int
    rank: int
    stream: str


Arrival = tuple[Origin, bytes | Exception | None]  # what was read, why not, or its end


class Printer(Protocol):
    def write(self, origin: Origin, chunk: bytes) -> None: ...

    def close(self) -> None:
        """Print what is left of unfinished lines."""
        ...


def byte_printer() -> Printer:
    """Bytes as they come: a rank's stdout to stdout, its stderr to stderr."""
    return _Bytes()


def line_printer(*, as_json: bool) -> Printer:
    """Whole lines, each with its rank, on stdout."""
    return _Lines(as_json=as_json)


def merged(readers: Mapping[Origin, Iterator[bytes]]) -> Iterator[tuple[Origin, bytes]]:
    """What all of them read, in the order in which it arrives. The first error ends it and is raised."""
    if len(readers) == 1:
        ((origin, reader),) = readers.items()
        for chunk in reader:
            yield origin, chunk
        return
    arrived: queue.Queue[Arrival] = queue.Queue(QUEUED_MAX)
    for origin, reader in readers.items():
        # Daemons: when printing ends early, nothing waits for what is still to be read.
        threading.Thread(target=_copy, args=(origin, reader, arrived), daemon=True).start()
    left = len(readers)
    while left:
        origin, chunk = arrived.get()
        if chunk is None:
            left -= 1
        elif isinstance(chunk, Exception):
            raise chunk
        else:
            yield origin, chunk


def _copy(
    origin: Origin,
    reader: Iterator[bytes],
    arrived: "queue.Queue[Arrival]",
) -> None:
    try:
        for chunk in reader:
            arrived.put((origin, chunk))
    except Exception as error:  # noqa: BLE001 - carried to the thread that prints, which raises it
        arrived.put((origin, error))
    else:
        arrived.put((origin, None))


class _Bytes:
    def write(self, origin: Origin, chunk: bytes) -> None:
        stream = sys.stderr if origin.stream == "stderr" else sys.stdout
        stream.buffer.write(chunk)
        stream.buffer.flush()

    def close(self) -> None:
        pass


@dataclass(slots=True, kw_only=True)
class _Lines:
    as_json: bool
    begun: dict[Origin, bytes] = field(default_factory=dict[Origin, bytes])

    def write(self, origin: Origin, chunk: bytes) -> None:
        *lines, rest = (self.begun.get(origin, b"") + chunk).split(b"\n")
        self.begun[origin] = rest
        for line in lines:
            self._print(origin, line)
        sys.stdout.flush()

    def close(self) -> None:
        for origin, rest in self.begun.items():
            if rest:
                self._print(origin, rest)
        self.begun.clear()

    def _print(self, origin: Origin, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        if self.as_json:
            named = {"attempt": origin.attempt, "rank": origin.rank, "stream": origin.stream}
            click.echo(json.dumps({**named, "line": text}, ensure_ascii=False))
            return
        mark = painted(f"{origin.rank} │", _COLOURS[origin.rank % len(_COLOURS)])
        click.echo(f"{mark} {text}")
