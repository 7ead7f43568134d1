"""Who may have more, and who is owed how much, while a decision is being made: a working copy of the tree of shares.

    P  tenants and projects, as in the snapshot, and after them projects that only gangs in the line name
    K  kinds of resource

The dominant share of a project is the largest part that it has of the whole cluster in any kind (Ghodsi et al.,
"Dominant Resource Fairness", NSDI 2011). Here it is that of what it uses beyond its quota, present and of late,
divided by its weight. A parent uses what its children use.
"""

from functools import lru_cache

import numpy as np

from gigawatt.model.quota import UNSET
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.model.resources import KINDS
from gigawatt.model.values import replace
from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.policy import Order, Policy
from gigawatt.scheduler.snapshot import (
    NONE,
    Amounts,
    Codes,
    Flags,
    GangColumns,
    Rows,
    ShareColumns,
    Snapshot,
)
from gigawatt.scheduler.tree import by_depth, down_from, summed

TREES_KEPT = 8  # of which is known what follows from what people set
PARTS = 1_000_000_000  # decayed shares are kept to such parts of the cluster

Vector = tuple[int, ...]
Bound = tuple[int, int, int, ReasonCode]  # row of P, index of K, at most, what it is


class Shares:
    """`take` writes to it, and to nothing else: use only grows in a round."""

    def __init__(
        self, columns: ShareColumns, snapshot: Snapshot, policy: Policy, asks: list[Ask]
    ) -> None:
        self.policy = policy
        gangs = snapshot.gangs
        self.ids, self.node_G, self._parents = _tree(columns, gangs)
        extra = len(self.ids) - len(columns.ids)
        own_PK = _longer(columns.used_PK, extra, 0)
        quota_PK = _longer(columns.quota_PK, extra, UNSET)
        rows, effective_PK = _standing(tuple(self._parents), quota_PK.tobytes())
        weighed = policy.order is not Order.ATTAINED
        self.quotas: list[list[int]] = (
            effective_PK if weighed else np.full_like(effective_PK, UNSET)
        ).tolist()
        self.used: list[list[int]] = summed(own_PK, rows, self._parents).tolist()
        self.own: list[list[int]] = own_PK.tolist()
        self.total_K: list[int] = np.maximum(snapshot.nodes.total_NK.sum(axis=0), 1).tolist()
        weight_P = _longer(columns.weight_P, extra, 1)
        self.weights: list[int] = weight_P.tolist() if weighed else [1] * len(self.ids)
        past_PK = _longer(_averages(columns, snapshot.now_ms, policy), extra, 0)
        average_PK = summed(past_PK, rows, self._parents)
        self.averages: list[list[int]] = average_PK.tolist()
        self._past = self._past_of(average_PK)
        self.claims = [self.share(node) for node in range(len(self.ids))]
        self.needs = [_need(ask) for ask in asks]
        self.taken = 0
        self.over_limit: dict[int, Bound | None] = {}  # None: behind one of its own project
        limit_PK = _longer(columns.limit_PK, extra, UNSET)
        strict_P = _longer((~columns.borrows_P).astype(np.int64), extra, 0) != 0
        self._hard = _hard(limit_PK, quota_PK, strict_P)
        if policy.order is Order.COHORTS:
            _close_cohorts(self._hard, self.quotas, self._parents)
        self._chains: dict[int, tuple[int, ...]] = {}
        self._bounds: dict[int, tuple[Bound, ...]] = {}
        self._shut: set[int] = set()  # under a strict line: one of its gangs is over a limit

    @property
    def quotas_set(self) -> bool:
        """Whether anything is guaranteed to anybody."""
        return any(amount != UNSET for row in self.quotas for amount in row)

    def chain(self, node: int) -> tuple[int, ...]:
        """The rows from the top down to `node`."""
        known = self._chains.get(node)
        if known is None:
            above = self._parents[node]
            known = (node,) if above == NONE else (*self.chain(above), node)
            self._chains[node] = known
        return known

    def share(self, node: int) -> float:
        """What it has beyond its quota, over its weight: the least is owed the most."""
        used, quota = self.used[node], self.quotas[node]
        beyond = self._dominant([u - max(q, 0) for u, q in zip(used, quota, strict=True)])
        return (beyond + self._past[node]) / self.weights[node]

    def codes(self, need_GK: Amounts) -> Amounts:
        """For each gang one bit for each level at which it would not stay within the quota, the top one first."""
        quota_PK = np.array(self.quotas, dtype=np.int64).reshape(-1, len(KINDS))
        used_PK = np.array(self.used, dtype=np.int64).reshape(-1, len(KINDS))
        chain_GL = self._chains_of(self.node_G)
        code_G = np.zeros(len(need_GK), dtype=np.int64)
        for level in range(chain_GL.shape[1]):
            at_G = chain_GL[:, level]
            quota_GK = quota_PK[at_G]
            told_GK = quota_GK != UNSET
            fits_GK = ~told_GK | (used_PK[at_G] + need_GK <= quota_GK)
            within_G = told_GK.any(axis=1) & fits_GK.all(axis=1)
            code_G = np.where(at_G == NONE, code_G, 2 * code_G + ~within_G)
        return code_G

    def own_share(self, node: int) -> float:
        """As `share`, of its own gangs alone, against the projects below it."""
        return self._dominant(self.own[node])

    def within(self, node: int, need: Vector) -> bool:
        """Whether it has a quota, and stays within it when it uses `need` more."""
        found = False
        for used, more, quota in zip(self.used[node], need, self.quotas[node], strict=True):
            if quota != UNSET:
                if used + more > quota:
                    return False
                found = True
        return found

    def over(self, row: int, node: int, need: Vector, *, strict: bool) -> bool:
        """Whether the gang of that row must wait for its project's limits. In a `strict` line, those behind it too."""
        if self._shut and not self._shut.isdisjoint(self.chain(node)):
            self.over_limit[row] = None
            return True
        bound = self._exceeded(node, need)
        if bound is None:
            return False
        self.over_limit[row] = bound
        if strict:
            self._shut.add(bound[0])
        return True

    def leaves(self, node: int, need: Vector) -> bool:
        """Whether its limits leave room for so much more."""
        return self._exceeded(node, need) is None

    def cut(self, node: int, ask: Ask) -> Ask:
        """An elastic ask with no more nodes than the limits leave."""
        if ask.nodes_max == ask.nodes_min:
            return ask
        each = ask.demand.vector()
        most = [
            (most - self.used[at][kind]) // each[kind]
            for at, kind, most, _ in self._bounds_of(node)
            if each[kind]
        ]
        return replace(ask, nodes_max=max(ask.nodes_min, min([ask.nodes_max, *most])))

    def take(self, node: int, amounts: Vector) -> None:
        """The project uses so much more."""
        self.taken += 1
        for at in self.chain(node):
            used = self.used[at]
            for kind, amount in enumerate(amounts):
                used[kind] += amount
            self.claims[at] = self.share(at)
        own = self.own[node]
        for kind, amount in enumerate(amounts):
            own[kind] += amount

    def borrower(self, node: int) -> str:
        """The one nearest the top that uses more than its quota; empty if none does."""
        for at in self.chain(node):
            if any(
                q != UNSET and used > q
                for used, q in zip(self.used[at], self.quotas[at], strict=True)
            ):
                return self.ids[at]
        return ""

    def reason(self, row: int, need: Vector) -> Reason:
        """Why a gang that is over a limit waits."""
        bound = self.over_limit[row]
        if bound is None:
            return Reason(code=ReasonCode.BEHIND_HEAD, detail="of its own project")
        at, kind, most, code = bound
        what = "limit" if code is ReasonCode.LIMIT else "quota"
        never = ", and all of it is less than it asks" if need[kind] > most else ""
        return Reason(
            code=code,
            resource=KINDS[kind],
            need=need[kind],
            have=max(most - self.used[at][kind], 0),
            detail=f"left of the {what} of {self.ids[at]}{never}",
        )

    def _exceeded(self, node: int, need: Vector) -> Bound | None:
        for bound in self._bounds_of(node):
            at, kind, most, _ = bound
            if need[kind] and self.used[at][kind] + need[kind] > most:
                return bound
        return None

    def _dominant(self, amounts: list[int]) -> float:
        return max(max(a, 0) / total for a, total in zip(amounts, self.total_K, strict=True))

    def _past_of(self, average_PK: Amounts) -> list[float]:
        """The dominant share of what was used on average beyond the quota, times the policy's part of it."""
        quota_PK = np.maximum(np.array(self.quotas, dtype=np.int64).reshape(-1, len(KINDS)), 0)
        beyond_PK = np.maximum(average_PK - quota_PK, 0)
        share_P = (beyond_PK / np.array(self.total_K)).max(axis=1, initial=0.0)
        parts_P = np.rint(share_P * PARTS) * self.policy.history_percent / 100
        return (parts_P / PARTS).tolist()

    def _chains_of(self, nodes: list[int]) -> Rows:
        """The chains of nodes as rows, NONE behind their ends."""
        chains = [self.chain(node) for node in nodes]
        depth = max(map(len, chains), default=0)
        padded = [chain + (NONE,) * (depth - len(chain)) for chain in chains]
        return np.array(padded, dtype=np.intp).reshape(len(nodes), depth)

    def _bounds_of(self, node: int) -> tuple[Bound, ...]:
        known = self._bounds.get(node)
        if known is None:
            known = tuple(bound for at in self.chain(node) for bound in self._hard.get(at, ()))
            self._bounds[node] = known
        return known


