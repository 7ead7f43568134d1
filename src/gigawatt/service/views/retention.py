"""Retention as callers see it: a project's policy, and what a prune does or would do."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from gigawatt.model.retention import POLICED, Retention
from gigawatt.model.tenant import Project
from gigawatt.reconcile.prune_plan import Item, PrunePlan

SHOWN_MAX = 200  # items and reasons that one answer names; its sums count all


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """How long one kind is kept after its last use. `own_s` is null where the project has none of its own; 0 is for
    ever.
    """

    kind: str
    keep_s: int
    own_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionView:
    """A project's policies."""

    tenant: str
    project: str
    policies: tuple[PolicyView, ...]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneKindView:
    """Sums of one kind: what goes and what stays."""

    kind: str
    go: int
    go_bytes: int
    stay: int
    stay_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneItemView:
    """One thing that goes."""

    kind: str
    id: str
    project: str
    size_bytes: int
    unused_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StayView:
    """Things of a kind that stay for one reason; `example` is one of them."""

    kind: str
    why: str
    items: int
    size_bytes: int
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneView:
    """`more` things are left for the next prune. `errors` are what could not be removed, and why."""

    dry_run: bool
    kinds: tuple[PruneKindView, ...]
    go: tuple[PruneItemView, ...]
    stay: tuple[StayView, ...]
    more: int
    errors: tuple[str, ...] = ()


class Done(Protocol):
    """What was done of a plan."""

    @property
    def removed(self) -> tuple[Item, ...]: ...
    @property
    def kept(self) -> tuple[tuple[Item, str], ...]: ...
    @property
    def errors(self) -> tuple[str, ...]: ...


def retention_view(project: Project, default: Retention) -> RetentionView:
    """A project's policies, with the instance's where it has none."""
    policies: list[PolicyView] = []
    for kind in POLICED:
        own = project.retention.of(kind)
        keep = (default.of(kind) or 0) if own is None else own
        own_s = None if own is None else own // 1000
        policies.append(PolicyView(kind=kind.value, keep_s=keep // 1000, own_s=own_s))
    return RetentionView(
        tenant=project.tenant,
        project=project.name,
        policies=tuple(policies),
        version=project.version,
    )


def prune_view(
    plan: PrunePlan,
    concerns: Callable[[Item], bool],
    *,
    now_ms: int,
    limit: int,
    done: Done | None = None,
    errors: tuple[str, ...] = (),
) -> PruneView:
    """What goes of a plan, or of what was `done`, and what stays of that which the ask concerns."""
    go = plan.go[:limit] if done is None else done.removed
    stay = [(each.item, each.why) for each in plan.stay if concerns(each.item)]
    stay += [] if done is None else done.kept
    return PruneView(
        dry_run=done is None,
        kinds=_sums(go, [item for item, _ in stay]),
        go=tuple(_item_view(item, now_ms) for item in go[:SHOWN_MAX]),
        stay=_reasons(stay)[:SHOWN_MAX],
        more=max(len(plan.go) - limit, 0),
        errors=(errors if done is None else done.errors)[:SHOWN_MAX],
    )


def _sums(go: Iterable[Item], stay: Iterable[Item]) -> tuple[PruneKindView, ...]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for place, items in ((0, go), (2, stay)):
        for item in items:
            sums[item.kind][place] += 1
            sums[item.kind][place + 1] += item.size_bytes
    return tuple(
        PruneKindView(kind=kind, go=n, go_bytes=n_bytes, stay=left, stay_bytes=left_bytes)
        for kind, (n, n_bytes, left, left_bytes) in sorted(sums.items())
    )


def _item_view(item: Item, now_ms: int) -> PruneItemView:
    return PruneItemView(
        kind=item.kind,
        id=item.id,
        project=item.project,
        size_bytes=item.size_bytes,
        unused_s=max(now_ms - item.used_ms, 0) // 1000,
    )


def _reasons(stay: Iterable[tuple[Item, str]]) -> tuple[StayView, ...]:
    found: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item, why in stay:
        found[item.kind, why].append(item)
    return tuple(
        StayView(
            kind=kind,
            why=why,
            items=len(items),
            size_bytes=sum(item.size_bytes for item in items),
            example=items[0].id,
        )
        for (kind, why), items in sorted(found.items())
    )
