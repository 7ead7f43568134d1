"""Points in time as callers write them."""

import pytest

from gigawatt.spec.times import time_ms
from gigawatt.spec.units import UnitError


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        (5, 5),
        ("5", 5),
        ("1970-01-01T00:00:01Z", 1_000),
        ("1970-01-01T01:00:00.250+01:00", 250),
        ("1970-01-02", 86_400_000),
    ],
)
def test_a_time_is_milliseconds_or_rfc_3339(written: object, milliseconds: int) -> None:
    assert time_ms(written) == milliseconds


@pytest.mark.parametrize("written", ["soon", "", "-1", -1, "9" * 30, "1969-12-31T00:00:00Z", True])
def test_what_is_no_time_is_refused(written: object) -> None:
    with pytest.raises(UnitError):
        time_ms(written)
