"""What would be: a gang that has not been submitted, asked about as if it had."""

from dataclasses import replace
from typing import Any

import numpy as np

from gigawatt.model.decision import Start
from gigawatt.model.gang import Gang
from gigawatt.model.reason import Reason
from gigawatt.model.world import World
from gigawatt.scheduler.ask import ask_of
from gigawatt.scheduler.cold import cold_gangs, cold_nodes
from gigawatt.scheduler.decide import finish
from gigawatt.scheduler.encode_apart import with_wear
from gigawatt.scheduler.encode_power import cold_power
from gigawatt.scheduler.explain import Explanation, explain
from gigawatt.scheduler.ground import ground
from gigawatt.scheduler.index import Memo
from gigawatt.scheduler.known import Known
from gigawatt.scheduler.limits import beyond_limits
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.power import Power
from gigawatt.scheduler.reasons import Reasons
from gigawatt.scheduler.sight import Plain
from gigawatt.scheduler.snapshot import GANG_CODES, GANG_NUMBERS, NONE, Codes, GangColumns, Snapshot
from gigawatt.scheduler.why import why_never


def feasible(cluster: Snapshot | World, gang: Gang, memo: Memo | None = None) -> Reason | None:
    """Why no cluster of this size could ever hold the gang, with both numbers; None if it could when empty and open.

    Where its project's limits are known, also why these would never let it run.

    A cluster without nodes answers `no_nodes`: what may come is not known here. A memo, here and below, is of the
    snapshot's nodes, as in `decide.finish`.
    """
    ask = ask_of(gang)
    if isinstance(cluster, World):
        nodes = cold_nodes(cluster.nodes.values(), {})
        tree = cold_power(cluster.feeds, cluster.nodes.values(), (), nodes)
        index = None
    else:
        nodes, tree = cluster.nodes, cluster.power
        index = memo.lend(nodes) if memo else None
    sight = Known(index) if index and index.counts(ask) else Plain(nodes=nodes)
    never = why_never(sight, ask)
    if never is None and tree is not None:
        never = Power(tree, nodes).never(ask, ground(nodes, ask).ever_N)
    if never is None and isinstance(cluster, Snapshot):
        never = beyond_limits(cluster, gang)
    return never


def what_if(
    snapshot: Snapshot, gang: Gang, policy: Policy, memo: Memo | None = None
) -> Start | Reason:
    """Where the gang would go if it were in the line now, or why it would wait."""
    finished = finish(with_gang(snapshot, gang), policy, memo)
    turn = finished.turn
    row = turn.snapshot.gangs.row(gang.id)
    return turn.starts.get(row) or Reasons(turn).of(finished.line, row).reason


def asked(snapshot: Snapshot, gang: Gang, policy: Policy, memo: Memo | None = None) -> Explanation:
    """As `what_if`, with the place in the line and the cheapest change where it would wait."""
    told = explain(with_gang(snapshot, gang), gang.id, policy, memo)
    assert told, "a gang that was put into the line is in the line"
    return told


def with_gang(snapshot: Snapshot, gang: Gang) -> Snapshot:
    """The snapshot with one more gang in the line; one of the same id is replaced.

    For one with labels, or that keeps apart, the snapshot must have labels.
    """
    gangs, row = snapshot.gangs, snapshot.gangs.row(gang.id)
    if row != NONE:
        gangs = _without(gangs, row)
    apart = snapshot.apart and with_wear(snapshot.apart, gang)
    return replace(snapshot, gangs=_merged(gangs, cold_gangs([gang])), apart=apart)


def _without(gangs: GangColumns, row: int) -> GangColumns:
    columns: dict[str, Any] = {
        name: np.delete(getattr(gangs, name), row, axis=0) for name in (*GANG_NUMBERS, *GANG_CODES)
    }
    return replace(gangs, ids=gangs.ids[:row] + gangs.ids[row + 1 :], **columns)


def _merged(line: GangColumns, one: GangColumns) -> GangColumns:
    """Both lines as one, their codes brought together. No id is in both."""
    ids = line.ids + one.ids
    order = sorted(range(len(ids)), key=ids.__getitem__)
    columns: dict[str, Any] = {}
    for name in GANG_NUMBERS:
        columns[name] = np.concatenate([getattr(line, name), getattr(one, name)])[order]
    for name, table in GANG_CODES.items():
        values, mine, other = _recoded(
            getattr(line, table), getattr(one, table), getattr(line, name), getattr(one, name)
        )
        columns[table], columns[name] = values, np.concatenate([mine, other])[order]
    return GangColumns(ids=tuple(ids[row] for row in order), **columns)


def _recoded(
    values: tuple[Any, ...], more: tuple[Any, ...], codes: Codes, others: Codes
) -> tuple[tuple[Any, ...], Codes, Codes]:
    """One sorted tuple of values out of two, and both columns of codes pointing into it."""
    merged = tuple(sorted({*values, *more}))
    index = {value: code for code, value in enumerate(merged)}
    mine = np.array([index[value] for value in values], dtype=np.int32)
    theirs = np.array([index[value] for value in more], dtype=np.int32)
    return merged, mine[codes], theirs[others]
