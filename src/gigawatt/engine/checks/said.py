"""What a check says."""

from __future__ import annotations

from typing import NamedTuple

OK, WARN, FAIL = "ok", "warn", "fail"


class Said(NamedTuple):
    outcome: str
    detail: str = ""


def worst(said: list[Said]) -> Said:
    """The first of the worst; ok with every detail where nothing is wrong."""
    for outcome in (FAIL, WARN):
        bad = [each.detail for each in said if each.outcome == outcome]
        if bad:
            more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
            return Said(outcome, bad[0] + more)
    return Said(OK, "; ".join(each.detail for each in said if each.detail))
