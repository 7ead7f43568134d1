"""What one talks to in a rank's place: bytes both ways with back-pressure, and a command's life.

Writing returns when the other side has taken the bytes, so that nothing piles up here. Reading returns what is there,
and b"" at the end. Whatever breaks in between is an end: BrokenPipeError for a writer, b"" for a reader.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSize:
    """Of a terminal."""

    rows: int
    columns: int
    term: str = "xterm"  # what kind it is, as in TERM


class Source(Protocol):
    async def read(self, limit: int) -> bytes: ...


class Sink(Protocol):
    async def write(self, data: bytes) -> None:
        """Raises BrokenPipeError."""
        ...

    async def end(self) -> None:
        """Nothing more will be written. The other direction goes on."""
        ...


class ByteStream(Protocol):
    """A connection. `close` lets go of it at once."""

    async def read(self, limit: int) -> bytes: ...

    async def write(self, data: bytes) -> None: ...

    async def end(self) -> None: ...

    async def close(self) -> None: ...


class Attachment(Protocol):
    """A rank that one talks to. Without a terminal it has no `stdin`, and only hears signals."""

    @property
    def stdin(self) -> Sink | None: ...

    async def resize(self, window: WindowSize) -> None: ...

    async def signal(self, number: int) -> None: ...

    async def close(self) -> None: ...


class Command(Protocol):
    """A command that runs. With a terminal, `stderr` has nothing: all of it is on `stdout`."""

    @property
    def stdin(self) -> Sink: ...

    @property
    def stdout(self) -> Source: ...

    @property
    def stderr(self) -> Source: ...

    async def resize(self, window: WindowSize) -> None: ...

    async def signal(self, number: int) -> None:
        """To its foreground, or all of its process group."""
        ...

    async def wait(self) -> int:
        """Its exit code, negative for a signal's number. Raises BrokenPipeError where that cannot be known any more."""
        ...

    async def close(self) -> None:
        """End it and all that it started. Idempotent."""
        ...
