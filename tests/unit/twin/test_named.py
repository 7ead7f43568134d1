"""Policies as people name them to the twin."""

from dataclasses import replace

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.scheduler.policy import POLICIES, Fit
from gigawatt.twin.named import Named, named_policy


def test_a_placement_goes_before_what_the_policy_says() -> None:
    both = replace(POLICIES["levels"], fit=Fit.FGD)
    assert named_policy("levels", "fgd") == Named(policy=both, name="levels fgd")
    assert named_policy("fgd") == Named(policy=POLICIES["fgd"], name="fgd")


@pytest.mark.parametrize(
    ("names", "field", "hint"),
    [
        (("fdg", ""), "policy", "fgd"),
        (("default", "best_fit"), "placement", "best-fit"),
        (("zzz", ""), "policy", "allowed: best-fit, cohorts"),
    ],
)
def test_an_unknown_name_is_refused_with_those_there_are(
    names: tuple[str, str], field: str, hint: str
) -> None:
    with pytest.raises(RefusalError) as caught:
        named_policy(*names, where="site.toml")
    assert caught.value.detail.startswith("site.toml: there is no ")
    assert (caught.value.field, hint in caught.value.hint) == (field, True)
