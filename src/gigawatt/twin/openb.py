"""Lists of nodes and pods as Alibaba's cluster-trace-gpu-v2023 has them: CSV, or CSV in gzip."""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TextIO, TypeVar

from gigawatt.model.refusal import Fault, RefusalCode, RefusalError

NODE_COLUMNS = ("sn", "cpu_milli", "memory_mib", "gpu", "model")
POD_COLUMNS = ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli")
SPEC = "gpu_spec"  # of pods; where there is no such column, any model will do
TIMES = ("creation_time", "scheduled_time", "deletion_time")  # of pods, in seconds
SECONDS_MAX = 1 << 40
AMOUNT_MAX = 10**12
GPUS_MAX = 64  # of one node
MILLI_MAX = 1000  # of one GPU
ROWS_MAX = 1_000_000
FAULTS_MAX = 20

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """A node. `model` is of all its GPUs, empty where it has none."""

    name: str
    cpu_milli: int
    memory_mib: int
    gpus: int
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRow:
    """A pod. `gpu_milli` is of each of its GPUs; no `models` means any."""

    name: str
    cpu_milli: int
    memory_mib: int
    gpus: int
    gpu_milli: int
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLife:
    """A pod, when it came, and for how long it ran; None where it never did, or has not ended."""

    pod: PodRow
    at_s: int
    run_s: int | None


def read_nodes(path: Path) -> tuple[NodeRow, ...]:
    """Raises RefusalError, with a fault for each field that is wrong."""
    nodes = _read(path, NODE_COLUMNS, _node)
    seen: set[str] = set()
    faults: list[Fault] = []
    for node in nodes:
        if node.name in seen:
            detail = f"{path}: node {node.name!r} stands there twice; each `sn` is of one node"
            faults.append(Fault(field="sn", detail=detail))
        seen.add(node.name)
    _refuse(faults)
    if not sum(node.gpus for node in nodes):
        raise RefusalError(RefusalCode.INVALID, f"{path}: no node has a GPU", field="gpu")
    return nodes


def read_pods(path: Path) -> tuple[PodRow, ...]:
    """Raises RefusalError, with a fault for each field that is wrong."""
    pods = _read(path, POD_COLUMNS, _pod)
    if not any(pod.gpus for pod in pods):
        raise RefusalError(RefusalCode.INVALID, f"{path}: no pod asks for a GPU", field="num_gpu")
    return pods


def read_lives(path: Path) -> tuple[PodLife, ...]:
    """Pods with their times. Raises RefusalError, with a fault for each field that is wrong."""
    return _read(path, (*POD_COLUMNS, *TIMES), _life)


class _Line:
    """One line of a file: its fields, and what is wrong with them."""

    def __init__(self, path: Path, number: int, values: Mapping[str, str]) -> None:
        self.faults: list[Fault] = []
        self._where = f"{path}: line {number}"
        self._values = values

    def text(self, field: str) -> str:
        return (self._values.get(field) or "").strip()

    def name(self, field: str) -> str:
        value = self.text(field)
        if not value:
            self.fault(field, "is empty; a name is needed")
        return value

    def whole(self, field: str, most: int) -> int:
        value = self.text(field)
        if value.isascii() and value.isdigit() and int(value) <= most:
            return int(value)
        self.fault(field, f"is {value!r}; allowed is a whole number from 0 to {most}")
        return 0

    def fault(self, field: str, problem: str) -> None:
        self.faults.append(Fault(field=field, detail=f"{self._where}: {field} {problem}"))


def _node(line: _Line) -> NodeRow:
    gpus, model = line.whole("gpu", GPUS_MAX), line.text("model")
    if gpus and not model:
        line.fault("model", "is empty; a node with GPUs needs the model of them")
    return NodeRow(
        name=line.name("sn"),
        cpu_milli=line.whole("cpu_milli", AMOUNT_MAX),
        memory_mib=line.whole("memory_mib", AMOUNT_MAX),
        gpus=gpus,
        model=model,
    )


def _pod(line: _Line) -> PodRow:
    gpus, milli = line.whole("num_gpu", GPUS_MAX), line.whole("gpu_milli", MILLI_MAX)
    if not line.faults:
        if gpus > 1 and milli != MILLI_MAX:
            line.fault("gpu_milli", f"is {milli}; several GPUs are asked for whole: {MILLI_MAX}")
        elif gpus == 1 and milli == 0:
            line.fault("gpu_milli", f"is 0; of one GPU, 1 to {MILLI_MAX} may be asked for")
        elif gpus == 0 and milli != 0:
            line.fault("gpu_milli", f"is {milli}; with num_gpu 0 only 0 is allowed")
    return PodRow(
        name=line.name("name"),
        cpu_milli=line.whole("cpu_milli", AMOUNT_MAX),
        memory_mib=line.whole("memory_mib", AMOUNT_MAX),
        gpus=gpus,
        gpu_milli=milli,
        models=tuple(sorted({each for each in line.text(SPEC).split("|") if each})),
    )


def _life(line: _Line) -> PodLife:
    pod = _pod(line)
    came, began, ended = (
        line.whole(field, SECONDS_MAX) if line.text(field) or field == TIMES[0] else None
        for field in TIMES
    )
    run_s = None if began is None or ended is None else ended - began
    if run_s is not None and run_s < 0:
        line.fault(TIMES[2], f"is before {TIMES[1]}; allowed is {began} or later, or nothing")
    return PodLife(pod=pod, at_s=came or 0, run_s=run_s)


def _read(path: Path, columns: Sequence[str], parse: Callable[[_Line], Row]) -> tuple[Row, ...]:
    rows: list[Row] = []
    faults: list[Fault] = []
    try:
        for line in _lines(path, columns):
            rows.append(parse(line))
            faults += line.faults
            if len(faults) >= FAULTS_MAX:
                break
    except OSError as error:
        detail = f"cannot read {path}: {error.strerror or error}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, hint="a .csv or .csv.gz file") from error
    except (csv.Error, UnicodeDecodeError, EOFError, zlib.error) as error:
        detail = f"{path} is not CSV text: {error}"
        raise RefusalError(RefusalCode.INVALID, detail, hint="a .csv or .csv.gz file") from error
    _refuse(faults)
    if not rows:
        raise RefusalError(RefusalCode.INVALID, f"{path}: no line follows the header")
    return tuple(rows)


def _lines(path: Path, columns: Sequence[str]) -> Iterator[_Line]:
    with _opened(path) as file:
        reader = csv.DictReader(file, strict=True)
        _check_header(path, reader.fieldnames or (), columns)
        for count, values in enumerate(reader, start=1):
            if count > ROWS_MAX:
                detail = f"{path}: more than {ROWS_MAX:,} lines"
                raise RefusalError(RefusalCode.TOO_LARGE, detail)
            yield _Line(path, reader.line_num, values)


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _check_header(path: Path, present: Sequence[str], columns: Sequence[str]) -> None:
    faults: list[Fault] = []
    for column in columns:
        if column not in present:
            near = get_close_matches(column, present, n=1)
            hint = f"did you mean {column!r} where it says {near[0]!r}?" if near else ""
            detail = f"{path}: line 1: no column {column!r}; needed are {', '.join(columns)}"
            faults.append(Fault(field=column, detail=detail, hint=hint))
    _refuse(faults)


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        first = faults[0]
        raise RefusalError(
            RefusalCode.INVALID,
            first.detail,
            field=first.field,
            hint=first.hint,
            faults=tuple(faults),
        )
