"""Talks that are open, within a limit, and their traces in the events: who did what beside which rank."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from gigawatt import clock
from gigawatt.model.command import NoteAccess
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service.ports import Leader

OPEN_MAX = 256  # in one process of the API
SAME_MS = 600_000  # connections of one caller to one port are one access in this time
KNOWN_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """`verb` is exec, copy, attach or port_forward; `what` is said of it, with no more of a command than its name."""

    by: str
    gang: str
    rank: int
    verb: str
    what: str
    again: bool = True  # every one of them is on record, and not only the first of many


class Accesses:
    """How many are open, and which were noted lately."""

    def __init__(self) -> None:
        self.open = 0
        self._noted_ms: dict[Access, int] = {}

    @contextmanager
    def one(self) -> Generator[None]:
        """One more that is open. Raises RefusalError (limit)."""
        if self.open >= OPEN_MAX:
            detail = f"{self.open} connections to ranks are open already, which is the limit"
            raise RefusalError(RefusalCode.LIMIT, detail, hint="close some, then try again")
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    async def note(self, leader: Leader, access: Access) -> None:
        """Put it on record before it happens. Raises RefusalError."""
        now_ms = clock.now_ms()
        if not access.again and now_ms - self._noted_ms.get(access, 0) < SAME_MS:
            return
        command = NoteAccess(
            gang=access.gang, rank=access.rank, by=access.by, verb=access.verb, what=access.what
        )
        await leader.submit(command, receipt=None)
        if not access.again:
            if len(self._noted_ms) >= KNOWN_MAX:
                self._noted_ms.clear()
            self._noted_ms[access] = now_ms
