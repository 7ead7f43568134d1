"""Who may take what runs from whom. Each right is a rule over arrays: which gangs that run may stop for one that waits.

Priorities are compared within one project alone: people set them themselves, so they say nothing between projects.
What a project may take from others follows from quotas, which is a rule of its own (`reclaim`).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gigawatt.model.gang import GangKind
from gigawatt.model.plan import Taking
from gigawatt.scheduler.books import Books
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.running import GANG_KINDS, RunningColumns
from gigawatt.scheduler.share import Shares
from gigawatt.scheduler.snapshot import Amounts, Flags, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """The gang that waits: a row of the line, and which of the round's asks is its own.

    `lost_ms_R` is what each running gang would lose, in its own time; `ending_R` are those that are being stopped already.
    """

    snapshot: Snapshot
    row: int
    asked: int
    ending_R: Flags
    shares: Shares | None
    policy: Policy
    lost_ms_R: Amounts
    books: Books | None = None  # where there are shares


class Right(Protocol):
    """One rule. `must_move`: its victims are not stopped unless they have a place to go to."""

    @property
    def taking(self) -> Taking: ...

    @property
    def must_move(self) -> bool: ...

    @property
    def by_need(self) -> bool:
        """Whether it also matters how much the claimant needs, not only who it is."""
        ...

    def given(self, policy: Policy) -> bool:
        """Whether anybody has it under this policy."""
        ...

    def may_take(self, claimant: Claimant, running: RunningColumns) -> Flags:
        """Over R: those that may stop for the claimant, whatever that costs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Consolidate:
    """Whoever loses little may be moved, of whatever project; within the claimant's own none of a higher priority."""

    taking: Taking = Taking.CONSOLIDATE
    must_move: bool = True
    by_need: bool = False

    def given(self, policy: Policy) -> bool:
        return policy.consolidate

    def may_take(self, claimant: Claimant, running: RunningColumns) -> Flags:
        above = running.gangs.priority_G > _priority(claimant)
        job = running.kind_R == GANG_KINDS.index(GangKind.JOB)
        little = claimant.lost_ms_R <= claimant.policy.move_lost_ms
        return job & little & ~(above & same_project(claimant, running))


@dataclass(frozen=True, slots=True, kw_only=True)
class Preempt:
    """A higher priority takes from lower ones of the same project."""

    taking: Taking = Taking.PREEMPT
    must_move: bool = False
    by_need: bool = False

    def given(self, policy: Policy) -> bool:
        return policy.preempt

    def may_take(self, claimant: Claimant, running: RunningColumns) -> Flags:
        below = running.gangs.priority_G < _priority(claimant)
        return below & same_project(claimant, running)


def same_project(claimant: Claimant, running: RunningColumns) -> Flags:
    """Over R: the gangs of the claimant's project."""
    line, gangs = claimant.snapshot.gangs, running.gangs
    tenant = line.tenants[int(line.tenant_G[claimant.row])]
    project = line.projects[int(line.project_G[claimant.row])]
    if tenant not in gangs.tenants or project not in gangs.projects:
        return np.zeros(len(gangs.ids), dtype=np.bool_)
    same: Flags = gangs.tenant_G == gangs.tenants.index(tenant)
    return same & (gangs.project_G == gangs.projects.index(project))


def protected(running: RunningColumns, policy: Policy, now_ms: int) -> Flags:
    """Over R: those that no plan may touch now: placed too recently, stopped too often, or people's workspaces."""
    young = running.placed_ms_R + policy.min_run_ms > now_ms
    return young | beyond(running, policy)


def beyond(running: RunningColumns, policy: Policy) -> Flags:
    """Over R: those that no plan may touch, however long they have run."""
    workspace = running.kind_R == GANG_KINDS.index(GangKind.WORKSPACE)
    often = running.stops_R >= policy.stops_max if policy.stops_max else workspace
    return workspace | often | ~running.stoppable_R


def _priority(claimant: Claimant) -> int:
    return int(claimant.snapshot.gangs.priority_G[claimant.row])
