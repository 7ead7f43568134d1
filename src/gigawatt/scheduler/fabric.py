"""Where nodes stand, in a form to be read domain by domain. It is made anew when nodes come or go."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.model.node import TOPOLOGY_LEVELS
from gigawatt.scheduler.snapshot import LEVELS, NONE, NodeColumns, Rows

EVERYWHERE = -1  # the level outside the outermost: one domain with every node
MEMBERS_MAX = 64  # of an innermost domain, so that all of them can be looked at together


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The domains of one level. `names` for short below: D domains, M members of the largest."""

    codes_N: Rows  # the domain of each node
    starts_D: Rows  # where its rows begin in `rows_N`, and one more place for the end
    rows_N: Rows  # rows by domain, ascending in each
    domains: int

    def rows(self, code: int) -> Rows:
        """The rows of one domain, ascending. Not to be written to."""
        return self.rows_N[self.starts_D[code] : self.starts_D[code + 1]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """`levels` has those at which every node is in a domain that may hold others too, and EVERYWHERE."""

    levels: dict[int, Level]
    innermost: int  # of `levels`
    members_DM: Rows  # rows of each innermost domain, ascending; filled up with the number of nodes
    rank_N: Rows  # the place of each node when neighbours stand together
    rank: list[int]  # the same
    domain_of: list[int]  # the innermost domain of each row
    members: list[list[int]]  # the rows of each innermost domain, ascending


def fabric_of(nodes: NodeColumns) -> Fabric | None:
    """None where some nodes have no known domain at a level at which others have one, or innermost domains are large."""
    count = len(nodes.ids)
    levels = {EVERYWHERE: _level(np.zeros(count, dtype=np.intp), 1)}
    for depth in range(LEVELS):
        codes_N = nodes.topology_NL[:, depth].astype(np.intp)
        unknown = int((codes_N == NONE).sum())
        if 0 < unknown < count:
            return None
        if not unknown and len(nodes.domains[depth]) < count:
            levels[depth] = _level(codes_N, len(nodes.domains[depth]))
    innermost = max(levels)
    inner = levels[innermost]
    members_DM = _members(inner)
    if members_DM.shape[1] > MEMBERS_MAX:
        return None
    order = np.lexsort(
        [np.arange(count), *(nodes.topology_NL[:, depth] for depth in reversed(range(LEVELS)))]
    )
    rank_N = np.empty(count, dtype=np.intp)
    rank_N[order] = np.arange(count)
    return Fabric(
        levels=levels,
        innermost=innermost,
        members_DM=members_DM,
        rank_N=rank_N,
        rank=rank_N.tolist(),
        domain_of=inner.codes_N.tolist(),
        members=[inner.rows(code).tolist() for code in range(inner.domains)],
    )


def domains_of(nodes: NodeColumns, ids: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The names of the domains that hold these nodes, sorted, by level from the outermost, without the nodes' own.

    A name that two of them share is told as a path from the site down. Levels that any of the nodes lacks are left out.
    """
    rows = [nodes.row(each) for each in ids]
    found: list[tuple[str, tuple[str, ...]]] = []
    for level, name in enumerate(TOPOLOGY_LEVELS[:-1]):
        codes: list[int] = np.unique(nodes.topology_NL[rows, level]).tolist()
        if codes and NONE not in codes:
            paths = [nodes.domains[level][code] for code in codes]
            found.append((name, _told_apart(paths)))
    return tuple(found)


def _level(codes_N: Rows, domains: int) -> Level:
    rows_N = np.argsort(codes_N, kind="stable")
    starts_D = np.searchsorted(codes_N[rows_N], np.arange(domains + 1))
    return Level(codes_N=codes_N, starts_D=starts_D, rows_N=rows_N, domains=domains)


def _members(level: Level) -> Rows:
    sizes_D = np.diff(level.starts_D)
    place_N = np.arange(len(level.rows_N)) - np.repeat(level.starts_D[:-1], sizes_D)
    members_DM = np.full((level.domains, int(sizes_D.max(initial=1))), len(level.rows_N))
    members_DM[level.codes_N[level.rows_N], place_N] = level.rows_N
    return members_DM


def _told_apart(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    names = {path[-1] for path in paths}
    if len(names) < len(paths):
        names = {"/".join(part for part in path if part) for path in paths}
    return tuple(sorted(names))
