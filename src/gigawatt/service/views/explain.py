"""Why something waits, or how it failed."""

from collections.abc import Mapping
from dataclasses import dataclass

from gigawatt.ledger.intervals import Advice
from gigawatt.service.ports import CheapestChange
from gigawatt.service.views.deadlines import DeadlineView
from gigawatt.service.views.estimates import EstimateView
from gigawatt.service.views.jobs import EvidenceView, ReasonView


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceView:
    """How often a job saves and how often it should: seconds, and shares of its time that go to saving and redoing."""

    interval_s: float
    cost_s: float
    mttf_s: float
    restart_s: float
    best_s: float
    waste: float
    best_waste: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationView:
    """Of a job that waits: reason, position, estimate, cheapest change. Of one that has failed: verdict, evidence.

    The verdict is of `attempt`, the last that has one; what is known of the one that runs now follows in the evidence.
    """

    job: str
    phase: str
    reason: ReasonView | None
    position: int | None
    estimate: EstimateView | None
    deadline: DeadlineView | None
    cheapest_change: Mapping[str, str] | None  # field, from, to, start
    attempt: int | None
    verdict: str | None
    charged_to: str
    evidence: tuple[EvidenceView, ...]
    message: str
    checkpoint_advice: AdviceView | None


def advice_view(advice: Advice) -> AdviceView:
    return AdviceView(
        interval_s=advice.interval_ms / 1_000,
        cost_s=advice.cost_ms / 1_000,
        mttf_s=advice.mttf_ms / 1_000,
        restart_s=advice.restart_ms / 1_000,
        best_s=advice.best_ms / 1_000,
        waste=round(advice.waste, 4),
        best_waste=round(advice.best_waste, 4),
    )


def change_fields(change: CheapestChange) -> dict[str, str]:
    """The change in the API's words, of which `from` is no name for a field in Python."""
    return {
        "field": change.field,
        "from": change.current,
        "to": change.proposed,
        "start": change.start,
    }
