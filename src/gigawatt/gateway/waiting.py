"""What a client is told of its place in line: in headers, and in comments of a stream, which clients pass over."""

import math

from gigawatt.gateway.client import ClientConnection
from gigawatt.gateway.errors import ErrorReply
from gigawatt.gateway.relay import EVENT_STREAM
from gigawatt.gateway.tally import Tally
from gigawatt.gateway.usage import Usage

Lines = list[bytes]


class Wait:
    """Of one request: for its turn, and for its reply. Times are on the monotonic clock."""

    __slots__ = (
        "expected_s",
        "first_s",
        "joined_s",
        "position",
        "sent_s",
        "streams",
        "told_s",
        "waited_s",
    )

    def __init__(self, *, streams: bool) -> None:
        self.streams = streams
        self.sent_s = 0.0  # when it was sent to a replica
        self.first_s = 0.0  # when the reply began
        self.position = 0  # in line when it joined, from 1; 0 if it never waited
        self.expected_s: float | None = None  # as it was when it joined
        self.waited_s = 0.0
        self.joined_s = 0.0
        self.told_s = 0.0  # when its client last heard of the line

    def answered(self, tally: Tally, usage: Usage | None, *, now_s: float) -> None:
        """The reply is whole: count how long it took."""
        streamed_s = now_s - self.first_s if self.streams else 0.0
        tally.answered(usage, now_s - self.sent_s, streamed_s)

    def lines(self) -> Lines:
        """Header lines."""
        if not self.position:
            return []
        told = [
            b"x-gigawatt-queue-position: %d\r\n" % self.position,
            b"x-gigawatt-queue-wait-ms: %d\r\n" % round(self.waited_s * 1000),
        ]
        if self.expected_s is not None:
            told.append(b"x-gigawatt-queue-expected-ms: %d\r\n" % round(self.expected_s * 1000))
        return told


def tell(
    client: ClientConnection, lines: Lines, *, position: int, expected_s: float | None
) -> None:
    """A comment in the stream, which is begun with `lines` if it was not."""
    if not client.begun:
        head = [client.date_line(), b"content-type: %b\r\n" % EVENT_STREAM, *lines]
        client.begin(200, head, None)
    told = "" if expected_s is None else f", expected wait {math.ceil(expected_s)} s"
    client.send(f": position {position}{told}\n\n".encode())


def end_in_stream(client: ClientConnection, error: ErrorReply) -> None:
    """End a stream, in which there were only comments yet, with an error."""
    client.close_after()
    client.send(error.event())
    client.end()
