"""Amounts as people write them."""

import pytest

from gigawatt.spec.units import UnitError, duration_ms, duration_s, milli, size_bytes


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        (90, 90_000),
        (1.5, 1_500),
        ("90", 90_000),
        ("90s", 90_000),
        ("250ms", 250),
        ("10m", 600_000),
        ("2h", 7_200_000),
        ("1d", 86_400_000),
        ("1h30m", 5_400_000),
        ("0.5s", 500),
        (0, 0),
    ],
)
def test_a_duration_is_seconds_or_a_number_with_a_unit(written: object, milliseconds: int) -> None:
    assert duration_ms(written) == milliseconds


@pytest.mark.parametrize("written", ["5x", "", "h", "-5s", "5 s", "1e9s", None, True, [], "٣s"])
def test_what_is_no_duration_is_refused_with_a_hint(written: object) -> None:
    with pytest.raises(UnitError) as refused:
        duration_ms(written)
    assert '"90s"' in refused.value.hint


def test_seconds_must_be_whole_where_seconds_are_kept() -> None:
    with pytest.raises(UnitError, match="whole seconds"):
        duration_s("250ms")


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        (1024, 1024),
        ("512MiB", 512 << 20),
        ("512Mi", 512 << 20),
        ("1GiB", 1 << 30),
        ("2G", 2 << 30),
        ("2GB", 2_000_000_000),
        ("1.5GiB", 3 << 29),
        ("10B", 10),
        ("3 MiB", 3 << 20),
    ],
)
def test_bytes_take_binary_and_decimal_units(written: object, amount: int) -> None:
    assert size_bytes(written) == amount


@pytest.mark.parametrize("written", ["1 gig", "GiB", "-1", 1.5, None, False, "1Gb"])
def test_what_is_no_number_of_bytes_is_refused(written: object) -> None:
    with pytest.raises(UnitError):
        size_bytes(written)


@pytest.mark.parametrize(
    ("written", "thousandths"), [(1, 1000), (0.5, 500), (0.001, 1), (2.5, 2500), (0.1 + 0.2, 300)]
)
def test_fractions_become_thousandths(written: float, thousandths: int) -> None:
    assert milli(written) == thousandths


@pytest.mark.parametrize("written", [0.0001, float("nan"), float("inf"), "1", True])
def test_finer_fractions_and_what_is_no_number_are_refused(written: object) -> None:
    with pytest.raises(UnitError):
        milli(written)