def shares_of(snapshot: Snapshot, policy: Policy, asks: list[Ask]) -> Shares | None:
    """The tree of shares; None where nothing is set and the policy asks nothing of it."""
    columns = snapshot.shares
    if columns is None or not (policy.needs_shares or columns.set_P.any()):
        return None
    return Shares(columns, snapshot, policy, asks)


def amounts(ask: Ask, count: int) -> Vector:
    """What the ask takes on so many nodes or places."""
    return tuple(amount * count for amount in ask.demand.vector())


def _need(ask: Ask) -> Vector:
    return amounts(ask, ask.nodes_min)


def _tree(columns: ShareColumns, gangs: GangColumns) -> tuple[list[str], list[int], list[int]]:
    """Ids of P, for each gang its row, and for each row the one above. Projects that nobody has made come last."""
    ids, parents = list(columns.ids), columns.parent_P.tolist()
    pairs = gangs.tenant_G.astype(np.int64) * max(len(gangs.projects), 1) + gangs.project_G
    known: list[int] = np.flatnonzero(np.bincount(pairs)).tolist()
    rows = np.zeros(known[-1] + 1 if known else 0, dtype=np.intp)
    for pair in known:
        tenant, project = divmod(pair, max(len(gangs.projects), 1))
        name = f"{gangs.tenants[tenant]}/{gangs.projects[project]}"
        row = columns.row(name)
        if row == NONE:
            row = len(ids)
            ids.append(name)
            parents.append(columns.row(gangs.tenants[tenant]))
        rows[pair] = row
    return ids, rows[pairs].tolist(), parents


