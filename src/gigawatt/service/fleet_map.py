"""The map's file for one viewer: what the state is to them. What they cannot see is `other`, without a name or a number."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from gigawatt.model.tenant import Caller, Role
from gigawatt.service.fleet_counts import Counts
from gigawatt.service.fleet_layout import DEVICES_MAX
from gigawatt.service.fleet_state import (
    CHECKS,
    PHASES,
    STATES,
    SUSPICION_UNIT,
    FleetState,
)
from gigawatt.service.fleet_wire import Array, Packed, pack
from gigawatt.service.permissions import sees

NOBODY, OTHER, FIRST = 0, 1, 2  # codes of gangs on the wire
TEN_WATTS = 10_000  # milliwatts: the unit of power on the wire
U16_MAX = 65_535
REST_S_MAX = 2.0  # after that it is looked at anew, whatever that takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Whom a file is for: everyone for whom this is the same is sent the same."""

    tenant: str
    project: str
    operator: bool


@dataclass(slots=True, kw_only=True)
class FleetMap:
    """What is kept between calls. The state is read and written with `turn` held, in threads that wait for each other."""

    state: FleetState = field(default_factory=FleetState)
    files: OrderedDict[Viewer, tuple[int, Packed]] = field(
        default_factory=OrderedDict[Viewer, tuple[int, Packed]]
    )
    counts: Counts | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    taken_s: float = -REST_S_MAX
    took_s: float = 0.0


def viewer_of(caller: Caller) -> Viewer:
    """What of a caller decides what it sees."""
    operator = caller.role is Role.OPERATOR
    return Viewer(
        tenant="" if operator else caller.tenant, project=caller.project, operator=operator
    )


def state_file(state: FleetState, caller: Caller) -> Packed:
    """The state as a file, for this caller."""
    layout, operator = state.layout, caller.role is Role.OPERATOR
    seen_O = np.array([sees(caller, *owner) for owner in state.owners], dtype=np.bool_)
    owner_S = np.array(state.owner_S, dtype=np.int64)
    seen_S = seen_O[owner_S] if len(owner_S) else np.zeros(0, dtype=np.bool_)
    code_S = np.where(seen_S, np.arange(len(owner_S)) + FIRST, OTHER)
    code_S = np.append(code_S, NOBODY)  # which EMPTY finds
    names = [_owner_name(owner, operator) for owner in state.owners]
    shown_O = np.cumsum(seen_O) * seen_O  # from 1 on; 0 is others
    arrays: dict[str, Array] = {
        "state": state.state_N,
        "check": state.check_N,
        "suspicion": state.suspicion_N,
        "used": state.used_N,
        "power": np.minimum(state.power_N // TEN_WATTS, U16_MAX).astype(np.uint16),
        "gang": code_S[state.slot_N].astype(np.uint32),
        "bits": state.bits_N.astype(_bits_type(layout.gpus_N)),
        **_parts(state, code_S),
        "gang_owner": _per_gang(shown_O[owner_S] if len(owner_S) else owner_S, seen_S, np.uint16),
        "gang_phase": _per_gang(np.array(state.phase_S, dtype=np.int64), seen_S, np.uint8),
    }
    if state.heat_N.any():
        arrays["heat"] = state.heat_N
    header = {
        "format": "state",
        "layout": layout.version,
        "states": STATES,
        "checks": CHECKS,
        "phases": PHASES,
        "owners": ["", *(name for name, seen in zip(names, seen_O, strict=True) if seen)],
        "suspicion_unit": SUSPICION_UNIT,
        "power_unit_w": TEN_WATTS // 1_000,
        "power_reported": int(np.count_nonzero(state.metered_N)),
    }
    return pack(header, arrays)


def _owner_name(owner: tuple[str, str], operator: bool) -> str:  # noqa: FBT001 - one of two ways
    return "/".join(owner) if operator else owner[1]


def _per_gang(values: Array, seen_S: Array, kind: type[np.uint8] | type[np.uint16]) -> Array:
    """By code; of nobody, of others, and of what cannot be seen it is 0."""
    return np.concatenate([np.zeros(FIRST, dtype=kind), (values * seen_S).astype(kind)])


def _bits_type(gpus_N: Array) -> type[np.uint8] | type[np.uint16] | type[np.uint32]:
    most = int(gpus_N.max(initial=1))
    assert most <= DEVICES_MAX, most
    return np.uint8 if most <= 8 else np.uint16 if most <= 16 else np.uint32


def _parts(state: FleetState, code_S: Array) -> dict[str, Array]:
    """Of nodes with several gangs: which has which devices."""
    codes: list[int] = code_S.tolist()
    found = [
        (row, codes[slot], bits)
        for row in sorted(state.sharing)
        for slot, bits in state.sharing[row].items()
    ]
    columns = np.array(found, dtype=np.uint32).reshape(-1, 3)
    return {
        "part_row": columns[:, 0],
        "part_gang": columns[:, 1],
        "part_bits": columns[:, 2],
    }
