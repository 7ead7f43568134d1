"""Our own journal: jobs that an instance has on record, played again.

Read from the instance's data (its folder, or the SQLite file in it), or from an export of one object a line, or one
list: jobs with `id`, `created_ms`, `spec` and `attempts`, as the store keeps them, or as `gw jobs -o json` prints them.
A job comes when it was submitted, and runs for as long as its last attempt did. What never ran to its end is left out.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from gigawatt.model.gang import Shape
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.resources import Resources
from gigawatt.model.tenant import DEFAULT_PROJECT, DEFAULT_TENANT
from gigawatt.twin.traces.source import lines_of, wrong
from gigawatt.twin.traces.trace import Trace, in_order
from gigawatt.twin.work import Work

DATABASE = "gigawatt.db"
NAME_MAX = 120
RAN = frozenset({"succeeded", "failed", "cancelled"})
ALLOWED = "a job as `gw jobs -o json` prints it"

Object = Mapping[str, Any]


def read_journal(file: Path, *, jobs_max: int = 0) -> Trace:
    """The first `jobs_max` jobs by submission, 0 for all. Raises RefusalError with the line that is wrong."""
    reader = _Reader(file)
    works = in_order(reader.works(), jobs_max=jobs_max)
    return Trace(works=works, skipped=reader.skipped)


class _Reader:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._shapes: dict[tuple[Any, ...], Shape] = {}
        self.skipped = 0

    def works(self) -> Iterator[Work]:
        for number, job in _jobs(self._file):
            try:
                work = self._work(job)
            except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:
                missing = isinstance(error, KeyError)
                field = str(error.args[0]) if missing else "the job"
                problem = "is missing" if missing else f"is not one of ours: {error}"
                raise wrong(self._file, number, field, problem, ALLOWED) from error
            if work is None:
                self.skipped += 1
            else:
                yield work

    def _work(self, job: Object) -> Work | None:
        attempts: list[Object] = job["attempts"]
        last = attempts[-1] if attempts else None
        if job["phase"] not in RAN or last is None or last["running_ms"] is None:
            return None
        if last["ended_ms"] is None:
            return None
        spec: Object = job.get("spec") or {}
        tenant, project = str(job["tenant"]), str(job["project"])
        return Work(
            at_ms=int(job["created_ms"]),
            run_ms=max(int(last["ended_ms"]) - int(last["running_ms"]), 0),
            limit_ms=1000 * int(spec.get("timeout_s", 0)),
            shape=self._shape(job),
            project=_project(tenant, project),
            user=str(job.get("submitted_by") or ""),
        )

    def _shape(self, job: Object) -> Shape:
        if "gang" in job:
            gang: Object = job["gang"]
            key = (
                int(gang["nodes_min"]),
                int(gang["nodes"]),
                round(1000 * gang["gpus"]),
                round(1000 * gang["cpus"]),
                int(gang["memory_bytes"]),
                tuple(gang["gpu_kinds"]),
                str(gang["same"]),
            )
        else:
            shape: Object = job["spec"]["shape"]
            each: Object = shape["per_node"]
            key = (
                int(shape["nodes_min"]),
                int(shape["nodes_max"]),
                int(each["milli_gpu"]),
                int(each["milli_cpu"]),
                int(each["memory_bytes"]),
                tuple(shape.get("gpu_kinds", ())),
                str(shape.get("same", "")),
            )
        if key not in self._shapes:
            least, most, gpu, cpu, memory, kinds, same = key
            amounts = Resources(milli_gpu=gpu, milli_cpu=cpu, memory_bytes=memory)
            self._shapes[key] = Shape(
                nodes_min=least, nodes_max=most, per_node=amounts, gpu_kinds=kinds, same=same
            )
        return self._shapes[key]


def _project(tenant: str, project: str) -> str:
    """All are of one tenant in the twin: others' projects carry its name."""
    name = project if tenant == DEFAULT_TENANT else f"{tenant}-{project}"
    return name[:NAME_MAX] or DEFAULT_PROJECT


def _jobs(file: Path) -> Iterator[tuple[int, Object]]:
    """Each job with the number of its line; rows of a database are counted from 1."""
    database = file / DATABASE if file.is_dir() else file
    if database.suffix == ".db":
        yield from enumerate(_rows(database), 1)
        return
    for number, text in _texts(file):
        try:
            found: Any = json.loads(text)
        except ValueError as error:
            raise wrong(file, number, "the line", f"is not JSON: {error}", ALLOWED) from error
        if isinstance(found, dict):
            found = cast("dict[str, Any]", found).get("items", [found])
        if not isinstance(found, list):
            raise wrong(file, number, "the line", "is neither a job nor a list", ALLOWED)
        for job in cast("list[Any]", found):
            yield number, job


def _texts(file: Path) -> Iterator[tuple[int, str]]:
    """One JSON document a line; or the whole file as one, where its first line is not a whole one."""
    lines = [(number, line) for number, line in lines_of(file) if line.strip()]
    try:
        json.loads(lines[0][1] if lines else "[]")
    except ValueError:
        yield 1, "\n".join(line for _, line in lines)
        return
    yield from lines


def _rows(database: Path) -> Iterator[Object]:
    """What an instance has on record, read without changing anything. Raises RefusalError."""
    if not database.is_file():
        hint = f"allowed: the folder of an instance's data, with {DATABASE} in it, or an export"
        raise RefusalError(
            RefusalCode.NOT_FOUND, f"there is no {database}", field="file", hint=hint
        )
    query = "SELECT body FROM objects WHERE kind = 'Job' ORDER BY created_ms, id"
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as store:
            for (body,) in store.execute(query):
                yield json.loads(body)
    except (sqlite3.Error, ValueError) as error:
        detail = f"cannot read {database}: {error}"
        raise RefusalError(RefusalCode.INVALID, detail, field="file") from error
