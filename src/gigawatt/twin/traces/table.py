"""Traces as CSV with a header: which column is what is a mapping, of which Philly's shared form is one.

Times are seconds or, for `at`, RFC 3339. Amounts are those of one node; a job of more GPUs than a node has, where
the number of nodes is not given, is split evenly over as few nodes as that allows.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

from gigawatt.model.gang import Shape
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.resources import Resources
from gigawatt.model.tenant import DEFAULT_PROJECT
from gigawatt.spec.faults import nearest
from gigawatt.spec.times import time_ms
from gigawatt.spec.units import UnitError, size_bytes
from gigawatt.twin.traces.source import lines_of, wrong
from gigawatt.twin.traces.trace import Trace, in_order
from gigawatt.twin.work import Work

FIELDS = ("at", "run", "limit", "gpus", "cpus", "memory", "nodes", "project")
NEEDED = ("at", "run")
PHILLY = {"at": "timestamp", "run": "duration", "gpus": "num_gpus", "project": "cluster"}
SECONDS_MAX = 1 << 40
COUNT_MAX = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """`columns` has for each of FIELDS that the trace has the column of the file. `node_gpus` 0: a node has any number."""

    columns: Mapping[str, str]
    node_gpus: int = 0


def read_table(file: Path, mapped: Mapped, *, jobs_max: int = 0) -> Trace:
    """The first `jobs_max` jobs by their times, 0 for all. Raises RefusalError with the line that is wrong."""
    reader = _Reader(file, mapped)
    works = in_order(reader.works(), jobs_max=jobs_max)
    return Trace(works=works, skipped=reader.skipped)


def mapping_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """`FIELD=COLUMN` as people write it. Raises RefusalError."""
    columns: dict[str, str] = {}
    for pair in pairs:
        field, found, column = pair.partition("=")
        if not found or field not in FIELDS or not column:
            hint = nearest(field, FIELDS)
            detail = f"--map {pair} is not FIELD=COLUMN"
            raise RefusalError(RefusalCode.INVALID, detail, field="map", hint=hint)
        columns[field] = column
    missing = [field for field in NEEDED if field not in columns]
    if missing:
        hint = f"add --map {missing[0]}=COLUMN; fields are {', '.join(FIELDS)}"
        detail = f"the mapping does not say which column is {missing[0]}"
        raise RefusalError(RefusalCode.INVALID, detail, field="map", hint=hint)
    return columns


class _Reader:
    def __init__(self, file: Path, mapped: Mapped) -> None:
        self._file = file
        self._mapped = mapped
        self._shapes: dict[tuple[int, int, int, int], Shape] = {}
        self.skipped = 0

    def works(self) -> Iterator[Work]:
        lines = lines_of(self._file)
        number, header = next(lines, (1, ""))
        names = _words(header)
        self._check(number, names)
        places = {field: names.index(name) for field, name in self._mapped.columns.items()}
        for number, line in lines:
            words = _words(line)
            if not words:
                continue
            if len(words) != len(names):
                problem, allowed = f"has {len(words)} fields", f"{len(names)}, as in the header"
                raise wrong(self._file, number, "the line", problem, allowed)
            yield self._work(
                number, {field: words[place].strip() for field, place in places.items()}
            )

    def _check(self, number: int, names: list[str]) -> None:
        for field, name in self._mapped.columns.items():
            if name not in names:
                problem = f"is to be column {name}, and there is none"
                raise wrong(self._file, number, field, problem, ", ".join(names) or "a header")
            if names.count(name) > 1:
                problem = f"is to be column {name}, which is there {names.count(name)} times"
                raise wrong(self._file, number, field, problem, "a column of its own name")

    def _work(self, number: int, row: Mapping[str, str]) -> Work:
        gpus = self._count(number, row, "gpus", 0)
        nodes = self._count(number, row, "nodes", 0)
        if not nodes:
            nodes = self._split(number, gpus)
            gpus //= nodes
        shape = self._shape(
            nodes, gpus, self._milli(number, row, "cpus"), self._memory(number, row)
        )
        return Work(
            at_ms=self._at_ms(number, row["at"]),
            run_ms=self._seconds(number, "run", row["run"]),
            limit_ms=self._seconds(number, "limit", row["limit"]) if row.get("limit") else 0,
            shape=shape,
            project=row.get("project") or DEFAULT_PROJECT,
        )

    def _split(self, number: int, gpus: int) -> int:
        """The fewest nodes that hold so many GPUs, the same number on each."""
        most = self._mapped.node_gpus
        if gpus <= most or not most:
            return 1
        return next(nodes for nodes in range(-(-gpus // most), gpus + 1) if gpus % nodes == 0)

    def _at_ms(self, number: int, text: str) -> int:
        try:
            at_s = float(text)
        except ValueError:
            at_s = inf
        if -SECONDS_MAX <= at_s <= SECONDS_MAX:
            return round(at_s * 1000)
        try:
            return time_ms(text)
        except UnitError as error:
            allowed = 'seconds, or a time as "2017-10-09 07:01:55"'
            column = self._mapped.columns["at"]
            raise wrong(self._file, number, column, f"is {text[:40]!r}", allowed) from error

    def _seconds(self, number: int, field: str, text: str) -> int:
        return round(1000 * self._float(number, field, text, SECONDS_MAX, "seconds, 0 or more"))

    def _milli(self, number: int, row: Mapping[str, str], field: str) -> int:
        text = row.get(field)
        return round(1000 * self._float(number, field, text, COUNT_MAX, "cores")) if text else 0

    def _count(self, number: int, row: Mapping[str, str], field: str, default: int) -> int:
        text = row.get(field)
        if not text:
            return default
        value = self._float(number, field, text, COUNT_MAX, "a whole number, 0 or more")
        if value != int(value):
            column = self._mapped.columns[field]
            raise wrong(self._file, number, column, f"is {text}", "a whole number, 0 or more")
        return int(value)

    def _memory(self, number: int, row: Mapping[str, str]) -> int:
        text = row.get("memory")
        try:
            return size_bytes(int(text) if text.isdecimal() else text) if text else 0
        except UnitError as error:
            column = self._mapped.columns["memory"]
            raise wrong(self._file, number, column, error.detail, error.hint) from error

    def _float(self, number: int, field: str, text: str, most: int, allowed: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= most:
            column = self._mapped.columns[field]
            raise wrong(self._file, number, column, f"is {text[:40]!r}", allowed)
        return value

    def _shape(self, nodes: int, gpus: int, milli_cpu: int, memory_bytes: int) -> Shape:
        key = nodes, gpus, milli_cpu, memory_bytes
        if key not in self._shapes:
            amounts = Resources(
                milli_gpu=1000 * gpus, milli_cpu=milli_cpu, memory_bytes=memory_bytes
            )
            self._shapes[key] = Shape(nodes_min=nodes, nodes_max=nodes, per_node=amounts)
        return self._shapes[key]


def _words(line: str) -> list[str]:
    return next(csv.reader([line])) if line else []
