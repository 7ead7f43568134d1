"""Who may have more, and who is owed how much, while a decision is being made: a working copy of the tree of shares.

    P  tenants and projects, as in the snapshot, and after them projects that only gangs in the line name
    K  kinds of resource
    W  these, and after them the kinds of GPU of which anybody may use so much; none where nobody may

The dominant share of a project is the largest part that it has of the whole cluster in any kind (Ghodsi et al.,
"Dominant Resource Fairness", NSDI 2011). Here it is that of what it uses beyond its quota, present and of late,
divided by its weight. A parent uses what its children use. GPUs are one kind of resource there, whatever their kind.
"""

import numpy as np

from gigawatt.model.quota import UNSET
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.model.resources import KINDS
from gigawatt.model.values import replace
from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.frame import Bound, Frame, Frames, longer, wide
from gigawatt.scheduler.guarantees import B, beyond, gpus
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.snapshot import (
    GPU,
    NONE,
    Amounts,
    Flags,
    GangColumns,
    KindColumns,
    Rows,
    ShareColumns,
    Snapshot,
)
from gigawatt.scheduler.tree import summed
from gigawatt.scheduler.vectors import Vectors

PARTS = 1_000_000_000  # decayed shares are kept to such parts of the cluster

Vector = tuple[int, ...]


