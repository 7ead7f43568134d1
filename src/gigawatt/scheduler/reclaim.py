"""Reclaim: the owner of a quota takes back what others borrow of it.

Who stays within the quota may take from who uses more than theirs, and never so much that they fall below it. It is decided
where the two part in the tree of shares: on the claimant's side everything from there down must stay within its quota,
on the other side everything from there down must be beyond its own, or have none.

R  gangs that hold nodes
K  kinds of resource
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.model.plan import Taking
from gigawatt.model.quota import UNSET
from gigawatt.scheduler.rights import Claimant
from gigawatt.scheduler.running import RunningColumns
from gigawatt.scheduler.share import Shares
from gigawatt.scheduler.snapshot import NONE, Amounts, Flags, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Reclaim:
    """Those who borrow give back: the lowest priority first, then what loses least."""

    taking: Taking = Taking.RECLAIM
    must_move: bool = False

    def may_take(self, claimant: Claimant, running: RunningColumns) -> Flags:
        shares = claimant.shares
        nothing = np.zeros(len(running.gangs.ids), dtype=np.bool_)
        if shares is None or not claimant.policy.reclaim or not shares.quotas_set:
            return nothing
        books = _Books(shares=shares, running=running, ending_R=claimant.ending_R)
        borrowers = books.borrowers(shares.node_G[claimant.row], shares.needs[claimant.asked])
        if not borrowers:
            return nothing
        may_R = np.isin(books.node_R, list(borrowers)) & ~claimant.ending_R
        order = np.lexsort((claimant.lost_ms_R, running.gangs.priority_G))
        bounded = {at for node, parting in borrowers.items() for at in shares.chain(node)[parting:]}
        for at in sorted(bounded):
            may_R &= books.spared(at, order, may_R)
        return may_R


class _Books:
    """Which row of the tree each running gang is of, and what it uses."""

    def __init__(self, *, shares: Shares, running: RunningColumns, ending_R: Flags) -> None:
        self._shares = shares
        self._ending_R = ending_R
        gangs = running.gangs
        row = {name: place for place, name in enumerate(shares.ids)}
        tenants, projects = gangs.tenant_G.tolist(), gangs.project_G.tolist()
        self.node_R: Rows = np.array(
            [
                row.get(f"{gangs.tenants[tenant]}/{gangs.projects[project]}", NONE)
                for tenant, project in zip(tenants, projects, strict=True)
            ],
            dtype=np.intp,
        )
        places_R = np.bincount(
            running.owner_M, weights=running.places_M, minlength=len(gangs.ids)
        ).astype(np.int64)
        self._amount_RK: Amounts = gangs.per_node_GK * places_R[:, np.newaxis]

    def borrowers(self, node: int, need: Sequence[int]) -> dict[int, int]:
        """Rows of the tree that may have to give, each with the depth at which it parts from the claimant's."""
        shares, chain = self._shares, self._shares.chain(node)
        owed = [self._owed(chain[depth:], need) for depth in range(len(chain))]
        found: dict[int, int] = {}
        for other in sorted(set(self.node_R.tolist()) - {NONE}):
            theirs = shares.chain(other)
            parting = sum(1 for mine, its in zip(chain, theirs, strict=False) if mine == its)
            if parting in (len(chain), len(theirs)) or not owed[parting]:
                continue
            if all(self._borrows(at) for at in theirs[parting:]):
                found[other] = parting
        return found

    def spared(self, at: int, order: Rows, may_R: Flags) -> Flags:
        """Over R: what may go without leaving the row `at` less than its quota, in this order; all of other rows."""
        quota = self._shares.quotas[at]
        kinds = [kind for kind, amount in enumerate(quota) if amount != UNSET]
        below = [
            n for n in sorted(set(self.node_R.tolist()) - {NONE}) if at in self._shares.chain(n)
        ]
        below_R = np.isin(self.node_R, below)
        spared_R = np.ones(len(may_R), dtype=np.bool_)
        if not kinds:
            return spared_R
        beyond_K = np.array([self._shares.used[at][kind] - quota[kind] for kind in kinds])
        amount_RK = self._amount_RK[:, kinds]
        beyond_K -= amount_RK[below_R & self._ending_R].sum(axis=0)
        some_R = below_R & may_R & (amount_RK <= beyond_K).all(axis=1)
        rows = order[some_R[order]]
        enough = (np.cumsum(amount_RK[rows], axis=0) <= beyond_K).all(axis=1)
        spared_R[below_R] = False
        spared_R[rows[enough]] = True
        return spared_R

    def _owed(self, rows: Sequence[int], need: Sequence[int]) -> bool:
        """Whether all of these that have a quota stay within it when they use `need` more, and one has."""
        quotas = [at for at in rows if any(q != UNSET for q in self._shares.quotas[at])]
        return bool(quotas) and all(self._shares.within(at, tuple(need)) for at in quotas)

    def _borrows(self, at: int) -> bool:
        quota, used = self._shares.quotas[at], self._shares.used[at]
        told = [(u, q) for u, q in zip(used, quota, strict=True) if q != UNSET]
        return not told or any(u > q for u, q in told)
