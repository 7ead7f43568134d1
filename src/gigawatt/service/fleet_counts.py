"""How many nodes and GPUs of a part of the fleet are busy, idle, down or unwell: any span of rows at once."""

import numpy as np
import numpy.typing as npt

from gigawatt.model.node import NodeState
from gigawatt.service.fleet_state import CHECKS, STATES, FleetState
from gigawatt.service.views.fleet import FleetCountView

_READY = STATES.index(NodeState.READY.value)
_DOWN = STATES.index(NodeState.DOWN.value)
_WARN = CHECKS.index("warn")
_UNWELL = 10  # from one failure on, in units of SUSPICION_UNIT


class Counts:
    """Sums over spans of rows, each looked up in sums from the first row on."""

    def __init__(self, state: FleetState) -> None:
        self.revision = state.revision
        gpus = state.layout.gpus_N.astype(np.int64)
        ready = state.state_N == _READY
        busy = np.where(gpus > 0, np.bitwise_count(state.bits_N.astype(np.uint64)), 0)
        unwell = (state.check_N >= _WARN) | (state.suspicion_N >= _UNWELL)
        columns = (
            gpus,
            busy,
            np.where(ready, gpus - busy, 0),
            state.state_N == _DOWN,
            unwell,
            state.power_N // 1_000,
        )
        self._sums = [_sums(np.asarray(column, dtype=np.int64)) for column in columns]

    def of(self, first: int, end: int) -> FleetCountView:
        """Of the rows from `first` to before `end`."""
        gpus, busy, idle, down, unwell, watts = [int(s[end] - s[first]) for s in self._sums]
        return FleetCountView(
            nodes=end - first,
            gpus=gpus,
            busy=busy,
            idle=idle,
            unavailable=gpus - busy - idle,
            down=down,
            unwell=unwell,
            watts=watts,
        )


def _sums(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(values)])
