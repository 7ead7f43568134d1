"""Whether what came of a new revision's requests is worse than of the old one's, by more than chance would have it.

Both tests ask how likely so many bad requests would be if the new revision were as good as the old one and what is borne
besides (a binomial tail). Few requests prove little, so a revision is never judged by one of a handful; and since it is
looked at again and again, what counts as proof is far rarer than the customary one in twenty.
"""

from math import exp, lgamma, log

from gigawatt.model.rollout import RolloutPlan, Seen
from gigawatt.routing.latency import beyond, bucket_of, quantile_bucket, upper_ms

CHANCE = 1e-4  # less likely than that is not chance
PERCENTILE = 99
PRIOR_ERRORS, PRIOR_REQUESTS = (
    1,
    20,
)  # as if the old revision had had so many more: it may not have had any
NEGLIGIBLE = 1e-12


def fault(new: Seen, old: Seen, plan: RolloutPlan) -> str:
    """What is wrong with the new revision, in a sentence; empty where nothing is proven."""
    if new.requests < plan.requests_min:
        return ""
    return _more_errors(new, old, plan) or _slower(new, old, plan)


def tail(bad: int, count: int, likely: float) -> float:
    """How likely it is that at least `bad` of `count` are bad, where each is with probability `likely`."""
    assert 0 <= bad <= count
    assert 0 < likely < 1
    if bad <= count * likely:
        return 1.0
    term = exp(
        lgamma(count + 1)
        - lgamma(bad + 1)
        - lgamma(count - bad + 1)
        + bad * log(likely)
        + (count - bad) * log(1 - likely)
    )
    total = 0.0
    for k in range(bad, count + 1):  # beyond the mean terms fall, so few of them count
        total += term
        if term < total * NEGLIGIBLE:
            break
        term *= (count - k) / (k + 1) * likely / (1 - likely)
    return min(total, 1.0)


def _more_errors(new: Seen, old: Seen, plan: RolloutPlan) -> str:
    expected = (old.errors + PRIOR_ERRORS) / (old.requests + PRIOR_REQUESTS)
    borne = expected + plan.more_errors_milli / 1000
    errors = min(new.errors, new.requests)
    if borne >= 1 or tail(errors, new.requests, borne) >= CHANCE:
        return ""
    return (
        f"{errors} of its {new.requests} requests failed, "
        f"and {old.errors} of {old.requests} of the old revision's"
    )


def _slower(new: Seen, old: Seen, plan: RolloutPlan) -> str:
    """Its requests go beyond what is borne of the old one's p99 more often than one in a hundred does."""
    counted = sum(count for _, count in old.ttft)
    answered = sum(count for _, count in new.ttft)
    if not plan.slower_percent or counted < plan.requests_min or answered < plan.requests_min:
        return ""
    old_ms = upper_ms(quantile_bucket(old.ttft, PERCENTILE))
    limit = bucket_of(old_ms * plan.slower_percent / 100)
    slow = beyond(new.ttft, limit)
    beyond_p99 = -(-counted * (100 - PERCENTILE) // 100)
    likely = (beyond_p99 + 1) / (counted + 1)  # the p99 of so few is not known well
    if likely >= 1 or tail(slow, answered, likely) >= CHANCE:
        return ""
    new_ms = upper_ms(quantile_bucket(new.ttft, PERCENTILE))
    return f"its p99 TTFT is {new_ms:.0f} ms, and the old revision's {old_ms:.0f} ms"
