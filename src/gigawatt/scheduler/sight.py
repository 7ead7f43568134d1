"""What a reason has to know of the nodes: how many could hold a gang, how many do, and which comes nearest.

There are two that see: `Plain` looks at whole columns, and `known.Known` asks an index. Both say the same
(tests/property/scheduler/test_index.py).
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.ground import (
    Ground,
    alternatives,
    empty_fits_N,
    empty_NK,
    ground,
    reach,
    usable_N,
)
from gigawatt.scheduler.room import Room
from gigawatt.scheduler.snapshot import DEVICE_MILLI, GPU, STATES, Amounts, Flags, NodeColumns

Parts = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The node that is least short of what a gang needs, and what of each kind it could give. Axis K."""

    row: int
    have_K: Amounts


class Sight(Protocol):
    """Counts are of the most nodes (of a stacked gang places) that an ask could be given together."""

    @property
    def nodes(self) -> NodeColumns: ...

    def ever(self, ask: Ask) -> int:
        """If all were empty and took gangs."""
        ...

    def open(self, ask: Ask) -> int:
        """If all that take gangs were empty."""
        ...

    def now(self, ask: Ask) -> int:
        """Of those that it may be given and that have room."""
        ...

    def unheld(self, ask: Ask, *, avoiding: bool) -> int:
        """Of those with room that are not kept for gangs ahead; without `avoiding`, with those that it avoids."""
        ...

    def there(self, ask: Ask) -> bool:
        """Whether any node has a kind of GPU that it names."""
        ...

    def able(self, ask: Ask) -> list[int]:
        """How many nodes of its kinds that hold one node's worth when empty are in each of STATES."""
        ...

    def nearest_empty(self, ask: Ask) -> Nearest:
        """Of all of its kinds, if they were empty."""
        ...

    def nearest_now(self, ask: Ask) -> Nearest:
        """Of those that could be among the ones given if they were empty, as they are."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """By whole columns. Without a `room` only what empty nodes would hold can be asked; `held_N` is kept for gangs ahead."""

    nodes: NodeColumns
    room: Room | None = None
    held_N: Flags | None = None
    _land: dict[Ask, Ground] = field(default_factory=dict[Ask, Ground])

    def ever(self, ask: Ask) -> int:
        return reach(self.nodes, ask, empty_fits_N(self.nodes, ask.demand))

    def open(self, ask: Ask) -> int:
        return reach(self.nodes, ask, self._ground(ask).open_N)

    def now(self, ask: Ask) -> int:
        return self._with_room(ask, self._ground(ask).allowed_N)

    def unheld(self, ask: Ask, *, avoiding: bool) -> int:
        land = self._ground(ask)
        mask_N = land.allowed_N if avoiding else land.open_N
        return self._with_room(ask, mask_N if self.held_N is None else mask_N & ~self.held_N)

    def there(self, ask: Ask) -> bool:
        return bool(_of_kinds(self.nodes, ask).any())

    def able(self, ask: Ask) -> list[int]:
        able_N = empty_fits_N(self.nodes, ask.demand) & _of_kinds(self.nodes, ask)
        return np.bincount(self.nodes.state_N[able_N], minlength=len(STATES)).tolist()

    def nearest_empty(self, ask: Ask) -> Nearest:
        have_NK = empty_NK(self.nodes, ask.demand)
        return _nearest(ask, have_NK, _of_kinds(self.nodes, ask))

    def nearest_now(self, ask: Ask) -> Nearest:
        assert self.room is not None
        mask_N = usable_N(self.nodes, ask, self._ground(ask).allowed_N)
        return _nearest(ask, _free_NK(self.room, ask), mask_N)

    def _ground(self, ask: Ask) -> Ground:
        if ask not in self._land:
            self._land.clear()  # one ask after another is asked about
            self._land[ask] = ground(self.nodes, ask)
        return self._land[ask]

    def _with_room(self, ask: Ask, mask_N: Flags) -> int:
        assert self.room is not None
        places_N = self.room.places_N(ask.demand) if ask.stacked else None
        return reach(self.nodes, ask, mask_N & self.room.fits_N(ask.demand), places_N)


def short(ask: Ask, have_XK: Amounts) -> tuple[Parts, Parts]:
    """What of each kind is missing, as a part of what the gang needs, and the most of it over all kinds."""
    need_K = np.array(ask.demand.vector(), dtype=np.int64)
    short_XK = np.maximum(need_K - have_XK, 0) / np.maximum(need_K, 1)
    return short_XK, short_XK.max(axis=1)


def _nearest(ask: Ask, have_NK: Amounts, mask_N: Flags) -> Nearest:
    rows = np.flatnonzero(mask_N)
    _, short_R = short(ask, have_NK[rows])
    row = int(rows[short_R.argmin()])
    return Nearest(row=row, have_K=have_NK[row])


def _free_NK(room: Room, ask: Ask) -> Amounts:
    """What each node could give to the demand now: whole devices, or a share of the widest one; sealed ones nothing."""
    free_NK = room.free_KN.T.copy()
    gpu_N = room.widest_N if ask.demand.share else room.idle_N * DEVICE_MILLI
    free_NK[:, GPU] = np.minimum(free_NK[:, GPU], gpu_N)
    free_NK[room.sealed_N] = 0
    return free_NK


def _of_kinds(nodes: NodeColumns, ask: Ask) -> Flags:
    everywhere_N = np.ones(len(nodes.ids), dtype=np.bool_)
    return np.logical_or.reduce(
        [np.zeros_like(everywhere_N), *alternatives(nodes, ask, everywhere_N)]
    )
