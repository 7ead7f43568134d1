"""The side of the encoder for quotas and limits of single kinds of GPU: who may use and who uses how much of each.

A kind is a node's, and a node may be replaced by one of another kind while gangs hold it; so what is used is added up by
gang, and anew whenever the nodes are others.
"""

from collections.abc import Iterable

import numpy as np

from gigawatt.model.quota import UNSET, Bounds, Entitlement
from gigawatt.model.tenant import Project, Tenant
from gigawatt.scheduler.facts import Footprint
from gigawatt.scheduler.snapshot import NONE, Amounts, Codes, KindColumns, NodeColumns

Used = tuple[tuple[str, int], ...]  # milli-GPUs by kind


class KindRows:
    """Kept by `put` and `occupy`. As long as nobody names a kind, `columns` costs nothing."""

    def __init__(self) -> None:
        self._terms: dict[str, Entitlement] = {}  # of those that name a kind
        self._held: dict[str, tuple[str, Footprint]] = {}  # by gang, with its project
        self._used: dict[str, tuple[str, Used]] = {}  # by gang, as counted on `_kind_N`
        self._sums: dict[tuple[str, str], int] = {}  # by project and kind
        self._kind_N: Codes | None = None
        self._touched: dict[str, None] = {}
        self._columns: KindColumns | None = None
        self._ids: tuple[str, ...] = ()

    def put(self, entity: Tenant | Project) -> None:
        """Take a tenant or a project as it is now."""
        now = entity.entitlement if names_kinds(entity.entitlement) else None
        if self._terms.get(entity.id) == now:
            return
        self._columns = None
        if now is None:
            del self._terms[entity.id]
        else:
            self._terms[entity.id] = now

    def occupy(self, gang: str, owner: str, now: Footprint | None) -> None:
        """What the gang holds now."""
        if now is not None and now.per_node.milli_gpu:
            self._held[gang] = owner, now
        elif self._held.pop(gang, None) is None:
            return
        self._touched[gang] = None

    def columns(self, ids: tuple[str, ...], nodes: NodeColumns) -> KindColumns | None:
        """`ids` are the rows of the shares. None where nobody names a kind."""
        if not self._terms:
            return None
        if self._kind_N is not nodes.gpu_kind_N:
            self._used.clear()
            self._sums.clear()
            self._touched = dict.fromkeys(self._held)
            self._kind_N, self._columns = nodes.gpu_kind_N, None
        if self._touched or ids != self._ids:
            self._columns, self._ids = None, ids
        for gang in self._touched:
            self._count(gang, nodes)
        self._touched.clear()
        if self._columns is None:
            self._columns = _columns(ids, nodes, self._terms, self._sums)
        return self._columns

    def _count(self, gang: str, nodes: NodeColumns) -> None:
        owner, before = self._used.pop(gang, ("", ()))
        _add(self._sums, owner, before, -1)
        held = self._held.get(gang)
        if held is not None:
            self._used[gang] = owner, now = held[0], by_kind(held[1], nodes)
            _add(self._sums, owner, now, 1)


def cold_kinds(
    entities: Iterable[Tenant | Project],
    held: Iterable[tuple[str, Footprint]],
    ids: tuple[str, ...],
    nodes: NodeColumns,
) -> KindColumns | None:
    """Columns from whole lists; `held` are footprints, each with the project of its gang."""
    terms = {each.id: each.entitlement for each in entities if names_kinds(each.entitlement)}
    if not terms:
        return None
    sums: dict[tuple[str, str], int] = {}
    for owner, footprint in held:
        _add(sums, owner, by_kind(footprint, nodes), 1)
    return _columns(ids, nodes, terms, sums)


def names_kinds(terms: Entitlement) -> bool:
    """Whether it says how much of one kind of GPU."""
    return bool(terms.quota.kinds or terms.limit.kinds)


def by_kind(use: Footprint, nodes: NodeColumns) -> Used:
    """The milli-GPUs that it has of each kind, on nodes that are in the cluster."""
    found: dict[str, int] = {}
    if use.per_node.milli_gpu:
        for node in use.nodes:
            row = nodes.row(node)
            code = NONE if row == NONE else int(nodes.gpu_kind_N[row])
            if code != NONE:
                kind = nodes.gpu_kinds[code]
                more = use.per_node.milli_gpu * use.places.get(node, 1)
                found[kind] = found.get(kind, 0) + more
    return tuple(found.items())


def _add(sums: dict[tuple[str, str], int], owner: str, used: Used, sign: int) -> None:
    for kind, amount in used:
        key = owner, kind
        sums[key] = sums.get(key, 0) + sign * amount


def _columns(
    ids: tuple[str, ...],
    nodes: NodeColumns,
    terms: dict[str, Entitlement],
    sums: dict[tuple[str, str], int],
) -> KindColumns:
    named = {
        kind
        for each in terms.values()
        for bounds in (each.quota, each.limit)
        for kind, _ in bounds.kinds
    }
    kinds = tuple(sorted({*named, *nodes.gpu_kinds}))
    row = {name: place for place, name in enumerate(ids)}
    code = {kind: place for place, kind in enumerate(kinds)}
    used_PB = np.zeros((len(ids), len(kinds)), dtype=np.int64)
    for (owner, kind), amount in sums.items():
        if amount:
            used_PB[row[owner], code[kind]] = amount
    quotas = {row[name]: each.quota for name, each in terms.items()}
    limits = {row[name]: each.limit for name, each in terms.items()}
    return KindColumns(
        kinds=kinds,
        quota_PB=_bounds(used_PB, code, quotas),
        limit_PB=_bounds(used_PB, code, limits),
        used_PB=used_PB,
    )


def _bounds(like_PB: Amounts, code: dict[str, int], bounds: dict[int, Bounds]) -> Amounts:
    found_PB = np.full_like(like_PB, UNSET)
    for row, each in bounds.items():
        for kind, amount in each.kinds:
            found_PB[row, code[kind]] = amount
    return found_PB
