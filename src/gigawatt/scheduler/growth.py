"""Elastic gangs that run on fewer nodes than they take: which of them goes on with more, and where.

A gang grows by a restart from a checkpoint, so growing costs what its start takes. It may grow where

- it has been where it is for the policy's `grow_every_ms`: every start counts, whatever it was for;
- nodes are free that no gang which waits could use, now or once others have gone;
- its project stays within its limits, and, where what is borrowed may be taken back, nobody borrows by it;
- it would save more time than the start takes. How long it will still run is not known, and taken to be as long as it
  has run; of so much work, m nodes in the place of n save the part (m - n) / m.

One gang a cycle grows or is asked to save; the next one has its turn in the next cycle.
"""

from dataclasses import dataclass, replace

import numpy as np

from gigawatt.model.plan import Claim, Growth
from gigawatt.scheduler.ask import Ask, ask_at
from gigawatt.scheduler.books import rows_of
from gigawatt.scheduler.place import Spot, choose
from gigawatt.scheduler.released import released
from gigawatt.scheduler.round import Round
from gigawatt.scheduler.running import UNKNOWN_DEVICES, RunningColumns, kind_of
from gigawatt.scheduler.snapshot import NONE, Flags

ASKS_MAX = 256  # different asks in the line; where more wait, somebody can use whatever is free
NEXT_MS = 1_000  # until the next gang has its turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """The growth that a round comes to, and when another may be possible although nothing changes."""

    growth: Growth | None = None
    wakes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    spot: Spot
    devices: tuple[tuple[int, ...], ...]


def grown(turn: Round) -> Grown:
    """What is left of the cluster after everybody's turn, for those that can grow. Nothing of the round is written to."""
    running, every_ms, now_ms = (
        turn.snapshot.growing,
        turn.policy.grow_every_ms,
        turn.snapshot.now_ms,
    )
    if running is None or not every_ms or turn.blocked or turn.resume or turn.spare is not None:
        return Grown()
    saved_R = now_ms - running.saved_ms_R <= running.grace_ms_R
    asked_ms_R = np.where(saved_R, 0, running.asked_ms_R)
    due_ms_R = np.maximum(running.placed_ms_R, asked_ms_R) + every_ms
    wakes = due_ms_R[due_ms_R > now_ms].tolist()
    due = np.flatnonzero(due_ms_R <= now_ms)
    if not len(due):
        return Grown(wakes=tuple(sorted(wakes)))
    gangs = running.gangs
    order = due[np.lexsort((due, gangs.queued_ms_G[due], -gangs.priority_G[due]))].tolist()
    wanted_N = _wanted_N(turn)
    for place, row in enumerate(order):
        found = _larger(turn, running, row, wanted_N)
        if found is None:
            continue
        worth_ms = _worth_ms(turn, running, row, len(found.spot.rows))
        if worth_ms > now_ms:
            wakes.append(worth_ms)
            continue
        if place + 1 < len(order):
            wakes.append(now_ms + NEXT_MS)
        if not saved_R[row]:
            wakes.append(now_ms + every_ms)
        growth = _growth(turn, running, row, found, saved=bool(saved_R[row]))
        return Grown(growth=growth, wakes=tuple(sorted(wakes)))
    return Grown(wakes=tuple(sorted(wakes)))


def _wanted_N(turn: Round) -> Flags:
    """Nodes that a gang which waits could use if nothing ran there. One over its project's limit can use none."""
    snapshot = turn.snapshot
    waits_G = np.ones(len(snapshot.gangs.ids), dtype=np.bool_)
    over = () if turn.shares is None else turn.shares.over_limit
    for row in (*turn.starts, *over):
        waits_G[row] = False
    wanted_N = np.zeros(len(snapshot.nodes.ids), dtype=np.bool_)
    asked: list[int] = np.unique(turn.ask_G[waits_G]).tolist()
    if len(asked) > ASKS_MAX:
        return ~wanted_N
    for index in asked:
        ask = turn.asks[index]
        if ask.may_run(snapshot.now_ms):
            wanted_N |= turn.ground(ask).allowed_N
    return wanted_N


