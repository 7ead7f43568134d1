"""Why a gang waits: one dominant reason, with the two numbers that disagree.

The reasons are looked for from the most to the least lasting: what no cluster of this size could hold, what needs
nodes that are away, what is kept for another, what its own history keeps it from, and last what others use.
"""

import numpy as np

from gigawatt.model.node import TOPOLOGY_LEVELS, NodeState
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.model.resources import KINDS
from gigawatt.scheduler.arrange import told
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
from gigawatt.scheduler.snapshot import (
    DEVICE_MILLI,
    GPU,
    NONE,
    STATES,
    Amounts,
    Flags,
    NodeColumns,
)

AWAY = tuple(state for state in STATES if state is not NodeState.READY)


def why_never(nodes: NodeColumns, ask: Ask) -> Reason | None:
    """Why these nodes could not hold the gang even if all were empty and open; None if they could."""
    if not nodes.ids:
        return Reason(code=ReasonCode.NO_NODES, resource="nodes", need=ask.nodes_min)
    demand = ask.demand
    if not demand.divisible:
        whole = demand.devices * DEVICE_MILLI
        detail = "more than one GPU is given in whole devices"
        return _impossible(KINDS[GPU], demand.milli_gpu, whole, detail)
    ever_N = empty_fits_N(nodes, demand)
    have = reach(nodes, ask, ever_N)
    if have >= ask.nodes_min:
        return None
    kinds_N = _of_kinds(nodes, ask)
    if not kinds_N.any():
        there = ", ".join(nodes.gpu_kinds) or "no GPU"
        detail = f"it names {' or '.join(ask.kinds)}; there is {there}"
        return Reason(code=ReasonCode.GPU_KIND, resource="nodes", need=ask.nodes_min, detail=detail)
    if not (ever_N & kinds_N).any():
        return _nearest(ReasonCode.IMPOSSIBLE, nodes, ask, empty_NK(nodes, demand), kinds_N)
    return _impossible(_counted(ask), ask.nodes_min, have, _large_enough(ask))


def why_not_now(room: Room, ask: Ask, held_N: Flags, now_ms: int) -> Reason:
    """Why a gang waits that these nodes could hold, with what is free in `room`; `held_N` is kept for gangs ahead."""
    if not ask.may_run(now_ms):
        return _outside_window(ask, now_ms)
    land = ground(room.nodes, ask)
    return _away(room.nodes, ask, land) or _taken(room, ask, land, held_N)


def _outside_window(ask: Ask, now_ms: int) -> Reason:
    """`need` is the time at which the next window opens, in ms; 0 if none does. Now is left out: it would never rest."""
    next_ms = min((start for start, _ in ask.windows if start > now_ms), default=0)
    detail = "the next has not opened yet" if next_ms else "the last is over"
    return Reason(code=ReasonCode.OUTSIDE_WINDOW, need=next_ms, detail=detail)


def _away(nodes: NodeColumns, ask: Ask, land: Ground) -> Reason | None:
    """It would fit if nodes that are cordoned, drained or down came back."""
    have = reach(nodes, ask, land.open_N)
    if have >= ask.nodes_min:
        return None
    states = nodes.state_N[land.ever_N & _of_kinds(nodes, ask)]
    counts = [(state, int((states == STATES.index(state)).sum())) for state in AWAY]
    return Reason(
        code=ReasonCode.NODES_UNAVAILABLE,
        resource=_counted(ask),
        need=ask.nodes_min,
        have=have,
        detail=", ".join(f"{count} {state}" for state, count in counts if count),
    )


def _taken(room: Room, ask: Ask, land: Ground, held_N: Flags) -> Reason:
    """It would fit these nodes if they were empty: others have them, or are to have them."""
    nodes, fits_N = room.nodes, room.fits_N(ask.demand)
    places_N = room.places_N(ask.demand) if ask.stacked else None
    now = reach(nodes, ask, land.allowed_N & fits_N, places_N)
    if now >= ask.nodes_min:
        return Reason(
            code=ReasonCode.HELD_FOR_HEAD,
            resource=_counted(ask),
            need=ask.nodes_min,
            have=reach(nodes, ask, land.allowed_N & fits_N & ~held_N, places_N),
        )
    if reach(nodes, ask, land.open_N & fits_N & ~held_N, places_N) >= ask.nodes_min:
        return Reason(
            code=ReasonCode.AVOIDED_NODES,
            resource=_counted(ask),
            need=ask.nodes_min,
            have=now,
        )
    alike = now or ask.demand.alone or ask.terms.arranged
    if alike or not any(ask.demand.vector()):
        return _busy_nodes(ask, now)
    candidates_N = usable_N(nodes, ask, land.allowed_N)
    return _nearest(ReasonCode.RESOURCES_BUSY, nodes, ask, _free_NK(room, ask), candidates_N)


def _nearest(
    code: ReasonCode, nodes: NodeColumns, ask: Ask, have_NK: Amounts, mask_N: Flags
) -> Reason:
    """The resource that is most short on the node of `mask_N` that is least short of what the gang needs."""
    rows = np.flatnonzero(mask_N)
    need_K = np.array(ask.demand.vector(), dtype=np.int64)
    short = np.maximum(need_K - have_NK[rows], 0) / np.maximum(need_K, 1)
    place = int(short.max(axis=1).argmin())
    row, kind = int(rows[place]), int(short[place].argmax())
    have = int(have_NK[row, kind])
    assert have < need_K[kind], f"{nodes.ids[row]} has room for {ask}"
    detail = f"on {nodes.ids[row]}, the node that comes nearest"
    need = int(need_K[kind])
    return Reason(code=code, resource=KINDS[kind], need=need, have=max(have, 0), detail=detail)


def _free_NK(room: Room, ask: Ask) -> Amounts:
    """What each node could give to the demand now: whole devices, or a share of the widest one; sealed ones nothing."""
    free_NK = room.free_KN.T.copy()
    gpu_N = room.widest_N if ask.demand.share else room.idle_N * DEVICE_MILLI
    free_NK[:, GPU] = np.minimum(free_NK[:, GPU], gpu_N)
    free_NK[room.sealed_N] = 0
    return free_NK


def _busy_nodes(ask: Ask, have: int) -> Reason:
    what = "places with" if ask.stacked else "nodes with"
    what = "empty nodes" if ask.demand.alone else f"{what} enough free"
    return Reason(
        code=ReasonCode.RESOURCES_BUSY,
        resource=_counted(ask),
        need=ask.nodes_min,
        have=have,
        detail=f"counting {what}{_in_one(ask)}",
    )


def _impossible(resource: str, need: int, have: int, detail: str) -> Reason:
    return Reason(
        code=ReasonCode.IMPOSSIBLE, resource=resource, need=need, have=have, detail=detail
    )


def _of_kinds(nodes: NodeColumns, ask: Ask) -> Flags:
    everywhere_N = np.ones(len(nodes.ids), dtype=np.bool_)
    return np.logical_or.reduce(
        [np.zeros_like(everywhere_N), *alternatives(nodes, ask, everywhere_N)]
    )


def _counted(ask: Ask) -> str:
    return "places" if ask.stacked else "nodes"


def _large_enough(ask: Ask) -> str:
    return f"counting {_counted(ask)} that are large enough{_in_one(ask)}"


def _in_one(ask: Ask) -> str:
    kind = " of one kind of GPU" if len(ask.kinds) > 1 else ""
    kind += told(ask)
    return kind if ask.same == NONE else f"{kind} in one {TOPOLOGY_LEVELS[ask.same]}"
