"""Quotas as callers see them: what a project may use, what it does use, and how it stands against others."""

from collections.abc import Sequence
from dataclasses import dataclass

from gigawatt.model.quota import UNSET, Bounds, Caps
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
class CapsView:
    """At most so many replicas, and so many bytes that are kept; null where there is no limit."""

    replicas: int | None
    storage_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitView:
    """One limit: how much of it is used, and what follows when all of it is. Amounts are decimals as text.

    `whose` has the limit: a project, one that it is part of, or `tenant`. `used` is null where only gateways know, `limit`
    and `percent` where nothing is limited. `state` is off, open, near (from 80 %) or reached.
    """

    what: str
    unit: str
    whose: str
    used: str | None
    limit: str | None
    percent: int | None
    state: str
    then: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptView:
    """What a project keeps on the instance's storage, in bytes. What volumes and models consist of is among artifacts."""

    artifacts: int
    checkpoints: int
    workspaces: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsView:
    """Everything that a project may have, in one place. `month` is the one that sums of a month are of."""

    tenant: str
    project: str
    month: str
    kept: KeptView
    items: tuple[LimitView, ...]


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
    caps: CapsView
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
        caps=_caps(terms.caps),
        borrow=terms.borrows,
        weight=terms.weight,
        guaranteed=_amounts(now.quota, now.kinds),
        used=_amounts(now.used, now.kinds),
        borrowed=_amounts(beyond, now.kinds),
        average=_amounts(now.average),
        share=round(now.share, SHARE_DIGITS),
        version=project.version,
    )


def _caps(caps: Caps) -> CapsView:
    return CapsView(replicas=caps.replicas, storage_bytes=caps.storage_bytes)


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
