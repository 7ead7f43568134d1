"""Load curves from files: CSV with a header `at,in_flight`, seconds since the start and requests, in order of time."""

import csv
import math
from pathlib import Path

from gigawatt.twin.serving import Points
from gigawatt.twin.traces.source import lines_of, wrong

FIELDS = ("at", "in_flight")
MOST = 1e12


def read_curve(file: Path) -> Points:
    """Raises RefusalError with the line that is wrong."""
    lines = lines_of(file)
    number, header = next(lines, (1, ""))
    names = [name.strip() for name in _words(header)]
    for field in FIELDS:
        if field not in names:
            raise wrong(file, number, field, "is no column", f"a header with {', '.join(FIELDS)}")
    places = [names.index(field) for field in FIELDS]
    times: list[int] = []
    values: list[float] = []
    for number, line in lines:
        words = _words(line)
        if not words:
            continue
        if len(words) != len(names):
            allowed = f"{len(names)}, as in the header"
            raise wrong(file, number, "the line", f"has {len(words)} fields", allowed)
        at_s, in_flight = (
            _number(file, number, field, words[place])
            for field, place in zip(FIELDS, places, strict=True)
        )
        if times and round(at_s * 1000) <= times[-1]:
            raise wrong(file, number, "at", "is not after the line before", "times in order")
        times.append(round(at_s * 1000))
        values.append(in_flight)
    if not times:
        raise wrong(file, number, "the file", "has no times", "at least one line after the header")
    return Points(times_ms=tuple(times), in_flight=tuple(values))


def _number(file: Path, number: int, field: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= MOST:
        raise wrong(file, number, field, f"is {text[:40]!r}", f"0 to {MOST:g}")
    return value


def _words(line: str) -> list[str]:
    return next(csv.reader([line])) if line else []
