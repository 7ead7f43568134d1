"""Reclaim: the owner of a quota takes back what others borrow of it.

Who stays within the quota may take from who uses more than theirs, and never so much that they fall below it. It is decided
where the two part in the tree of shares: on the claimant's side everything from there down must stay within its quota,
on the other side everything from there down must be beyond its own, or have none.

R  gangs that hold nodes
K  kinds of resource
"""

from dataclasses import dataclass

import numpy as np

from gigawatt.model.plan import Taking
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.rights import Claimant
from gigawatt.scheduler.running import RunningColumns
from gigawatt.scheduler.snapshot import Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Reclaim:
    """Those who borrow give back: the lowest priority first, then what loses least."""

    taking: Taking = Taking.RECLAIM
    must_move: bool = False
    by_need: bool = True

    def given(self, policy: Policy) -> bool:
        return policy.reclaim

    def may_take(self, claimant: Claimant, running: RunningColumns) -> Flags:
        shares, books = claimant.shares, claimant.books
        nothing = np.zeros(len(running.gangs.ids), dtype=np.bool_)
        if shares is None or books is None or not shares.quotas_set:
            return nothing
        borrowers = books.borrowers(shares.node_G[claimant.row], shares.needs[claimant.asked])
        if not borrowers:
            return nothing
        may_R = np.isin(books.node_R, list(borrowers)) & ~claimant.ending_R
        order = np.lexsort((claimant.lost_ms_R, running.gangs.priority_G))
        bounded = {at for node, parting in borrowers.items() for at in shares.chain(node)[parting:]}
        for at in sorted(bounded):
            may_R &= books.spared(at, order, may_R)
        return may_R
