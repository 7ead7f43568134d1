"""What came of the attacks."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Seen = Literal["contained", "open", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`broken` is an attack that said nothing: neither is known then."""

    name: str
    expected: Literal["contained", "open"]
    seen: Seen
    evidence: str

    @property
    def result(self) -> str:
        if self.seen == self.expected:
            return self.seen
        return "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    isolation: str
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        """Each ended as it is written that it does."""
        return all(each.seen == each.expected for each in self.outcomes)

    def as_json(self) -> dict[str, Any]:
        return {
            "isolation": self.isolation,
            "passed": self.passed,
            "attacks": [{**asdict(each), "result": each.result} for each in self.outcomes],
        }