def _larger(turn: Round, running: RunningColumns, row: int, wanted_N: Flags) -> _Place | None:
    """The largest place that it could go on at, of more nodes than it has; None where there is none."""
    nodes, parts = turn.snapshot.nodes, slice(running.first_R[row], running.first_R[row + 1])
    own = running.node_M[parts]
    known = (own != NONE).all() and (running.devices_M[parts] != UNKNOWN_DEVICES).all()
    apart = turn.apart is not None and turn.apart.wearing(running.gangs.ids[row]) != NONE
    if not known or apart or not nodes.open_N[own].all():
        return None
    ask = _ask(turn, running, row, len(own))
    if ask is None or not ask.may_run(turn.snapshot.now_ms):
        return None
    gone_R = np.zeros(len(running.gangs.ids), dtype=np.bool_)
    gone_R[row] = True
    room = released(turn.room, running, gone_R)
    free_N = ~wanted_N
    free_N[own] = True
    mask_N = turn.allowed_N(ask) & free_N & room.fits_N(ask.demand)
    power = turn.power and turn.power.without(running, gone_R)
    choosing = choose if power is None else power.spot
    spot = choosing(room, ask, mask_N, fit=turn.policy.fit)
    if spot is None:
        return None
    return _Place(spot=spot, devices=room.take(ask.demand, spot.rows, spot.places))


def _ask(turn: Round, running: RunningColumns, row: int, have: int) -> Ask | None:
    """What it would ask for so as to grow, as far as its project may use more; None where that is no growth."""
    ask = ask_at(running.gangs, row)
    if turn.shares is not None and turn.shares.bounds_kinds:
        ask = replace(ask, kinds=kind_of(running, turn.snapshot.nodes, row))
    if turn.reserved is not None:
        ask = turn.reserved.told(ask, running.gangs, row)
    most = ask.nodes_max
    if turn.shares is not None:
        node = int(rows_of(turn.shares, running.gangs)[row])
        vectors = turn.shares.vectors
        while most > have and not _may_use(turn, node, vectors.wanted(ask, most - have)):
            most -= 1
    return replace(ask, nodes_min=have + 1, nodes_max=most) if most > have else None


def _may_use(turn: Round, node: int, more: tuple[int, ...]) -> bool:
    shares = turn.shares
    assert shares is not None
    lends = turn.policy.reclaim and shares.lends(node, more)
    return node != NONE and shares.leaves(node, more) and not lends


def _worth_ms(turn: Round, running: RunningColumns, row: int, count: int) -> int:
    """From when on a restart with `count` nodes pays."""
    gangs = running.gangs
    terms = ask_at(gangs, row).terms
    more = terms.own_nodes(count)
    has = terms.own_nodes(int(running.first_R[row + 1] - running.first_R[row]))
    cost_ms = max(turn.policy.restart_ms, int(running.start_ms_R[row]))
    needed_ms = -(-cost_ms * more // (more - has))
    return int(running.placed_ms_R[row]) + needed_ms - int(gangs.attained_ms_G[row])


def _growth(
    turn: Round, running: RunningColumns, row: int, found: _Place, *, saved: bool
) -> Growth:
    ids = turn.snapshot.nodes.ids
    free_ms = turn.snapshot.now_ms + int(running.grace_ms_R[row])
    rows: list[int] = found.spot.rows.tolist()
    claim = Claim(
        nodes=tuple(ids[each] for each in rows),
        gpus=found.devices,
        free_ms=free_ms,
        until_ms=free_ms + turn.policy.claim_ms,
        spares=found.spot.spares,
    )
    attempt = int(running.attempt_R[row])
    return Growth(gang=running.gangs.ids[row], attempt=attempt, saved=saved, claim=claim)
