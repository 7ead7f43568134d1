"""Months of UTC by arithmetic alone: when they begin and end, and which one a time is in.

The conversion between days and dates is Howard Hinnant's (`days_from_civil`, chrono-Compatible Low-Level Date Algorithms).
"""

import re
from functools import lru_cache

from gigawatt.model.ledger import DAY_MS

MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


def month_of(at_ms: int) -> str:
    """The month that a time is in, as 2026-11."""
    return _month_of_day(at_ms // DAY_MS)


def month_before(at_ms: int) -> str:
    """The month of time that ended at `at_ms`."""
    return _month_of_day((at_ms - 1) // DAY_MS)


def month_start_ms(month: str) -> int:
    year, number = (int(part) for part in month.split("-"))
    return _days_from_civil(year, number) * DAY_MS


def month_after(month: str) -> str:
    year, number = (int(part) for part in month.split("-"))
    return f"{year + number // 12:04d}-{number % 12 + 1:02d}"


def month_end_ms(month: str) -> int:
    return month_start_ms(month_after(month))


def day_of(at_ms: int) -> str:
    """The day that a time is in, as 2026-11-05."""
    day = at_ms // DAY_MS
    month = _month_of_day(day)
    return f"{month}-{day - month_start_ms(month) // DAY_MS + 1:02d}"


def day_number(at_ms: int) -> int:
    """The day of time that ended at `at_ms`."""
    return (at_ms - 1) // DAY_MS


@lru_cache(maxsize=4_096)
def _month_of_day(day: int) -> str:
    day += 719_468
    era, of_era = divmod(day, 146_097)
    year_of_era = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * of_year + 2) // 153  # 0 is March
    number = shifted + 3 if shifted < 10 else shifted - 9
    return f"{year_of_era + era * 400 + (number <= 2):04d}-{number:02d}"


def _days_from_civil(year: int, number: int) -> int:
    """Days from 1970-01-01 to the first of a month."""
    year -= number <= 2
    era, year_of_era = divmod(year, 400)
    of_year = (153 * (number - 3 if number > 2 else number + 9) + 2) // 5
    of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + of_year
    return era * 146_097 + of_era - 719_468
