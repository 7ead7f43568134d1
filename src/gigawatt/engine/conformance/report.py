"""The outcome of a conformance run."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Result = Literal["passed", "failed", "unsupported"]


class CaseFailedError(Exception):
    """The engine did not do what the case asks."""


class UnsupportedError(Exception):
    """The engine does not claim what the case is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`evidence` is one sentence: what was seen, with figures where there are any."""

    name: str
    result: Result
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    engine: str
    cases: tuple[Case, ...]

    @property
    def passed(self) -> bool:
        return all(case.result != "failed" for case in self.cases)

    def as_json(self) -> dict[str, Any]:
        return {
            "engine": self.engine,
            "passed": self.passed,
            "cases": [asdict(case) for case in self.cases],
        }
