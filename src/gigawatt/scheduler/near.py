"""How near nodes are to a gang's data: what of it they keep already."""

import numpy as np

from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.snapshot import Amounts, NodeColumns, Rows

MIB_SHIFT = 20  # sums over a cluster's nodes stay within 64 bits


def kept(nodes: NodeColumns, ask: Ask, rows: Rows) -> Amounts:
    """Of the trees that it reads, how many MiB each of `rows` keeps; a small one counts as one."""
    sizes = {digest: max(1, size >> MIB_SHIFT) for digest, size in ask.data}
    by_list = [sum(sizes.get(digest, 0) for digest in digests) for digests in nodes.cached_lists]
    return np.array(by_list, dtype=np.int64)[nodes.cached_N[rows]]
