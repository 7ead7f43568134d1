"""The policy of an instance follows from its settings."""

from dataclasses import replace

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.scheduler.policy import POLICIES, Fit
from gigawatt.server.policy import policy_of
from gigawatt.settings import Settings, with_value

HOUR_MS = 3_600_000


def settings(**given: object) -> Settings:
    found = Settings()
    for name, value in given.items():
        found = with_value(found, name, value, source=f"--{name}")
    return found


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_a_name_alone_is_that_policy(name: str) -> None:
    assert policy_of(settings(policy=name)) == POLICIES[name]


def test_what_a_setting_says_goes_before_the_policy() -> None:
    given = settings(policy="levels", levels="1h,1d", min_run_s=60, stops_max=9, reclaim="on")
    assert policy_of(given) == replace(
        POLICIES["levels"],
        levels_ms=(HOUR_MS, 24 * HOUR_MS),
        min_run_ms=60_000,
        stops_max=9,
        reclaim=True,
    )


def test_a_placement_goes_with_any_policy() -> None:
    both = replace(POLICIES["preempt"], fit=Fit.LEAST_WASTE)
    assert policy_of(settings(policy="preempt", placement="least-waste")) == both


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("placement", "fullest", "must be best or first or random"),
        ("policy", "fair", "must be default or fifo"),
        ("levels", "3d,8h", "must rise"),
        ("levels", "0", "must rise"),
        ("levels", "8 moons", "is not a duration"),
    ],
)
def test_what_is_no_policy_is_refused(name: str, value: str, said: str) -> None:
    with pytest.raises(RefusalError) as caught:
        settings(**{name: value})
    assert said in caught.value.detail
