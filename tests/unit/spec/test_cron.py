"""Cron expressions in time zones, above all where clocks change."""

from datetime import UTC, datetime

import pytest

from gigawatt.spec.cron import due_times, next_ms, parse_cron, parse_zone, upcoming, written
from gigawatt.spec.units import UnitError

BERLIN = "Europe/Berlin"


def utc(text: str) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000


def shown(cron: str, after: str, count: int = 3, zone: str = BERLIN) -> list[str]:
    return [written(each, zone) for each in upcoming(cron, zone, after_ms=utc(after), count=count)]


def test_due_times_are_those_of_the_clock_on_the_wall() -> None:
    assert shown("0 3 * * *", "2026-01-31T12:00") == [
        "2026-02-01 03:00 CET",
        "2026-02-02 03:00 CET",
        "2026-02-03 03:00 CET",
    ]
    assert shown("30 9 * * MON-FRI", "2026-07-03T12:00", 2) == [
        "2026-07-06 09:30 CEST",
        "2026-07-07 09:30 CEST",
    ]


def test_a_fixed_time_in_a_skipped_hour_comes_right_after_the_gap() -> None:
    assert shown("30 2 * * *", "2026-03-28T12:00", 2) == [
        "2026-03-29 03:00 CEST",
        "2026-03-30 02:30 CEST",
    ]


def test_a_fixed_time_in_a_repeated_hour_comes_once() -> None:
    assert shown("15 2 * * *", "2026-10-24T22:00", 2) == [
        "2026-10-25 02:15 CEST",
        "2026-10-26 02:15 CET",
    ]
    in_the_second_pass = utc("2026-10-25T01:10")  # 02:10 CET: 02:15 CEST was an hour ago
    assert next_ms("15 2 * * *", BERLIN, after_ms=in_the_second_pass) == utc("2026-10-26T01:15")


def test_every_hour_is_every_hour_that_passes() -> None:
    assert shown("0 * * * *", "2026-03-28T23:30") == [
        "2026-03-29 01:00 CET",
        "2026-03-29 03:00 CEST",
        "2026-03-29 04:00 CEST",
    ]
    assert shown("0 * * * *", "2026-10-24T23:30", 4) == [
        "2026-10-25 02:00 CEST",
        "2026-10-25 02:00 CET",
        "2026-10-25 03:00 CET",
        "2026-10-25 04:00 CET",
    ]


def test_steps_within_one_hour_follow_the_wall_twice_or_not_at_all() -> None:
    assert shown("*/30 2 * * *", "2026-03-28T12:00", 1) == ["2026-03-30 02:00 CEST"]
    assert shown("*/30 2 * * *", "2026-10-24T22:00", 4) == [
        "2026-10-25 02:00 CEST",
        "2026-10-25 02:30 CEST",
        "2026-10-25 02:00 CET",
        "2026-10-25 02:30 CET",
    ]


def test_due_times_of_a_span_are_those_that_come_one_after_another() -> None:
    for cron in ("30 2 * * *", "0 * * * *", "*/30 2 * * *", "0 0 1 * *"):
        for start, end in (
            ("2026-03-28T00:00", "2026-03-30T12:00"),
            ("2026-10-24T00:00", "2026-10-27T00:00"),
        ):
            first, until = utc(start), utc(end)
            one_by_one = [
                each
                for each in upcoming(cron, BERLIN, after_ms=first - 1, count=100)
                if each <= until
            ]
            every = due_times(cron, BERLIN, first_ms=first, until_ms=until, limit=100)
            assert list(every) == one_by_one, cron
            newest = due_times(cron, BERLIN, first_ms=first, until_ms=until, limit=2)
            assert list(newest) == one_by_one[-2:], cron


def test_nicknames_and_spaces_are_read() -> None:
    assert parse_cron("@daily") == "0 0 * * *"
    assert parse_cron("  0  3 * *  * ") == "0 3 * * *"
    assert parse_zone("Europe/Berlin") == BERLIN


@pytest.mark.parametrize(
    ("text", "detail", "hint"),
    [
        ("61 * * * *", "has a minute that is not allowed", "minute is 0 to 59"),
        ("0 0 30 2 *", "has a day-of-month that is not allowed", "day-of-month is 1 to 31"),
        ("0 3 * * FRU", "has a day-of-week that is not allowed", "SUN to SAT"),
        ("0 3 * *", "must have five fields", "write minute, hour"),
        ("0 0 3 * * *", "must have five fields", "write minute, hour"),
        ("@dayly", "is not known", "did you mean '@daily'?"),
        ("0 " * 300, "must have five fields", "write minute, hour"),
    ],
)
def test_what_is_no_expression_is_refused_with_the_field(text: str, detail: str, hint: str) -> None:
    with pytest.raises(UnitError, match=detail) as caught:
        parse_cron(text)
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["Europe/Berln", "../passwd", "", "/etc/localtime", "a" * 300])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(UnitError, match="is no time zone"):
        parse_zone(name)
