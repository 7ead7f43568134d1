"""What goes over a connection to a rank: bytes on channels as binary messages, everything else as JSON in text messages.

A binary message is the number of its channel and then bytes; without bytes it is the end of that channel. Each side may
send as much on a channel as the other has room for, and hears of new room when what it sent was taken: so both sides
always read, and neither holds more than `ROOM_BYTES`.

| from | text message | means |
|---|---|---|
| client | `{"start": {…}}` | first, for a command: what to run, and the window of its terminal |
| server | `{"started": {…}}` | it runs, or the port is connected |
| both | `{"taken": {"channel": 1, "bytes": 4096}}` | there is room for so many more |
| client | `{"window": {"rows": 24, "columns": 80}}` | the window's new size |
| client | `{"signal": "INT"}` | for its foreground |
| server | `{"exited": {"code": 0}}` | the command has ended; negative is a signal's number |
| server | `{"problem": {…}}` | it failed (RFC 9457); the close code is 4000 and the status |
"""

import json
from collections import deque
from dataclasses import dataclass
from typing import Any, cast

INPUT, OUTPUT, ERRORS = 0, 1, 2  # channels: to what one talks to, from it, and its stderr
CHANNELS = 3
COPY = "gigawatt-copy"  # a command that every rank has beside it: gigawatt.rank.copy

ROOM_BYTES = 4 << 20
FRAME_BYTES = 256 << 10
TAKEN_BYTES = ROOM_BYTES // 4  # room is told of in such portions
TEXT_BYTES_MAX = 256 << 10  # of a text message; a command is in one
MESSAGE_BYTES_MAX = FRAME_BYTES + TEXT_BYTES_MAX

CLOSE_DONE = 1000
CLOSE_GOING = 1012  # the control plane is being restarted
CLOSE_PROBLEM = 4000  # and the status of the problem
REASON_BYTES_MAX = 120
SIGNALS = {"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "USR2": 12, "TERM": 15}


class TalkError(Exception):
    """The other side does not keep to the protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One text message: its one name, and what goes with it."""

    name: str
    fields: dict[str, Any]

    def number(self, name: str) -> int:
        """Raises TalkError."""
        value = self.fields.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise TalkError(f"{self.name}.{name} is not a number")
        return value


def text_of(name: str, fields: Any) -> str:
    return json.dumps({name: fields}, ensure_ascii=False)


def parse_text(text: str) -> Message:
    """Raises TalkError."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise TalkError("a text message is not JSON") from None
    if not isinstance(raw, dict) or len(cast("dict[str, Any]", raw)) != 1:
        raise TalkError("a text message has not one name")
    ((name, value),) = cast("dict[str, Any]", raw).items()
    fields = cast("dict[str, Any]", value) if isinstance(value, dict) else {"value": value}
    return Message(name=name, fields=fields)


def frame(channel: int, data: bytes) -> bytes:
    return bytes((channel,)) + data


def parse_frame(message: bytes) -> tuple[int, bytes]:
    """The channel and its bytes; none at its end. Raises TalkError."""
    if not message or message[0] >= CHANNELS:
        raise TalkError("a binary message has no channel")
    return message[0], message[1:]


class Room:
    """How much the other side can still take on one channel."""

    def __init__(self) -> None:
        self.bytes = ROOM_BYTES

    def use(self, count: int) -> None:
        assert 0 <= count <= self.bytes
        self.bytes -= count

    def gain(self, count: int) -> None:
        """Raises TalkError for more than was ever used."""
        if not 0 < count <= ROOM_BYTES - self.bytes:
            raise TalkError(f"room for {count} bytes was never used")
        self.bytes += count


class Inbox:
    """What has come on one channel and was not taken yet."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._held = 0  # bytes that came and are not told to be taken
        self._taken = 0
        self.ended = False

    def add(self, data: bytes) -> None:
        """Nothing is the end. Raises TalkError for more than there was room for."""
        if self.ended:
            raise TalkError("a channel goes on after its end")
        self._held += len(data)
        if self._held > ROOM_BYTES:
            raise TalkError("more was sent than there is room for")
        if data:
            self._waiting.append(data)
        self.ended = not data

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def take(self, limit: int = 0) -> bytes:
        """What came first, with what came after it up to `limit` bytes together."""
        parts = [self._waiting.popleft()]
        size = len(parts[0])
        while self._waiting and size + len(self._waiting[0]) <= limit:
            parts.append(self._waiting.popleft())
            size += len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def taken(self, count: int) -> int:
        """So much has been passed on; how much room to tell of, 0 for none yet."""
        self._taken += count
        if self._taken < TAKEN_BYTES:
            return 0
        told, self._taken = self._taken, 0
        self._held -= told
        return told
