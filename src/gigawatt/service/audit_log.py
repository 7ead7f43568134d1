"""Notes on their way to the audit record that no write carries there: of the same kind they are counted together."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gigawatt.model.audit import DETAIL_CHARS_MAX, AuditNote

GATHER_S = 0.5
KINDS_MAX = 1_000  # of notes that are gathered; beyond, only how many there were is kept
Put = Callable[[tuple[AuditNote, ...]], None]


@dataclass(slots=True, kw_only=True)
class AuditLog:
    """`put` has them written with the next commit. Used from the loop's thread alone."""

    put: Put
    _notes: dict[AuditNote, int] = field(default_factory=dict[AuditNote, int])
    _first_ms: dict[AuditNote, int] = field(default_factory=dict[AuditNote, int])
    _lost: int = 0

    def record(self, note: AuditNote) -> None:
        """Have a note put on record soon. It must hold no secret."""
        kind = replace(note, at_ms=0, count=1, detail=note.detail[:DETAIL_CHARS_MAX])
        if kind not in self._notes and len(self._notes) >= KINDS_MAX:
            self._lost += note.count
            return
        if not self._notes:
            asyncio.get_running_loop().call_later(GATHER_S, self.flush)
        self._first_ms.setdefault(kind, note.at_ms)
        self._notes[kind] = self._notes.get(kind, 0) + note.count

    def flush(self) -> None:
        """Put on record what is gathered."""
        if not self._notes:
            return
        notes = [
            replace(kind, at_ms=self._first_ms[kind], count=count)
            for kind, count in self._notes.items()
        ]
        if self._lost:
            last = replace(notes[-1], count=self._lost, verb="audit.more", detail="of many kinds")
            notes.append(replace(last, actor="", user="", key="", address="", tenant=""))
        self._notes, self._first_ms, self._lost = {}, {}, 0
        self.put(tuple(notes))
