"""The Standard Workload Format of the Parallel Workloads Archive, version 2: 18 numbers a line, comments after `;`.

A job of p processors is a stacked gang of p places, each of one core and the memory that one processor was asked for:
where they are is the scheduler's business, as it was the site's. What was asked for goes before what was used. Its
limit is the requested time.

Source: Feitelson, Tsafrir, Krakov, "Experience with using the Parallel Workloads Archive", JPDC 74(10), 2014.
"""

from collections.abc import Iterator
from pathlib import Path

from gigawatt.model.gang import Shape
from gigawatt.model.resources import Resources
from gigawatt.twin.traces.source import lines_of, wrong
from gigawatt.twin.traces.trace import Trace, in_order
from gigawatt.twin.work import Work

FIELDS = (
    "job_number",
    "submit_time",
    "wait_time",
    "run_time",
    "allocated_processors",
    "average_cpu_time",
    "used_memory",
    "requested_processors",
    "requested_time",
    "requested_memory",
    "status",
    "user",
    "group",
    "executable",
    "queue",
    "partition",
    "preceding_job",
    "think_time",
)
UNKNOWN = -1
NUMBER_MAX = 1 << 40
KIB = 1024


def read_swf(file: Path, *, jobs_max: int = 0) -> Trace:
    """The first `jobs_max` jobs by submission, 0 for all. Raises RefusalError with the line that is wrong."""
    reader = _Reader(file)
    works = in_order(reader.works(), jobs_max=jobs_max)
    return Trace(works=works, skipped=reader.skipped)


class _Reader:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._shapes: dict[tuple[int, int], Shape] = {}
        self.skipped = 0

    def works(self) -> Iterator[Work]:
        for number, line in lines_of(self._file):
            if not line.strip() or line.lstrip().startswith(";"):
                continue
            row = self._row(number, line)
            submit_s, run_s, limit_s = row[1], row[3], row[8]
            processors = row[7] if row[7] > 0 else row[4]
            if run_s < 0 or processors <= 0:
                self.skipped += 1
                continue
            if submit_s < 0:
                raise self._wrong(number, 1, "is before the trace begins", "0 or more seconds")
            memory = row[9] if row[9] != UNKNOWN else row[6]
            yield Work(
                at_ms=submit_s * 1000,
                run_ms=run_s * 1000,
                limit_ms=max(limit_s, 0) * 1000,
                shape=self._shape(processors, max(memory, 0)),
                user=f"user-{row[11]}" if row[11] >= 0 else "",
            )

    def _row(self, number: int, line: str) -> tuple[int, ...]:
        words = line.split()
        if len(words) != len(FIELDS):
            raise wrong(
                self._file, number, "the line", f"has {len(words)} fields", "18, apart by spaces"
            )
        try:
            row = tuple(map(int, words))
        except ValueError:
            row = tuple(self._number(number, place, word) for place, word in enumerate(words))
        for place, value in enumerate(row):
            if not UNKNOWN <= value <= NUMBER_MAX:
                allowed = f"{UNKNOWN} for unknown, to {NUMBER_MAX}"
                raise self._wrong(number, place, f"is {value}", allowed)
        return row

    def _number(self, number: int, place: int, word: str) -> int:
        """Some traces have fractions of seconds, which are cut off."""
        try:
            return int(float(word))
        except (ValueError, OverflowError):
            problem = f"is {word[:40]!r}"
            raise self._wrong(number, place, problem, "a number; -1 for unknown") from None

    def _wrong(self, number: int, place: int, problem: str, allowed: str) -> Exception:
        name = f"{FIELDS[place]} (field {place + 1})"
        return wrong(self._file, number, name, problem, allowed)

    def _shape(self, processors: int, memory_kib: int) -> Shape:
        key = processors, memory_kib
        if key not in self._shapes:
            self._shapes[key] = Shape(
                nodes_min=processors,
                nodes_max=processors,
                stacked=processors > 1,
                per_node=Resources(milli_cpu=1000, memory_bytes=memory_kib * KIB),
            )
        return self._shapes[key]
