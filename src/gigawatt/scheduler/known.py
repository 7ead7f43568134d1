"""What a reason has to know of the nodes, from an index: worked out once a state of nodes, not once a node.

S  states, by code
"""

import numpy as np

from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.index import Index
from gigawatt.scheduler.sight import Nearest, short
from gigawatt.scheduler.snapshot import Amounts, Flags, NodeColumns


class Known:
    """A `Sight` for asks that the index answers, in rounds that keep nothing of what they might be given."""

    def __init__(self, index: Index) -> None:
        self._index = index

    @property
    def nodes(self) -> NodeColumns:
        return self._index.nodes

    def ever(self, ask: Ask) -> int:
        return self._index.reach(ask, open_only=False)

    def open(self, ask: Ask) -> int:
        return self._index.reach(ask, open_only=True)

    def now(self, ask: Ask) -> int:
        return self._index.now(ask)

    def unheld(self, ask: Ask, *, avoiding: bool) -> int:
        return self._index.now(ask)

    def there(self, ask: Ask) -> bool:
        return bool(self._index.kinds(ask))

    def able(self, ask: Ask) -> list[int]:
        return self._index.able(ask)

    def nearest_empty(self, ask: Ask) -> Nearest:
        index = self._index
        some_S = index.of_kinds_S(ask)
        return self._nearest(ask, index.states.empty_SK(ask.demand), some_S[index.codes_N])

    def nearest_now(self, ask: Ask) -> Nearest:
        have_SK = self._index.states.free_SK(ask.demand)
        return self._nearest(ask, have_SK, self._index.usable_N(ask))

    def _nearest(self, ask: Ask, have_SK: Amounts, mask_N: Flags) -> Nearest:
        _, short_S = short(ask, have_SK)
        short_N = np.where(mask_N, short_S[self._index.codes_N], np.inf)
        row = int(short_N.argmin())
        return Nearest(row=row, have_K=have_SK[self._index.codes_N[row]])
