"""Numbers as people read them."""

import pytest

from gigawatt.cli import format as form

MS, S, M, H, D = 1, 1_000, 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [
        (0, "0ms"),
        (0.4, "0ms"),
        (340, "340ms"),
        (S, "1s"),
        (59 * S + 999, "59s"),
        (M, "1m"),
        (3 * M + 5 * S, "3m05s"),
        (2 * H + 5 * M + 9 * S, "2h05m"),
        (4 * D + 3 * H, "4d3h"),
        (4 * D, "4d"),
    ],
)
def test_a_duration_has_two_units_at_most(span_ms: float, text: str) -> None:
    assert form.duration(span_ms) == text


def test_an_age_has_one_unit_and_never_lies_in_the_future() -> None:
    now = 10 * D
    ages = [form.age(now - span, now) for span in (-5 * S, 8 * S, 3 * M, 5 * H, 2 * D)]
    assert ages == ["0s", "8s", "3m", "5h", "2d"]


def test_sizes_are_binary_and_counts_decimal() -> None:
    assert [form.size(each) for each in (512, 1536, 3 << 30)] == ["512 B", "1.5 KiB", "3 GiB"]
    assert [form.count(each) for each in (0, 950, 12_345, 4_560_000)] == [
        "0",
        "950",
        "12.3k",
        "4.56M",
    ]


def test_a_share_of_nothing_is_not_a_number() -> None:
    assert form.percent(3, 8) == "37.5 %"
    assert form.percent(0, 0) == form.NOTHING


def test_a_bar_is_full_at_the_whole_and_never_empty_for_something() -> None:
    assert form.bar(10, 10, 4) == "████"
    assert form.bar(5, 10, 4) == "██"
    assert form.bar(1, 100_000, 4) == "▏"
    assert form.bar(0, 10, 4) == ""


def test_a_sparkline_falls_where_its_values_fall() -> None:
    assert form.sparkline([8, 7, 6, 5, 4, 3, 2, 1], 40) == "█▇▆▅▄▃▂▁"


def test_a_sparkline_of_many_values_keeps_to_its_width() -> None:
    line = form.sparkline([float(each) for each in range(1_000)], 10)
    assert len(line) == 10
    assert (line[0], line[-1]) == ("▁", "█")


def test_a_sparkline_of_equal_values_is_flat_and_of_none_is_empty() -> None:
    assert form.sparkline([2.0, 2.0, 2.0], 10) == "▄▄▄"
    assert form.sparkline([], 10) == ""


def test_a_table_for_a_pipe_is_aligned_whole_and_without_spaces_at_the_end() -> None:
    text = form.table(
        ["NAME", "STEP", "REASON"],
        [["tiny-gpt", "7", ""], ["b", "1200", "a reason that is long and is not cut off"]],
        right=[False, True, False],
    )
    assert text.splitlines() == [
        "NAME      STEP  REASON",
        "tiny-gpt     7",
        "b         1200  a reason that is long and is not cut off",
    ]


def test_a_table_without_rows_is_its_heading() -> None:
    assert form.table(["NAME", "ID"], []) == "NAME  ID"


def test_a_gang_is_told_in_words() -> None:
    amounts = form.amounts(0, 0.5, 1 << 30)
    assert form.gang(2, 2, 1, amounts) == "2 nodes × 1 rank, each node 0.5 CPU, 1 GiB"
    assert (
        form.gang(1, 4, 8, form.amounts(8, 1, 0))
        == "1 to 4 nodes × 8 ranks, each node 8 GPU, 1 CPU"
    )
    assert form.gang(1, 1, 1, []) == "1 node × 1 rank"


def test_device_time_is_of_one_whole_device() -> None:
    assert form.device_time(500 * 2 * H) == "1h"  # half a device for two hours
    assert (form.device("milli_gpu_ms"), form.device("milli_core_ms")) == ("GPU", "core")
