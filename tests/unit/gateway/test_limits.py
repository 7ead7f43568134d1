import re

import pytest

from gigawatt.gateway.limits import LimitError, Limits, with_limits


def test_limits_are_changed_by_name() -> None:
    changed = with_limits(Limits(), ["body_bytes=10", "drain_s=0.5"])
    assert changed == Limits(body_bytes=10, drain_s=0.5)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("body=1", "no limit is called 'body'"),
        ("body_bytes", "limit body_bytes: '' is not a number"),
        ("body_bytes=1.5", "limit body_bytes: '1.5' is not a number"),
        ("drain_s=nan", "limit drain_s: nan must be above 0"),
        ("drain_s=-1", "limit drain_s: -1 must be above 0"),
    ],
)
def test_what_cannot_be_a_limit_is_refused(setting: str, says: str) -> None:
    with pytest.raises(LimitError, match=f"^{re.escape(says)}"):
        with_limits(Limits(), [setting])
