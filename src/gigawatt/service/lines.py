"""Lines out of pieces of a log, each with where it ends, so that reading can go on after it."""

from dataclasses import dataclass, field

LINE_BYTES_MAX = 65_536  # a longer line is told in pieces of this size


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """`offset` is where the next line of attempt `attempt` begins. Without its line end."""

    attempt: int
    offset: int
    line: bytes


@dataclass(slots=True, kw_only=True)
class LogLines:
    """What has come of a line that has not ended yet, and where that was."""

    attempt: int = 0
    end: int = 0
    begun: bytearray = field(default_factory=bytearray)

    def take(self, attempt: int, offset: int, data: bytes) -> tuple[LogLine, ...]:
        """The lines that end in `data`. What was begun ends where another attempt or a gap follows."""
        ended = self.rest() if (attempt, offset) != (self.attempt, self.end) else ()
        self.attempt, self.end = attempt, offset + len(data)
        at = offset - len(self.begun)
        *whole, begun = bytes(self.begun + data).split(b"\n")
        found: list[LogLine] = list(ended)
        for line in whole:
            found += self._cut(line, at)
            at += len(line) + 1
        self.begun = bytearray(begun)
        if len(begun) >= LINE_BYTES_MAX:
            found += self.rest()
        return tuple(found)

    def rest(self) -> tuple[LogLine, ...]:
        """What was begun, as it is."""
        line = bytes(self.begun)
        self.begun = bytearray()
        return tuple(self._cut(line, self.end - len(line), ended=False)) if line else ()

    def _cut(self, line: bytes, at: int, *, ended: bool = True) -> list[LogLine]:
        starts = range(0, max(len(line), 1), LINE_BYTES_MAX)
        cuts = [line[start : start + LINE_BYTES_MAX] for start in starts]
        found: list[LogLine] = []
        for number, cut in enumerate(cuts, start=1):
            at += len(cut) + (1 if ended and number == len(cuts) else 0)
            found.append(LogLine(attempt=self.attempt, offset=at, line=cut.removesuffix(b"\r")))
        return found
