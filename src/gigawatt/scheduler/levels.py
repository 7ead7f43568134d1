"""Levels of attained service: what has run least comes first, and may stop what has run more.

Durations need not be known for that: most jobs are short, and end before they leave the first level. Within one
level nobody is stopped for anybody, so gangs that have run about as long do not take turns.

Source: least attained service in few queues, as in Tiresias (Gu et al., NSDI 2019), there with two queues.
"""

from dataclasses import dataclass

import numpy as np

from gigawatt.model.gang import GangKind
from gigawatt.model.plan import Taking
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.rights import Claimant, same_project
from gigawatt.scheduler.running import GANG_KINDS, RunningColumns
from gigawatt.scheduler.snapshot import Amounts, Flags, Rows


def levels(attained_ms: Amounts, policy: Policy) -> Rows:
    """The level of each, from 0."""
    return np.searchsorted(np.array(policy.levels_ms, dtype=np.int64), attained_ms, side="right")


@dataclass(frozen=True, slots=True, kw_only=True)
class Yield:
    """A gang takes from one of a level further back: of its own project, or of one that uses more than its quota.

    Nobody has a quota: of any project. `last`: only of those in the last level, who are asked first.
    """

    last: bool
    taking: Taking = Taking.YIELD
    must_move: bool = False
    by_need: bool = False

    def given(self, policy: Policy) -> bool:
        return policy.yields

    def may_take(self, claimant: Claimant, running: RunningColumns) -> Flags:
        policy, gangs = claimant.policy, running.gangs
        line, now_ms = claimant.snapshot.gangs, claimant.snapshot.now_ms
        own = int(levels(line.attained_ms_G[claimant.row : claimant.row + 1], policy)[0])
        least = len(policy.levels_ms) if self.last else own + 1
        ran_ms_R = gangs.attained_ms_G + now_ms - running.placed_ms_R
        further_R = levels(ran_ms_R, policy) >= max(least, own + 1)
        may_R = further_R & (running.kind_R == GANG_KINDS.index(GangKind.JOB))
        may_R &= gangs.priority_G <= int(line.priority_G[claimant.row])
        if claimant.books is None or not may_R.any():
            return may_R
        return may_R & (same_project(claimant, running) | claimant.books.over_R)


def crossing_ms(running: RunningColumns, policy: Policy, now_ms: int) -> int | None:
    """When the next of those that run comes to a level further back; None where none does."""
    ran_ms_R = running.gangs.attained_ms_G + now_ms - running.placed_ms_R
    ends = np.array((*policy.levels_ms, np.iinfo(np.int64).max), dtype=np.int64)
    left_ms_R = ends[levels(ran_ms_R, policy)] - ran_ms_R
    left_ms_R = left_ms_R[levels(ran_ms_R, policy) < len(policy.levels_ms)]
    return now_ms + int(left_ms_R.min()) if len(left_ms_R) else None
