"""The states that nodes are in, told apart: of a large fleet most nodes are in one of few.

What a demand makes of a node depends on the node's state alone, so it is worked out once a state and looked up for
nodes. A state gets a code when it is first met and keeps it. State 0 is no node: nothing fits there.

    S  states, by code
    V  what makes a state, in the order of `_FIELDS`, and then the milli-GPUs of each device
"""

from typing import cast

import numpy as np

from gigawatt.model.node import NodeState
from gigawatt.model.resources import KINDS
from gigawatt.scheduler.ask import Demand
from gigawatt.scheduler.room import Rest, left_for, left_over
from gigawatt.scheduler.snapshot import (
    CPU,
    DEVICE_MILLI,
    GPU,
    STATES,
    Amounts,
    Codes,
    Flags,
    NodeColumns,
    Rows,
)

NOWHERE = 0
READY = STATES.index(NodeState.READY)
FREE = len(KINDS)  # after the totals
DEVICE_COUNT, GPU_KIND, STATE, SEALED, GANGS, DEVICES = range(2 * len(KINDS), 2 * len(KINDS) + 6)
STANDING = [*range(len(KINDS)), DEVICE_COUNT, GPU_KIND, STATE]  # all but what runs there

Taken = tuple[int, tuple[int, ...]]
"""The state that a node is in when a demand has been given to it, and the places of the devices given."""


