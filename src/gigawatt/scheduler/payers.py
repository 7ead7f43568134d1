"""Limits of single kinds of GPU, where a gang may be given others: which nodes its project may still pay for.

A gang of which the limits leave no room for the whole on one kind of GPU is given no node of that kind. One that names no
kind and could be on several at once is held to that too, so it may wait for a limit that a mixture would have kept.
"""

from dataclasses import replace

import numpy as np

from gigawatt.model.reason import Reason
from gigawatt.model.resources import KINDS
from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.share import Bound, Shares, full_kinds
from gigawatt.scheduler.snapshot import NONE, Flags, NodeColumns, Rows


def told_apart(shares: Shares, asks: list[Ask], ask_G: Rows) -> tuple[list[Ask], Rows]:
    """The different asks of a line and who asks which, by project too where limits are by kind of GPU."""
    if not shares.bounds_kinds:
        return asks, ask_G
    asks, ask_G = list(asks), ask_G.copy()
    known: dict[tuple[int, int], int] = {}
    indices: list[int] = ask_G.tolist()
    for row, (index, node) in enumerate(zip(indices, shares.node_G, strict=True)):
        bounded = any(kind >= len(KINDS) for _, kind, _, _ in shares.bounds_of(node))
        if not (bounded and asks[index].demand.milli_gpu):
            continue
        if (index, node) not in known:
            known[index, node] = len(asks)
            asks.append(replace(asks[index], payer=node))
            shares.needs.append(shares.needs[index])
            shares.sure.append(shares.sure[index])
        ask_G[row] = known[index, node]
    return asks, ask_G


def full_N(shares: Shares, ask: Ask, nodes: NodeColumns) -> Flags:
    """Nodes of kinds of GPU of which the payer's limits leave no room for the gang."""
    full = full_kinds(shares, ask)
    codes = [code for code, kind in enumerate(nodes.gpu_kinds) if kind in full]
    return np.isin(nodes.gpu_kind_N, codes)


def left(shares: Shares, ask: Ask) -> Ask | None:
    """The same for the kinds that the limits leave, for nobody in particular; None where there is none."""
    full = full_kinds(shares, ask)
    if not full:
        return replace(ask, payer=NONE)
    kinds = tuple([kind for kind in shares.vectors.possible(ask) if kind not in full])
    return replace(ask, kinds=kinds, payer=NONE) if kinds else None


def kind_reason(shares: Shares, ask: Ask) -> Reason:
    """Why the limits keep it from the kind of GPU that it wants most, of those that they keep it from."""
    full = full_kinds(shares, ask)
    bound: Bound = next(full[kind] for kind in shares.vectors.possible(ask) if kind in full)
    return shares.bound_reason(bound, ask.demand.milli_gpu * ask.nodes_min)
