"""Between what is written of an endpoint's rollouts and the model's values."""

from itertools import pairwise
from typing import Any

from gigawatt.model.refusal import Fault
from gigawatt.model.rollout import RolloutPlan
from gigawatt.spec.endpoint_form import RolloutForm

PERCENT = 100
MILLI = 1000


def rollout_of(form: RolloutForm) -> RolloutPlan:
    """What is written, as it is decided by."""
    return RolloutPlan(
        strategy=form.strategy,
        steps=tuple(form.steps),
        pause_s=form.pause,
        bake_s=form.bake,
        start_s=form.start,
        more_errors_milli=round(form.errors * MILLI),
        slower_percent=round(form.latency * PERCENT),
        requests_min=form.requests,
        no_room=form.no_room,
        drain_s=form.drain,
    )


def rollout_faults(form: RolloutForm) -> list[Fault]:
    """What does not go together in it."""
    found: list[Fault] = []
    if any(later <= step for step, later in pairwise(form.steps)):
        detail = f"rollout.steps must rise, got {form.steps}"
        hint = "percent of the requests, e.g. [5, 25, 50]; all of them is the step after the last"
        found.append(Fault(field="rollout.steps", detail=detail, hint=hint))
    if 0 < form.latency < 1:
        detail = (
            f"rollout.latency is a multiple of the old revision's p99 TTFT, got {form.latency:g}"
        )
        hint = "at least 1, e.g. 1.5; 0 for not judging it"
        found.append(Fault(field="rollout.latency", detail=detail, hint=hint))
    return found


def rollout_fields(plan: RolloutPlan) -> dict[str, Any]:
    """The same in the endpoint file's words."""
    return {
        "strategy": plan.strategy.value,
        "steps": list(plan.steps),
        "pause": plan.pause_s,
        "bake": plan.bake_s,
        "start": plan.start_s,
        "errors": plan.more_errors_milli / MILLI,
        "latency": plan.slower_percent / PERCENT,
        "requests": plan.requests_min,
        "no_room": plan.no_room.value,
        "drain": plan.drain_s,
    }