class States:
    """Grows, and never forgets: a code means the same for as long as this lives."""

    def __init__(self, width: int) -> None:
        self._values_SV: Amounts = np.zeros((1, DEVICES + width), dtype=np.int64)
        self._codes: dict[bytes, int] = {}
        self._taken: dict[Demand, dict[int, Taken]] = {}
        self.count = 0
        self._put(self._values_SV[0])

    def codes(self, nodes: NodeColumns, rows: Rows) -> Codes:
        """The code of the state that each of `rows` is in."""
        values = np.concatenate(
            [
                nodes.total_NK[rows],
                nodes.free_NK[rows],
                np.stack(
                    [
                        nodes.device_count_N[rows],
                        nodes.gpu_kind_N[rows],
                        nodes.state_N[rows],
                        nodes.sealed_N[rows],
                        nodes.gangs_N[rows],
                    ],
                    axis=1,
                ),
                nodes.device_free_ND[rows],
            ],
            axis=1,
            dtype=np.int64,
        )
        width = np.dtype((np.void, values.itemsize * values.shape[1]))
        keys = cast(list[bytes], values.view(width).reshape(-1).tolist())
        known = self._codes
        found = [known.get(key, NOWHERE) for key in keys]
        for place, code in enumerate(found):
            if code == NOWHERE:
                found[place] = self._code(keys[place], values[place])
        return np.array(found, dtype=np.int32)

    def taker(self, demand: Demand) -> dict[int, Taken]:
        """What is known of giving `demand`, by state; what is not known yet is answered by `take`."""
        return self._taken.setdefault(demand, {})

    def take(self, demand: Demand, code: int) -> Taken:
        """The state of a node of state `code`, where it fits, once it is given `demand`."""
        values = self._values_SV[code].copy()
        values[FREE : FREE + len(KINDS)] -= demand.vector()
        values[GANGS] += 1
        values[SEALED] |= demand.alone
        places: tuple[int, ...] = ()
        device = values[DEVICES:]
        if demand.devices:
            places = tuple(np.flatnonzero(device == DEVICE_MILLI)[: demand.devices].tolist())
            device[list(places)] = 0
        elif demand.share:
            tight = np.where(device >= demand.share, device, DEVICE_MILLI + 1)
            places = (int(tight.argmin()),)
            device[places[0]] -= demand.share
        taken = self._taken.setdefault(demand, {})[code] = (
            self._code(values.tobytes(), values),
            places,
        )
        return taken

    def fits_S(self, demand: Demand, kind: int | None, start: int) -> Flags:
        """Of the states from `start` on, where `demand` may be given now: open, large enough, free, of GPU `kind`."""
        values = self._values_SV[start : self.count]
        device = values[:, DEVICES:]
        fits = (values[:, STATE] == READY) & (values[:, SEALED] == 0)
        fits[: 1 if start == NOWHERE else 0] = False
        for each, amount in enumerate(demand.vector()):
            if amount:
                fits &= values[:, FREE + each] >= amount
        if demand.devices:
            fits &= (device == DEVICE_MILLI).sum(axis=1) >= demand.devices
        if demand.share:
            fits &= device.max(axis=1, initial=0) >= demand.share
        if demand.alone:
            fits &= values[:, GANGS] == 0
        if kind is not None:
            fits &= values[:, GPU_KIND] == kind
        return fits if demand.divisible else np.zeros_like(fits)

    def empty_SK(self, demand: Demand) -> Amounts:
        """What a node in each state could give to `demand` if it were empty, as `ground.empty_NK` says it of nodes."""
        values = self._values_SV[: self.count]
        have_SK = values[:, : len(KINDS)].copy()
        devices = values[:, DEVICE_COUNT]
        devices = np.minimum(devices, 1) if demand.share else devices
        have_SK[:, GPU] = np.minimum(have_SK[:, GPU], devices * DEVICE_MILLI)
        return have_SK

    def ever_S(self, demand: Demand) -> Flags:
        """The states of nodes that hold one node's worth of `demand` when they are empty."""
        ever_S: Flags = np.all(self.empty_SK(demand) >= np.array(demand.vector()), axis=1)
        ever_S[NOWHERE] = False
        return ever_S if demand.divisible else np.zeros_like(ever_S)

    def free_SK(self, demand: Demand) -> Amounts:
        """What a node in each state could give to `demand` now: whole devices, or a share of the widest; sealed, nothing."""
        values = self._values_SV[: self.count]
        free_SK, device = values[:, FREE : FREE + len(KINDS)].copy(), values[:, DEVICES:]
        idle_S = (device == DEVICE_MILLI).sum(axis=1) * DEVICE_MILLI
        gpu_S = device.max(axis=1, initial=0) if demand.share else idle_S
        free_SK[:, GPU] = np.minimum(free_SK[:, GPU], gpu_S)
        free_SK[values[:, SEALED] != 0] = 0
        return free_SK

    def column(self, what: int) -> Amounts:
        """One of what makes a state, of every state."""
        return self._values_SV[: self.count, what]

    def widest_S(self) -> Amounts:
        """The milli-GPUs of the widest device of a node in each state."""
        return self._values_SV[: self.count, DEVICES:].max(axis=1, initial=0)

    def stands(self, old: Codes, new: Codes) -> bool:
        """Whether nodes that went from these states to those are what they were, and as open."""
        before, after = self._values_SV[old], self._values_SV[new]
        return bool((before[:, STANDING] == after[:, STANDING]).all())

    def free_S(self, demand: Demand, start: int) -> Amounts:
        """Of the states from `start` on, what is free of the kind that counts for `demand`."""
        return self._values_SV[start : self.count, FREE + (GPU if demand.milli_gpu else CPU)]

    def rest(self, rows: Rows, codes: Codes) -> Rest:
        """What is left of `rows` in these states."""
        values = self._values_SV[codes]
        return Rest(
            rows=rows,
            free_RK=values[:, FREE : FREE + len(KINDS)],
            device_RD=values[:, DEVICES:],
            gangs_R=values[:, GANGS],
            sealed_R=values[:, SEALED] != 0,
        )

    def of_kind(self, kind: int, codes: Codes) -> Amounts:
        """What is free of one kind on nodes in these states."""
        return self._values_SV[codes, FREE + kind]

    def left_S(self, demand: Demand, largest_K: Amounts, start: int) -> Amounts:
        """Of the states from `start` on, what `Room.left` says of a node in them."""
        values = self._values_SV[start : self.count]
        left = left_over(values[:, FREE : FREE + len(KINDS)].T, largest_K)
        return left_for(demand, left, values[:, DEVICES:], values[:, DEVICE_COUNT] > 0)

    def _code(self, key: bytes, values: Amounts) -> int:
        code = self._codes.get(key)
        if code is None:
            code = self._codes[key] = self._put(values)
        return code

    def _put(self, values: Amounts) -> int:
        if self.count == len(self._values_SV):
            more = np.zeros((2 * self.count, self._values_SV.shape[1]), dtype=np.int64)
            more[: self.count] = self._values_SV
            self._values_SV = more
        self._values_SV[self.count] = values
        self.count += 1
        return self.count - 1
