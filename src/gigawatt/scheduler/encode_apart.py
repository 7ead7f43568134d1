"""The side of the encoder for gangs that keep apart: labels of gangs, and where those that run are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from gigawatt.model.gang import Gang, Shape
from gigawatt.model.job import Job
from gigawatt.model.values import replace
from gigawatt.model.work import Work
from gigawatt.model.workspace import Workspace
from gigawatt.scheduler.facts import footprint, waiting
from gigawatt.scheduler.running import firsts
from gigawatt.scheduler.snapshot import NONE, ApartColumns, Wear
from gigawatt.scheduler.terms import level_code
from gigawatt.scheduler.usage import owner_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Worn:
    """The wear of a gang, and the nodes that it holds: none while it waits."""

    wear: Wear
    nodes: tuple[str, ...] = ()


class ApartRows:
    """Kept by `put`. As long as no gang keeps apart, `columns` costs nothing, and `put` a look at two fields."""

    def __init__(self) -> None:
        self._worn: dict[str, Worn] = {}
        self._keeping = 0  # gangs that keep apart
        self._ids: tuple[str, ...] = ()
        self._columns: ApartColumns | None = None

    def put(self, work: Work) -> None:
        """Take the new value of what may run."""
        now, old = worn(work), self._worn.pop(work.id, None)
        if now is not None:
            self._worn[work.id] = now
        if now != old:
            self._columns = None
            self._keeping += _keeps(now) - _keeps(old)

    def columns(self, ids: tuple[str, ...], *, always: bool = False) -> ApartColumns | None:
        """`ids` are those of the snapshot's nodes. None where nobody keeps apart, unless `always`."""
        if not (self._keeping or always):
            return None
        if self._columns is None or self._ids != ids:
            self._ids, self._columns = ids, apart_columns(self._worn, ids)
        return self._columns


def cold_apart(work: Iterable[Work], ids: tuple[str, ...]) -> ApartColumns | None:
    """Who keeps apart from whom, from scratch."""
    found = {each.id: now for each in work if (now := worn(each)) is not None}
    return apart_columns(found, ids) if any(map(_keeps, found.values())) else None


def worn(work: Work) -> Worn | None:
    """What it wears and holds; None without labels, and of what neither waits nor runs."""
    labels, shape = _labels(work)
    if not (labels or shape.apart):
        return None
    held = footprint(work)
    if held is None and waiting(work) is None:
        return None
    return Worn(wear=_wear(owner_of(work), labels, shape), nodes=held.nodes if held else ())


def apart_columns(worn: Mapping[str, Worn], ids: tuple[str, ...]) -> ApartColumns:
    """Columns of these gangs, by id."""
    rows = {node: row for row, node in enumerate(ids)}
    wears = tuple(sorted({each.wear for each in worn.values()}))
    code = {wear: place for place, wear in enumerate(wears)}
    waits = sorted(gang for gang, each in worn.items() if not each.nodes)
    runs = sorted(gang for gang, each in worn.items() if each.nodes)
    parts = [[rows.get(node, NONE) for node in worn[gang].nodes] for gang in runs]
    return ApartColumns(
        wears=wears,
        gangs=tuple(waits),
        wear_W=np.array([code[worn[gang].wear] for gang in waits], dtype=np.int32),
        runners=tuple(runs),
        wear_V=np.array([code[worn[gang].wear] for gang in runs], dtype=np.int32),
        first_V=firsts(np.array([len(each) for each in parts], dtype=np.int64)),
        node_M=np.array([row for each in parts for row in each], dtype=np.int32),
    )


def with_wear(columns: ApartColumns, gang: Gang) -> ApartColumns:
    """The columns with one more gang that waits; one of the same id is replaced."""
    waits: list[int] = columns.wear_W.tolist()
    runs: list[int] = columns.wear_V.tolist()
    wears_of = dict(zip(columns.gangs, [columns.wears[code] for code in waits], strict=True))
    wears_of[gang.id] = _wear(f"{gang.tenant}/{gang.project}", gang.labels, gang.shape)
    running = [columns.wears[code] for code in runs]
    wears = tuple(sorted({*wears_of.values(), *running}))
    code = {wear: place for place, wear in enumerate(wears)}
    ids = tuple(sorted(wears_of))
    return replace(
        columns,
        wears=wears,
        gangs=ids,
        wear_W=np.array([code[wears_of[each]] for each in ids], dtype=np.int32),
        wear_V=np.array([code[wear] for wear in running], dtype=np.int32),
    )


def _wear(project: str, labels: tuple[tuple[str, str], ...], shape: Shape) -> Wear:
    terms = tuple((term.labels, level_code(term.level)) for term in shape.apart)
    return project, labels, terms


def _keeps(worn: Worn | None) -> bool:
    return worn is not None and bool(worn.wear[2])


def _labels(work: Work) -> tuple[tuple[tuple[str, str], ...], Shape]:
    if isinstance(work, Job | Workspace):
        return work.spec.labels, work.spec.shape
    return work.labels, work.shape
