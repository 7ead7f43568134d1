"""What is told of a foreign file while it is read: keys without a counterpart, and mistakes with their place."""

from dataclasses import dataclass

from gigawatt.model.refusal import RefusalCode, RefusalError


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One key of the foreign file that is not carried over as it stands. `line` is 0 for the file as a whole."""

    key: str
    line: int
    detail: str
    advice: str = ""


class Findings:
    """Notes in the order in which they were found, and refusals that name file and line."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._notes: list[Note] = []

    @property
    def notes(self) -> tuple[Note, ...]:
        """By line, then as found."""
        return tuple(sorted(self._notes, key=lambda note: note.line))

    def note(self, key: str, line: int, detail: str, advice: str = "") -> None:
        self._notes.append(Note(key=key, line=line, detail=detail, advice=advice))

    def refusal(
        self,
        key: str,
        line: int,
        detail: str,
        hint: str = "",
        *,
        code: RefusalCode = RefusalCode.INVALID,
    ) -> RefusalError:
        """An error for the caller to raise; `detail` follows the key."""
        at = f"{self.source}:{line}" if line else self.source
        return RefusalError(code, f"{at}: {key} {detail}".rstrip(), field=key, hint=hint)
