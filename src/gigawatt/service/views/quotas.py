"""Quotas as callers see them: what a project may use, what it does use, and how it stands against others."""

from collections.abc import Sequence
from dataclasses import dataclass

from gigawatt.model.quota import UNSET, Bounds
from gigawatt.model.resources import KINDS
from gigawatt.model.tenant import Project
from gigawatt.service.ports import Owed

NOTHING = Owed(
    used=(0,) * len(KINDS), quota=(UNSET,) * len(KINDS), average=(0,) * len(KINDS), share=0.0
)
SHARE_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundsView:
    """Amounts of resources; null where nothing is said. `kinds` are GPUs of single kinds of which anything is said."""

    gpus: float | None
    cpus: float | None
    memory_bytes: int | None
    kinds: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaView:
    """What a project may use, with all projects below it, and what they use.

    `guaranteed` is its quota, or where it has none that of those below it. `borrowed` is what it uses beyond that.
    `average` is what it used of late. Of projects side by side, the one with the least `share` is owed the most.
    """

    tenant: str
    project: str
    parent: str
    quota: BoundsView
    limit: BoundsView
    borrow: bool
    weight: int
    guaranteed: BoundsView
    used: BoundsView
    borrowed: BoundsView
    average: BoundsView
    share: float
    version: int


def quota_view(project: Project, owed: Owed | None) -> QuotaView:
    """A project's view; `owed` is None until the leader knows of it."""
    terms, now = project.entitlement, owed or NOTHING
    beyond = [
        max(used - quota, 0) if quota != UNSET else UNSET
        for used, quota in zip(now.used, now.quota, strict=True)
    ]
    return QuotaView(
        tenant=project.tenant,
        project=project.name,
        parent=terms.parent,
        quota=_bounds(terms.quota),
        limit=_bounds(terms.limit),
        borrow=terms.borrows,
        weight=terms.weight,
        guaranteed=_amounts(now.quota, now.kinds),
        used=_amounts(now.used, now.kinds),
        borrowed=_amounts(beyond, now.kinds),
        average=_amounts(now.average),
        share=round(now.share, SHARE_DIGITS),
        version=project.version,
    )


def _bounds(bounds: Bounds) -> BoundsView:
    return _amounts(
        (*bounds.vector(), *[amount for _, amount in bounds.kinds]),
        tuple(kind for kind, _ in bounds.kinds),
    )


def _amounts(vector: Sequence[int], kinds: tuple[str, ...] = ()) -> BoundsView:
    milli_gpu, milli_cpu, memory_bytes, *of_kinds = vector
    return BoundsView(
        gpus=None if milli_gpu == UNSET else milli_gpu / 1000,
        cpus=None if milli_cpu == UNSET else milli_cpu / 1000,
        memory_bytes=None if memory_bytes == UNSET else memory_bytes,
        kinds={
            kind: amount / 1000
            for kind, amount in zip(kinds, of_kinds, strict=True)
            if amount != UNSET
        },
    )
