"""What checks said of a node: each check's newest result, with its date."""

from dataclasses import dataclass
from enum import StrEnum

CHECKS_MAX = 64  # kept of one node


class Outcome(StrEnum):
    """As exit codes of check programs: 0, 1, and 2 or anything else."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """`detail` is the check's last line: what was measured, or what is to be done."""

    name: str
    outcome: Outcome
    at_ms: int
    detail: str = ""
    took_ms: int = 0


def merged(
    known: tuple[CheckResult, ...], newer: tuple[CheckResult, ...]
) -> tuple[CheckResult, ...]:
    """The newest of each name, sorted by name."""
    by_name = {each.name: each for each in (*known, *newer)}
    return tuple(by_name[name] for name in sorted(by_name))[:CHECKS_MAX]


def worst(results: tuple[CheckResult, ...]) -> CheckResult | None:
    """The first that failed, else the first that warned."""
    for outcome in (Outcome.FAIL, Outcome.WARN):
        for each in results:
            if each.outcome is outcome:
                return each
    return None
