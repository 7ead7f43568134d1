"""The policy of an instance: one with a name, and what settings say beside their defaults."""

from dataclasses import replace
from typing import Any

from gigawatt.scheduler.policy import POLICIES, Fit, Policy
from gigawatt.settings import Settings


def policy_of(settings: Settings) -> Policy:
    """A setting that is at its default leaves to the named policy what it says itself."""
    usual, told = _terms(Settings(data=settings.data)), _terms(settings)
    changes = {name: value for name, value in told.items() if value != usual[name]}
    return replace(POLICIES[settings.policy], **changes)


def _terms(settings: Settings) -> dict[str, Any]:
    """The fields of a policy that settings name."""
    return {
        "fit": Fit(settings.placement),
        "hold_after_ms": settings.hold_after_s * 1000,
        "half_life_ms": settings.share_half_life_s * 1000,
        "starve_after_ms": settings.starve_after_s * 1000,
        "preempt": settings.preempt == "project",
        "reclaim": settings.reclaim == "on",
        "consolidate": settings.consolidate == "on",
        "min_run_ms": settings.min_run_s * 1000,
        "notice_ms": settings.preempt_notice_s * 1000,
        "stops_max": settings.stops_max,
        "grow_every_ms": settings.grow_every_s * 1000,
        "levels_ms": settings.levels_ms,
    }
