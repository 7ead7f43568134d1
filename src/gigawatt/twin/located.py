"""In which line of a scenario file a refused field stands: TOML's parser tells no lines, so they are looked for."""

import re
from dataclasses import replace
from pathlib import Path

from gigawatt.model.refusal import RefusalError

_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.\"'-]+)\s*\]\]?")
_KEY = re.compile(r"\s*([\w-]+(?:\s*\.\s*[\w-]+)*)\s*=")
_FIELD = re.compile(r"[\w-]+(?:\[\d+\])?(?:\.[\w-]+)*")

Place = tuple[str, ...]


def located(error: RefusalError, file: Path, text: str) -> RefusalError:
    """The same refusal, with the file, and with the line where that can be told, before each of its details."""
    lines = _lines(text)
    faults = tuple(
        replace(fault, detail=_placed(fault.detail, fault.field, file, lines))
        for fault in error.faults
    )
    detail = _placed(error.detail, error.field, file, lines)
    return RefusalError(error.code, detail, field=error.field, hint=error.hint, faults=faults)


def line_of(text: str, field: str) -> int:
    """The line of `projects.0.name` or `projects[0].name`, or of the table that it is missing from; 0 if there is none."""
    return _line(_lines(text), field)


def _placed(detail: str, field: str, file: Path, lines: dict[Place, int]) -> str:
    own = f"{file}: "
    said = detail.removeprefix(own)
    if str(file) in said:
        return detail  # it says where already
    first = _FIELD.match(said)
    number = (_line(lines, first[0]) if first else 0) or _line(lines, field)
    return f"{file}, line {number}: {said}" if number else f"{own}{said}"


def _line(lines: dict[Place, int], field: str) -> int:
    path = tuple(field.replace("[", ".").replace("]", "").split("."))
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 0


def _lines(text: str) -> dict[Place, int]:
    """The first line of every table and key, by its path; the nth of an array of tables by its number."""
    found: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header:
            table = tuple(part.strip("\"'") for part in header[2].split("."))
            if header[1] == "[[":
                place = counts[table] = counts.get(table, -1) + 1
                found.setdefault(table, number)
                table = (*table, str(place))
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            path = (*table, *(part.strip() for part in key[1].split(".")))
            found.setdefault(path, number)
    return found