class Shares:
    """`take` writes to it, and to nothing else: use only grows in a round."""

    def __init__(
        self,
        columns: ShareColumns,
        snapshot: Snapshot,
        policy: Policy,
        asks: list[Ask],
        frames: Frames | None = None,
    ) -> None:
        self.policy = policy
        gangs = snapshot.gangs
        self.ids, self.node_G, self._parents = _tree(columns, gangs)
        extra = len(self.ids) - len(columns.ids)
        kinds = snapshot.kinds or _no_kinds(columns)
        frame = (frames or Frames()).of(columns, kinds, self._parents, policy.order)
        self._frame: Frame = frame
        self.quotas, self.weights = frame.quotas, frame.weights
        own_PW = wide(columns.used_PK, kinds.used_PB, extra, 0)
        self.used: list[list[int]] = summed(own_PW, frame.levels, self._parents).tolist()
        self.own: list[list[int]] = own_PW.tolist()
        self.total_K: list[int] = np.maximum(snapshot.nodes.total_NK.sum(axis=0), 1).tolist()
        past_PK = longer(_averages(columns, snapshot.now_ms, policy), extra, 0)
        average_PK = summed(past_PK, frame.levels, self._parents)
        self.averages: list[list[int]] = average_PK.tolist()
        self._past = self._past_of(average_PK, frame.quota_PW)
        self.claims = [self.share(node) for node in range(len(self.ids))]
        self.vectors = Vectors(kinds=kinds.kinds, nodes=snapshot.nodes)
        self.needs = [self.vectors.wanted(ask, ask.nodes_min) for ask in asks]
        self.sure = [self.vectors.sure(ask, ask.nodes_min) for ask in asks]
        self.taken = 0
        self.over_limit: dict[int, Bound | None] = {}  # None: behind one of its own project
        self._shut: set[int] = set()  # under a strict line: one of its gangs is over a limit

    @property
    def quotas_set(self) -> bool:
        """Whether anything is guaranteed to anybody."""
        return any(amount != UNSET for row in self.quotas for amount in row)

    @property
    def bounds_kinds(self) -> bool:
        """Whether anybody may use at most so much of one kind of GPU."""
        return any(
            kind >= len(KINDS) for each in self._frame.hard.values() for _, kind, _, _ in each
        )

    def chain(self, node: int) -> tuple[int, ...]:
        """The rows from the top down to `node`."""
        known = self._frame.chains.get(node)
        if known is None:
            above = self._parents[node]
            known = (node,) if above == NONE else (*self.chain(above), node)
            self._frame.chains[node] = known
        return known

    def share(self, node: int) -> float:
        """What it has beyond its quota, over its weight: the least is owed the most."""
        most = self._dominant(beyond(self.used[node], self.quotas[node]))
        return (most + self._past[node]) / self.weights[node]

    def codes(self, need_GK: Amounts) -> Amounts:
        """For each gang one bit for each level at which it would not stay within the quota, the top one first."""
        width = need_GK.shape[1]
        quota_PK = np.array(self.quotas, dtype=np.int64).reshape(-1, width)
        used_PK = np.array(self.used, dtype=np.int64).reshape(-1, width)
        chain_GL = self._chains_of(self.node_G)
        code_G = np.zeros(len(need_GK), dtype=np.int64)
        for level in range(chain_GL.shape[1]):
            at_G = chain_GL[:, level]
            quota_GK = quota_PK[at_G]
            told_GK = quota_GK != UNSET
            told_GK[:, B] &= need_GK[:, B] > 0
            fits_GK = ~told_GK | (used_PK[at_G] + need_GK <= quota_GK)
            within_G = told_GK.any(axis=1) & fits_GK.all(axis=1) & ~_unsure(need_GK, quota_GK)
            code_G = np.where(at_G == NONE, code_G, 2 * code_G + ~within_G)
        return code_G

    def own_share(self, node: int) -> float:
        """As `share`, of its own gangs alone, against the projects below it."""
        return self._dominant(self.own[node])

    def within(self, node: int, need: Vector) -> bool:
        """Whether it has a quota, and stays within it when it uses `need` more."""
        found, quotas = False, self.quotas[node]
        for kind, (used, more, quota) in enumerate(zip(self.used[node], need, quotas, strict=True)):
            if quota != UNSET and (more or kind < len(KINDS)):
                if used + more > quota:
                    return False
                found = True
        if len(need) == len(KINDS):
            return found
        pair = np.array([need, quotas], dtype=np.int64)
        return found and not _unsure(pair[:1], pair[1:])[0]

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

    def lends(self, node: int, need: Vector) -> bool:
        """Whether somebody, the project or one that it is part of, would use more than a quota by so much more."""
        return any(
            more and quota != UNSET and used + more > quota
            for at in self.chain(node)
            for used, more, quota in zip(self.used[at], need, self.quotas[at], strict=True)
        )

    def cut(self, node: int, ask: Ask) -> Ask:
        """An elastic ask with no more nodes than the limits leave."""
        if ask.nodes_max == ask.nodes_min:
            return ask
        each = self.vectors.sure(ask, 1)
        if ask.payer != NONE:
            each = self.vectors.of_any(ask, 1, but=full_kinds(self, ask))
        most = [
            (most - self.used[at][kind]) // each[kind]
            for at, kind, most, _ in self.bounds_of(node)
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
        return self.bound_reason(bound, need[bound[1]])

    def bound_reason(self, bound: Bound, need: int) -> Reason:
        """Why a gang waits that would use `need` more of what the bound is of."""
        at, kind, most, code = bound
        what = "limit" if code is ReasonCode.LIMIT else "quota"
        never = ", and all of it is less than it asks" if need > most else ""
        of = f"{self.vectors.kinds[kind - len(KINDS)]} " if kind >= len(KINDS) else ""
        return Reason(
            code=code,
            resource=KINDS[kind] if kind < len(KINDS) else KINDS[GPU],
            need=need,
            have=max(most - self.used[at][kind], 0),
            detail=f"{of}left of the {what} of {self.ids[at]}{never}",
        )

    def bounds_of(self, node: int) -> tuple[Bound, ...]:
        """All that hold for a project, its own and those above it."""
        known = self._frame.bounds.get(node)
        if known is None:
            known = tuple(
                bound for at in self.chain(node) for bound in self._frame.hard.get(at, ())
            )
            self._frame.bounds[node] = known
        return known

    def _exceeded(self, node: int, need: Vector) -> Bound | None:
        for bound in self.bounds_of(node):
            at, kind, most, _ = bound
            if need[kind] and self.used[at][kind] + need[kind] > most:
                return bound
        return None

    def _dominant(self, amounts: list[int]) -> float:
        return max(max(a, 0) / total for a, total in zip(amounts, self.total_K, strict=False))

    def _past_of(self, average_PK: Amounts, quota_PW: Amounts) -> list[float]:
        """The dominant share of what was used on average beyond the quota, times the policy's part of it."""
        quota_PK = np.maximum(quota_PW[:, : len(KINDS)], 0)
        quota_PK[:, GPU] = gpus(quota_PW)
        beyond_PK = np.maximum(average_PK - quota_PK, 0)
        share_P = (beyond_PK / np.array(self.total_K)).max(axis=1, initial=0.0)
        parts_P = np.rint(share_P * PARTS) * self.policy.history_percent / 100
        return (parts_P / PARTS).tolist()

    def _chains_of(self, nodes: list[int]) -> Rows:
        """The chains of nodes as rows, NONE behind their ends."""
        place = {node: at for at, node in enumerate(dict.fromkeys(nodes))}
        chains = [self.chain(node) for node in place]
        depth = max(map(len, chains), default=0)
        padded = [chain + (NONE,) * (depth - len(chain)) for chain in chains]
        table = np.array(padded, dtype=np.intp).reshape(len(place), depth)
        return table[np.array([place[node] for node in nodes], dtype=np.intp)]


def full_kinds(shares: Shares, ask: Ask) -> dict[str, Bound]:
    """Kinds of GPU of which the limits of who pays leave no room for the whole gang."""
    amount = ask.demand.milli_gpu * ask.nodes_min
    found: dict[str, Bound] = {}
    for bound in shares.bounds_of(ask.payer):
        at, kind, most, _ = bound
        if kind >= len(KINDS) and shares.used[at][kind] + amount > most:
            found.setdefault(shares.vectors.kinds[kind - len(KINDS)], bound)
    return found


def shares_of(
    snapshot: Snapshot, policy: Policy, asks: list[Ask], frames: Frames | None = None
) -> Shares | None:
    """The tree of shares; None where nothing is set and the policy asks nothing of it. `frames` are of earlier ones."""
    columns = snapshot.shares
    if columns is None or not (policy.needs_shares or columns.set_P.any()):
        return None
    return Shares(columns, snapshot, policy, asks, frames)


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


def _no_kinds(columns: ShareColumns) -> KindColumns:
    none_PB = np.zeros((len(columns.ids), 0), dtype=np.int64)
    return KindColumns(kinds=(), quota_PB=none_PB, limit_PB=none_PB, used_PB=none_PB)


def _unsure(need_GW: Amounts, quota_GW: Amounts) -> Flags:
    """Whether GPUs are guaranteed by kind alone, and it asks for GPUs of no kind in particular."""
    by_kind_G = (quota_GW[:, GPU] == UNSET) & (quota_GW[:, B] != UNSET).any(axis=1)
    return by_kind_G & (need_GW[:, GPU] > 0) & ~(need_GW[:, B] > 0).any(axis=1)


def _averages(columns: ShareColumns, now_ms: int, policy: Policy) -> Amounts:
    """What each used on average up to now."""
    spans_P = np.maximum(now_ms - columns.since_ms_P, 0) / policy.half_life_ms
    keeps_P = np.exp2(-spans_P)[:, np.newaxis]
    average_PK = columns.history_PK * keeps_P + columns.held_PK * (1.0 - keeps_P)
    return np.rint(average_PK).astype(np.int64)
