"""Who of those that run uses whose quota: what it takes to say who borrows, and how much of it may be taken back.

R  gangs that hold nodes
K  kinds of resource
"""

from collections.abc import Sequence

import numpy as np

from gigawatt.model.quota import UNSET
from gigawatt.model.resources import KINDS
from gigawatt.scheduler.running import RunningColumns
from gigawatt.scheduler.share import Shares
from gigawatt.scheduler.snapshot import GPU, NONE, Amounts, Flags, GangColumns, Rows
from gigawatt.scheduler.vectors import Vectors


def rows_of(shares: Shares, gangs: GangColumns) -> Rows:
    """For each gang the row of its project in the tree."""
    row = {name: place for place, name in enumerate(shares.ids)}
    tenants, projects = gangs.tenant_G.tolist(), gangs.project_G.tolist()
    return np.array(
        [
            row.get(f"{gangs.tenants[tenant]}/{gangs.projects[project]}", NONE)
            for tenant, project in zip(tenants, projects, strict=True)
        ],
        dtype=np.intp,
    )


class Books:
    """Which row of the tree each running gang is of, and what it uses; `ending_R` are being stopped already."""

    def __init__(self, *, shares: Shares, running: RunningColumns, ending_R: Flags) -> None:
        self._shares = shares
        self._ending_R = ending_R
        gangs = running.gangs
        self.node_R = rows_of(shares, gangs)
        self._nodes = sorted(set(self.node_R.tolist()) - {NONE})
        places_R = np.bincount(
            running.owner_M, weights=running.places_M, minlength=len(gangs.ids)
        ).astype(np.int64)
        amount_RK = gangs.per_node_GK * places_R[:, np.newaxis]
        self._over: tuple[int, Flags] | None = None  # by what was taken when it was worked out
        self._amount_RK: Amounts = np.hstack([amount_RK, _by_kind(shares.vectors, running)])

    @property
    def over_R(self) -> Flags:
        """Those whose project, or one that it is part of, uses more than its quota. Not to be written to."""
        shares = self._shares
        if self._over is None or self._over[0] != shares.taken:
            over = [bool(shares.borrower(at)) for at in range(len(shares.ids))]
            self._over = shares.taken, np.array([*over, True])[self.node_R]  # NONE finds the last
        return self._over[1]

    def borrowers(self, node: int, need: Sequence[int]) -> dict[int, int]:
        """Rows of the tree that may have to give, each with the depth at which it parts from the claimant's."""
        shares, chain = self._shares, self._shares.chain(node)
        owed = [self._owed(chain[depth:], need) for depth in range(len(chain))]
        found: dict[int, int] = {}
        for other in self._nodes:
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
        below = [node for node in self._nodes if at in self._shares.chain(node)]
        below_R = np.isin(self.node_R, below)
        spared_R = np.ones(len(may_R), dtype=np.bool_)
        if not kinds:
            return spared_R
        beyond_K = np.array([self._shares.used[at][kind] - quota[kind] for kind in kinds])
        amount_RK = self._amount_RK[:, kinds]
        beyond_K -= amount_RK[below_R & self._ending_R].sum(axis=0)
        single_K = np.array(kinds) >= len(KINDS)  # of these, a gang without any takes nothing away
        beyond_K[single_K] = np.maximum(beyond_K[single_K], 0)
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


def _by_kind(vectors: Vectors, running: RunningColumns) -> Amounts:
    """Over R and kinds of GPU that are counted: what each gang has of them."""
    nodes, count = vectors.nodes, len(running.gangs.ids)
    amount_RB = np.zeros((count, len(vectors.kinds)), dtype=np.int64)
    if not vectors.kinds:
        return amount_RB
    codes = np.append(nodes.gpu_kind_N, NONE)[running.node_M]
    amount_M = running.gangs.per_node_GK[running.owner_M, GPU] * running.places_M
    for code, kind in enumerate(nodes.gpu_kinds):
        of_kind = codes == code
        sums = np.bincount(running.owner_M[of_kind], weights=amount_M[of_kind], minlength=count)
        amount_RB[:, vectors.kinds.index(kind)] = sums.astype(np.int64)
    return amount_RB
