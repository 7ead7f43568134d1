"""A trace of any format by its name."""

from pathlib import Path

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.twin.traces.journal import read_journal
from gigawatt.twin.traces.openb import read_openb
from gigawatt.twin.traces.swf import read_swf
from gigawatt.twin.traces.table import PHILLY, Mapped, mapping_of, read_table
from gigawatt.twin.traces.trace import Trace


def read_trace(
    file: Path, format_: str, pairs: tuple[str, ...], *, node_gpus: int, jobs_max: int
) -> Trace:
    """`pairs` are FIELD=COLUMN, of a CSV. Raises RefusalError, also where nothing in the file ran."""
    trace = _read(file, format_, pairs, node_gpus, jobs_max)
    if trace.works:
        return trace
    skipped = f": {trace.skipped} are there, and none of them ran" if trace.skipped else ""
    detail, hint = (
        f"{file} has no job to play{skipped}",
        f"a trace of format {format_} has one a line",
    )
    raise RefusalError(RefusalCode.INVALID, detail, field="file", hint=hint)


def _read(file: Path, format_: str, pairs: tuple[str, ...], node_gpus: int, jobs_max: int) -> Trace:
    if format_ == "swf":
        return read_swf(file, jobs_max=jobs_max)
    if format_ == "journal":
        return read_journal(file, jobs_max=jobs_max)
    if format_ == "openb":
        return read_openb(file, jobs_max=jobs_max)
    columns = PHILLY if format_ == "philly" else mapping_of(pairs)
    return read_table(file, Mapped(columns=columns, node_gpus=node_gpus), jobs_max=jobs_max)
