"""Amounts as other systems write them."""

import pytest

from gigawatt.spec.foreign.amounts import (
    range_of,
    shown_memory,
    shown_span,
    size_kib,
    slurm_kib,
    slurm_time_s,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 5_400),
        ("90:30", 5_430),
        ("1:30:00", 5_400),
        ("2-12", 216_000),
        ("1-02:30", 95_400),
        ("1-02:30:15", 95_415),
        ("0", 0),
        ("UNLIMITED", 0),
        ("infinite", 0),
        ("1-", None),
        ("1:2:3:4", None),
        ("soon", None),
    ],
)
def test_every_form_of_slurms_times_is_read(text: str, seconds: int | None) -> None:
    assert slurm_time_s(text) == seconds


def test_memory_is_in_mib_for_slurm_and_in_gib_for_the_others() -> None:
    assert [slurm_kib(text) for text in ("500", "4G", "1T", "64K", "x")] == [
        500 << 10,
        4 << 20,
        1 << 30,
        64,
        None,
    ]
    assert [size_kib(text) for text in ("32", "24GB", "512mb", "1.5TB", "x")] == [
        32 << 20,
        24 << 20,
        512 << 10,
        3 << 29,
        None,
    ]


def test_amounts_are_shown_in_the_largest_whole_unit() -> None:
    assert [shown_memory(kib) for kib in (2 << 20, 1_500 << 10, 7)] == ["2GiB", "1500MiB", "7KiB"]
    assert [shown_span(seconds) for seconds in (95_415, 60, 0)] == ["1d2h30m15s", "1m", "0s"]


def test_ranges_have_two_ends() -> None:
    assert [range_of(text) for text in ("2", "2..4", "2..", "..4", "8+")] == [
        ("2", "2"),
        ("2", "4"),
        ("2", ""),
        ("", "4"),
        ("8", ""),
    ]
