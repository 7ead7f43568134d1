"""Why a gang waits: one dominant reason, with the two numbers that disagree.

The reasons are looked for from the most to the least lasting: what no cluster of this size could hold, what needs
nodes that are away, what is kept for another, what its own history keeps it from, and last what others use.
"""

from gigawatt.model.node import TOPOLOGY_LEVELS, NodeState
from gigawatt.model.reason import Reason, ReasonCode
from gigawatt.model.resources import KINDS
from gigawatt.scheduler.arrange import told
from gigawatt.scheduler.ask import Ask
from gigawatt.scheduler.sight import Nearest, Sight, short
from gigawatt.scheduler.snapshot import DEVICE_MILLI, GPU, NONE, STATES

AWAY = tuple(state for state in STATES if state is not NodeState.READY)


def why_never(sight: Sight, ask: Ask) -> Reason | None:
    """Why these nodes could not hold the gang even if all were empty and open; None if they could."""
    nodes = sight.nodes
    if not nodes.ids:
        return Reason(code=ReasonCode.NO_NODES, resource="nodes", need=ask.nodes_min)
    demand = ask.demand
    if not demand.divisible:
        whole = demand.devices * DEVICE_MILLI
        detail = "more than one GPU is given in whole devices"
        return _impossible(KINDS[GPU], demand.milli_gpu, whole, detail)
    have = sight.ever(ask)
    if have >= ask.nodes_min:
        return None
    if have:
        return _impossible(_counted(ask), ask.nodes_min, have, _large_enough(ask))
    if not sight.there(ask):
        there = ", ".join(nodes.gpu_kinds) or "no GPU"
        detail = f"it names {' or '.join(ask.kinds)}; there is {there}"
        return Reason(code=ReasonCode.GPU_KIND, resource="nodes", need=ask.nodes_min, detail=detail)
    if not any(sight.able(ask)):
        return _nearest(ReasonCode.IMPOSSIBLE, nodes.ids, ask, sight.nearest_empty(ask))
    return _impossible(_counted(ask), ask.nodes_min, have, _large_enough(ask))


def why_not_now(sight: Sight, ask: Ask, now_ms: int) -> Reason:
    """Why a gang waits that these nodes could hold, with what is free now and what is kept for gangs ahead."""
    if not ask.may_run(now_ms):
        return _outside_window(ask, now_ms)
    return _away(sight, ask) or _taken(sight, ask)


def _outside_window(ask: Ask, now_ms: int) -> Reason:
    """`need` is the time at which the next window opens, in ms; 0 if none does. Now is left out: it would never rest."""
    next_ms = min((start for start, _ in ask.windows if start > now_ms), default=0)
    detail = "the next has not opened yet" if next_ms else "the last is over"
    return Reason(code=ReasonCode.OUTSIDE_WINDOW, need=next_ms, detail=detail)


def _away(sight: Sight, ask: Ask) -> Reason | None:
    """It would fit if nodes that are cordoned, drained or down came back."""
    have = sight.open(ask)
    if have >= ask.nodes_min:
        return None
    counts = sight.able(ask)
    away = [(state, counts[STATES.index(state)]) for state in AWAY]
    return Reason(
        code=ReasonCode.NODES_UNAVAILABLE,
        resource=_counted(ask),
        need=ask.nodes_min,
        have=have,
        detail=", ".join(f"{count} {state}" for state, count in away if count),
    )


def _taken(sight: Sight, ask: Ask) -> Reason:
    """It would fit these nodes if they were empty: others have them, or are to have them."""
    now = sight.now(ask)
    if now >= ask.nodes_min:
        return Reason(
            code=ReasonCode.HELD_FOR_HEAD,
            resource=_counted(ask),
            need=ask.nodes_min,
            have=sight.unheld(ask, avoiding=True),
        )
    if sight.unheld(ask, avoiding=False) >= ask.nodes_min:
        return Reason(
            code=ReasonCode.AVOIDED_NODES,
            resource=_counted(ask),
            need=ask.nodes_min,
            have=now,
        )
    alike = now or ask.demand.alone or ask.terms.arranged
    if alike or not any(ask.demand.vector()):
        return _busy_nodes(ask, now)
    return _nearest(ReasonCode.RESOURCES_BUSY, sight.nodes.ids, ask, sight.nearest_now(ask))


def _nearest(code: ReasonCode, ids: tuple[str, ...], ask: Ask, nearest: Nearest) -> Reason:
    """The resource that is most short on the node that is least short of what the gang needs."""
    short_XK, _ = short(ask, nearest.have_K.reshape(1, -1))
    kind = int(short_XK[0].argmax())
    need, have = ask.demand.vector()[kind], int(nearest.have_K[kind])
    assert have < need, f"{ids[nearest.row]} has room for {ask}"
    detail = f"on {ids[nearest.row]}, the node that comes nearest"
    return Reason(code=code, resource=KINDS[kind], need=need, have=max(have, 0), detail=detail)


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


def _counted(ask: Ask) -> str:
    return "places" if ask.stacked else "nodes"


def _large_enough(ask: Ask) -> str:
    return f"counting {_counted(ask)} that are large enough{_in_one(ask)}"


def _in_one(ask: Ask) -> str:
    kind = " of one kind of GPU" if len(ask.kinds) > 1 else ""
    kind += told(ask)
    return kind if ask.same == NONE else f"{kind} in one {TOPOLOGY_LEVELS[ask.same]}"