def _longer(column: Amounts, extra: int, value: int) -> Amounts:
    more = np.full((extra, *column.shape[1:]), value, dtype=np.int64)
    return np.concatenate([column.astype(np.int64), more])


@lru_cache(maxsize=TREES_KEPT)
def _standing(parents: tuple[int, ...], quotas: bytes) -> tuple[list[Codes], Amounts]:
    """What changes when a person changes it: rows by depth, and quotas with those that follow from them. Only to be read."""
    above = list(parents)
    rows = by_depth(np.array(above, dtype=np.int32))
    quota_PK = np.frombuffer(quotas, dtype=np.int64).reshape(-1, len(KINDS))
    return rows, _effective(quota_PK, rows, above)


def _effective(quota_PK: Amounts, rows: list[Codes], parents: list[int]) -> Amounts:
    """Its own quota; where it has none, what its children have together."""
    whole_PK = quota_PK.copy()
    for at, above in down_from(rows, parents):
        has = whole_PK[at] != UNSET
        sums = np.zeros_like(whole_PK)
        given = np.zeros_like(whole_PK, dtype=np.bool_)
        np.add.at(sums, above, np.where(has, whole_PK[at], 0))
        np.logical_or.at(given, above, has)
        whole_PK = np.where((quota_PK == UNSET) & given, sums, whole_PK)
    return whole_PK


def _averages(columns: ShareColumns, now_ms: int, policy: Policy) -> Amounts:
    """What each used on average up to now."""
    spans_P = np.maximum(now_ms - columns.since_ms_P, 0) / policy.half_life_ms
    keeps_P = np.exp2(-spans_P)[:, np.newaxis]
    average_PK = columns.history_PK * keeps_P + columns.held_PK * (1.0 - keeps_P)
    return np.rint(average_PK).astype(np.int64)


def _hard(limit_PK: Amounts, quota_PK: Amounts, strict_P: Flags) -> dict[int, list[Bound]]:
    """By row, what it may never exceed: its limit, and its quota where it does not borrow."""
    found: dict[int, list[Bound]] = {}
    for row, kind in np.argwhere(limit_PK != UNSET).tolist():
        bound = row, kind, int(limit_PK[row, kind]), ReasonCode.LIMIT
        found.setdefault(row, []).append(bound)
    strict_PK = (quota_PK != UNSET) & strict_P[:, np.newaxis]
    for row, kind in np.argwhere(strict_PK).tolist():
        bound = row, kind, int(quota_PK[row, kind]), ReasonCode.QUOTA_EXCEEDED
        found.setdefault(row, []).append(bound)
    return found


def _close_cohorts(
    hard: dict[int, list[Bound]], quotas: list[list[int]], parents: list[int]
) -> None:
    """A cohort, a row with others below it, uses no more than its quotas sum to."""
    for row in sorted(set(parents) - {NONE}):
        for kind, amount in enumerate(quotas[row]):
            if amount != UNSET:
                bound = row, kind, amount, ReasonCode.QUOTA_EXCEEDED
                hard.setdefault(row, []).append(bound)
