"""What happened, for people and programs that watch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`kind` is `subject.what`, e.g. `job.running`. `seq` is 0 until the store has given one."""

    at_ms: int
    kind: str
    tenant: str
    project: str
    subject: str  # the id of what it is about
    message: str = ""
    data: tuple[tuple[str, str], ...] = ()
    seq: int = 0
