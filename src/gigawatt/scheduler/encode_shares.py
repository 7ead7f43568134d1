"""The sharing side of the encoder: one row for each tenant and project, with what its live gangs use."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from gigawatt.model.quota import NO_ENTITLEMENT, ProjectUse
from gigawatt.model.resources import Resources
from gigawatt.model.tenant import Project, Tenant
from gigawatt.model.values import replace
from gigawatt.scheduler.facts import Footprint
from gigawatt.scheduler.snapshot import NONE, SHARE_NUMBERS, Codes, ShareColumns
from gigawatt.scheduler.table import Table
from gigawatt.scheduler.usage import (
    NOTHING,
    Standing,
    Vector,
    amounts_of,
    brought_up,
    standing_of,
    unknown,
)


class ShareRows:
    """Kept by `put`, `keep` and `occupy`; `columns` costs what changed since it was last asked."""

    def __init__(self) -> None:
        self._standings: dict[str, Standing] = {}  # but for what they use
        self._used: dict[str, Vector] = {}  # where it is more than nothing
        self._made: set[str] = set()  # by a person: these rows stay
        self._table = Table(SHARE_NUMBERS)
        self._drifted: dict[str, None] = {}  # their use is another than what is kept of it
        self._set = 0  # rows of which something was set
        self._touched: dict[str, None] = {}
        self._columns: ShareColumns | None = None

    def put(self, entity: Tenant | Project) -> bool:
        """Take a tenant or a project as it is now; whether anything that is shared by has changed."""
        old, now = self._standings.get(entity.id), standing_of(entity)
        if old is not None:
            now = replace(now, use=old.use)
            if old == now and entity.id in self._made:
                return False
        self._made.add(entity.id)
        self._set += _is_set(now) - (old is not None and _is_set(old))
        self._write(entity.id, now)
        if old is None:
            return entity.id not in self._used or _is_set(now)
        return old.entitlement != now.entitlement

    def keep(self, use: ProjectUse) -> None:
        """Take what is on record of a project's use."""
        old = self._standings.get(use.id) or unknown(use.id)
        self._write(use.id, replace(old, use=use))

    def occupy(self, id: str, held: Footprint | None, now: Footprint | None) -> None:
        """A gang of this project held what `held` says, and holds `now` instead."""
        less, more = amounts_of(held), amounts_of(now)
        if less == more:
            return
        gpu, cpu, memory = self._used.get(id, NOTHING)
        used = gpu - less[0] + more[0], cpu - less[1] + more[1], memory - less[2] + more[2]
        self._used[id] = used
        if used == NOTHING:
            del self._used[id]
        self._drifted[id] = self._touched[id] = None

    def columns(self, *, always: bool = False) -> ShareColumns | None:
        """None while nothing is set, unless they are wanted `always`."""
        if not (self._set or always):
            return None
        for name in self._touched:
            standing = self._standing(name)
            if standing is None:
                self._table.drop(name)
            else:
                self._table.put(name, standing.numbers())
        self._touched.clear()
        changed, rows = self._table.settle()
        old = self._columns
        if old is not None and not changed:
            return old
        ids = tuple(self._table.keys) if old is None or rows else old.ids
        numbers: dict[str, Any] = {name: self._table.column(name) for name in SHARE_NUMBERS}
        above = {name: standing.parent for name, standing in self._standings.items()}
        self._columns = ShareColumns(ids=ids, parent_P=parents(ids, above), **numbers)
        return self._columns

    def accrued(self, *, now_ms: int, half_life_ms: int, always: bool = False) -> list[ProjectUse]:
        """What is to be kept of the use of projects that use another amount from now on; none while nothing is set."""
        if not (self._set or always):
            return []
        drifted, self._drifted = self._drifted, {}
        return [
            use
            for name in drifted
            if (use := _accrued(name, self._standing(name), now_ms, half_life_ms)) is not None
        ]

    def _write(self, id: str, standing: Standing) -> None:
        if id not in self._made and standing.use is None:
            self._standings.pop(id, None)
        else:
            self._standings[id] = standing
        self._touched[id] = None

    def _standing(self, id: str) -> Standing | None:
        """All that is known of it; None of one that nobody has made or uses."""
        used, standing = self._used.get(id), self._standings.get(id)
        if used is None:
            return standing
        return replace(standing or unknown(id), used=used)


def cold_shares(
    entities: Iterable[Tenant | Project],
    uses: Iterable[ProjectUse],
    held: Iterable[tuple[str, Footprint]],
    *,
    always: bool = False,
) -> ShareColumns | None:
    """Columns from whole lists; `held` are footprints, each with the project of its gang."""
    standings = {entity.id: standing_of(entity) for entity in entities}
    if not (always or any(map(_is_set, standings.values()))):
        return None
    for use in uses:
        standings[use.id] = replace(standings.get(use.id) or unknown(use.id), use=use)
    for name, footprint in held:
        old = standings.get(name) or unknown(name)
        used = tuple(u + a for u, a in zip(old.used, amounts_of(footprint), strict=True))
        standings[name] = replace(old, used=used)
    ids = tuple(sorted(standings))
    rows = [standings[name].numbers() for name in ids]
    columns: dict[str, Any] = {}
    for index, (name, column) in enumerate(SHARE_NUMBERS.items()):
        columns[name] = column.empty(len(ids))
        columns[name][:] = [row[index] for row in rows]
    above = {name: standing.parent for name, standing in standings.items()}
    return ShareColumns(ids=ids, parent_P=parents(ids, above), **columns)


def parents(ids: tuple[str, ...], above: Mapping[str, str]) -> Codes:
    """The row above each row; a tenant that nobody has made has none. Of whom nothing is said, the tenant is above."""
    rows = {name: row for row, name in enumerate(ids)}
    names = [above[name] if name in above else unknown(name).parent for name in ids]
    return np.array([rows.get(name, NONE) for name in names], dtype=np.int32)


def _is_set(standing: Standing) -> bool:
    return standing.entitlement != NO_ENTITLEMENT


def _accrued(
    id: str, standing: Standing | None, now_ms: int, half_life_ms: int
) -> ProjectUse | None:
    if standing is None:
        return None
    gpu, cpu, memory = standing.used
    used = Resources(milli_gpu=gpu, milli_cpu=cpu, memory_bytes=memory)
    if standing.use is None:
        tenant, _, project = id.partition("/")
        return ProjectUse(
            id=id, tenant=tenant, project=project, at_ms=now_ms, used=used, average=Resources()
        )
    if standing.use.used == used:
        return None
    average = brought_up(standing.use, now_ms=now_ms, half_life_ms=half_life_ms)
    return replace(standing.use, at_ms=now_ms, used=used, average=average)
