"""Why something waits, or how it failed."""

from collections.abc import Mapping
from dataclasses import dataclass

from gigawatt.service.ports import CheapestChange
from gigawatt.service.views.estimates import EstimateView
from gigawatt.service.views.jobs import EvidenceView, ReasonView


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationView:
    """Of a job that waits: reason, position, estimate, cheapest change. Of one that has failed: verdict, evidence."""

    job: str
    phase: str
    reason: ReasonView | None
    position: int | None
    estimate: EstimateView | None
    cheapest_change: Mapping[str, str] | None  # field, from, to, start
    verdict: str | None
    charged_to: str
    evidence: tuple[EvidenceView, ...]
    message: str


def change_fields(change: CheapestChange) -> dict[str, str]:
    """The change in the API's words, of which `from` is no name for a field in Python."""
    return {
        "field": change.field,
        "from": change.current,
        "to": change.proposed,
        "start": change.start,
    }
