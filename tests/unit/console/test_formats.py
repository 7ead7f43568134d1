"""Values as people read them."""

from gigawatt.console import charts, formats


def test_durations_have_at_most_two_units() -> None:
    said = [formats.duration(ms) for ms in (None, 420, 42_000, 185_000, 7_620_000, 273_600_000)]
    assert said == ["–", "420 ms", "42 s", "3 min 5 s", "2 h 7 min", "3 d 4 h"]


def test_moments_are_told_by_how_far_they_are_away() -> None:
    now_ms = 1_000_000_000_000
    said = [formats.ago(now_ms + away, now_ms) for away in (0, -5_000, 7_200_000, -86_400_000)]
    assert said == ["now", "5 s ago", "in 2 h", "1 d ago"]
    assert formats.ago(None, now_ms) == "–"


def test_amounts_bytes_shares_and_money() -> None:
    assert [formats.count(each) for each in (None, 12_400, 2.5, 3_100_000)] == [
        "–",
        "12,400",
        "2.50",
        "3.1 M",
    ]
    assert [formats.size(each) for each in (10, 1_536 << 20)] == ["10 B", "1.5 GiB"]
    assert [formats.share(each) for each in (None, 1, 0.974)] == ["–", "100 %", "97.4 %"]
    assert [formats.money(each, "EUR") for each in (0, 1_234.5, 0.0123)] == [
        "0.00 EUR",
        "1,234.50 EUR",
        "0.0123 EUR",
    ]
    assert formats.shares_text({"user_fault": 1, "idle": 3}) == "user fault 25.0 %, idle 75.0 %"


def test_charts_escape_what_they_are_given_and_are_empty_without_values() -> None:
    assert "<b>" not in charts.stacked_bar({"<b>": 1.0}, '"><b>')
    assert "<b>" not in charts.stacked_area({"<b>": [1.0, 2.0]}, '"><b>')
    assert (charts.stacked_bar({}, ""), charts.stacked_area({}, ""), charts.sparkline([1], "")) == (
        "",
        "",
        "",
    )
