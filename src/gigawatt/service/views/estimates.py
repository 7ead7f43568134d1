"""When something that waits will start."""

from dataclasses import dataclass

from gigawatt.scheduler.scores import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateView:
    """Milliseconds since the epoch by which it starts, with a probability of one half and of nine tenths."""

    p50: int
    p90: int


def estimate_view(estimate: Estimate | None) -> EstimateView | None:
    """None where nothing is known."""
    return None if estimate is None else EstimateView(p50=estimate.p50_ms, p90=estimate.p90_ms)
