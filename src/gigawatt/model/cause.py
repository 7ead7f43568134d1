"""Where a job came from, if not from a file or a command: the schedule that fired, the template that was filled in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Names, as they were then. `due_ms` is the time that the schedule was due at; 0 where a person had it run."""

    schedule: str = ""
    schedule_id: str = ""
    due_ms: int = 0
    template: str = ""
    template_number: int = 0
    parameters: tuple[tuple[str, str], ...] = ()  # as they are written in text, sorted by name
