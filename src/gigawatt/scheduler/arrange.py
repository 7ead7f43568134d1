"""Segments and spread: of free nodes those from which a gang may be given any that it would be given.

Both are said by domain of one level. For segments, each domain keeps as many nodes as whole segments take; whatever takes
whole domains, and the rest out of one, as the placement does at every level, then takes whole segments everywhere. For
spread, each domain keeps no more than may be there. What is kept of a domain are its first nodes by id, so what
segments leave over is the same few nodes every time.
"""

import numpy as np

from gigawatt.model.node import TOPOLOGY_LEVELS
from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.snapshot import NONE, Amounts, Flags, NodeColumns, Rows


def arranged(nodes: NodeColumns, ask: Ask, mask_N: Flags) -> Flags:
    """Those of `mask_N`, which are of one kind, that are left for the gang's segments and spread."""
    terms = ask.terms
    if terms.segment:
        rows, codes, counts_D = _by_domain(nodes, terms.segment_level, mask_N)
        kept_D = counts_D // terms.segment * terms.segment
        mask_N = _first(mask_N, rows, codes, kept_D)
    return mask_N if terms.spread_level == NONE else _spread(nodes, ask, mask_N)


def spares_last(ask: Ask, rows: Rows) -> Rows:
    """Rows in rank order, of which each segment's last are its spares, with all spares behind the others."""
    terms = ask.terms
    parts = rows.reshape(-1, terms.segment or len(rows))
    own = parts.shape[1] - terms.spares
    return np.concatenate([parts[:, :own].reshape(-1), parts[:, own:].reshape(-1)])


def told(ask: Ask) -> str:
    """What the gang asks of it, for a reason: `in segments of 16 in one rack, at most 2 in one leaf`."""
    terms, parts = ask.terms, list[str]()
    if terms.segment:
        parts.append(
            f"in segments of {terms.segment} in one {TOPOLOGY_LEVELS[terms.segment_level]}"
        )
    if terms.spread_level != NONE and terms.spread_most:
        parts.append(f"at most {terms.spread_most} in one {TOPOLOGY_LEVELS[terms.spread_level]}")
    if terms.spares:
        parts.append("spares included")
    return " " + ", ".join(parts) if parts else ""


def _spread(nodes: NodeColumns, ask: Ask, mask_N: Flags) -> Flags:
    """At most so many in each domain; where none is named, the fewest with which there are as many as there can be."""
    rows, codes, counts_D = _by_domain(nodes, ask.terms.spread_level, mask_N)
    if not len(rows):
        return np.zeros_like(mask_N)
    most = ask.terms.spread_most
    if not most:
        group_D = _outer(nodes, ask, rows, codes, len(counts_D))
        wanted = min(ask.nodes_max, _largest(counts_D, group_D))
        low, high = 1, int(counts_D.max())
        while low < high:
            middle = (low + high) // 2
            if _largest(np.minimum(counts_D, middle), group_D) >= wanted:
                high = middle
            else:
                low = middle + 1
        most = -(-low // ask.terms.step) * ask.terms.step
    most -= most % ask.terms.step  # whole segments, of which one after another is taken
    if ask.terms.segment:
        order = np.argsort(nodes.topology_NL[rows, ask.terms.segment_level], kind="stable")
        rows, codes = rows[order], codes[order]
    return _first(mask_N, rows, codes, np.minimum(counts_D, most))


def _by_domain(nodes: NodeColumns, level: int, mask_N: Flags) -> tuple[Rows, Rows, Amounts]:
    """Rows of the mask in a known domain of the level, their domains, and how many each has."""
    rows = np.flatnonzero(mask_N)
    codes = nodes.topology_NL[rows, level]
    rows, codes = rows[codes != NONE], codes[codes != NONE]
    return rows, codes.astype(np.intp), np.bincount(codes, minlength=len(nodes.domains[level]))


def _first(mask_N: Flags, rows: Rows, codes: Rows, kept_D: Amounts) -> Flags:
    """Of the rows of each domain the first so many."""
    order = np.argsort(codes, kind="stable")
    counts_D = np.bincount(codes, minlength=len(kept_D))
    starts_D = np.cumsum(counts_D) - counts_D
    place = np.arange(len(order)) - starts_D[codes[order]]
    kept_N = np.zeros_like(mask_N)
    kept_N[rows[order[place < kept_D[codes[order]]]]] = True
    return kept_N


def _outer(nodes: NodeColumns, ask: Ask, rows: Rows, codes: Rows, domains: int) -> Rows:
    """Of each domain the one of `same` that it lies in; all in one where the gang asks for none."""
    group_D = np.zeros(domains, dtype=np.intp)
    if ask.same != NONE:
        group_D[codes] = nodes.topology_NL[rows, ask.same] + 1  # 0 where that is not known
    return group_D


def _largest(counts_D: Amounts, group_D: Rows) -> int:
    """The most nodes that are together."""
    return int(np.bincount(group_D, weights=counts_D).max())
