"""Draining: what runs on a node is asked for a checkpoint, and stopped once it has one or the time is up."""

from dataclasses import replace

from gigawatt.model.action import NotifyAttempt
from gigawatt.model.attempt import AttemptPhase, Evidence, Verdict
from gigawatt.model.job import Job
from gigawatt.model.node import Node, NodeState
from gigawatt.reconcile import attempts, spares
from gigawatt.reconcile.attempts import Owner
from gigawatt.reconcile.turn import Turn


def gangs_on(turn: Turn, node: str) -> list[Owner]:
    """What has a live attempt on a node, sorted by id."""
    account = turn.world.accounts.get(node)
    ids = sorted({use.gang for use in account.uses}) if account else []
    owners = [attempts.owner_of(turn, each) for each in ids]
    return [owner for owner in owners if owner and owner.attempt and owner.attempt.live]


def begin(turn: Turn, node: Node, *, by_ms: int) -> Node:
    """Empty a node by a time; at once where there is none. Jobs that run are told, and go when they have saved."""
    if by_ms <= turn.now_ms:
        end(turn, node)
        return node
    node = turn.put(replace(node, deadline_ms=by_ms))
    turn.due(by_ms, node.id)
    for owner in gangs_on(turn, node.id):
        leave_by(turn, owner, node, by_ms=by_ms)
    return node


def end(turn: Turn, node: Node) -> None:
    """Stop what is left there."""
    for owner in gangs_on(turn, node.id):
        leave(turn, owner, node)


def leave_by(turn: Turn, owner: Owner, node: Node, *, by_ms: int, why: str = "") -> None:
    """Have a gang know that it is to leave a node. `why` is given where the node is not drained."""
    attempt = owner.attempt
    if attempt is None or spares.gone(turn, owner, attempt, node.id):
        return
    if attempt.phase not in attempts.STOPPABLE or not isinstance(owner, Job):
        return  # what serves goes on until then
    if attempt.phase is AttemptPhase.RUNNING:
        turn.act(NotifyAttempt(key=attempts.key_of(owner, attempt), checkpoint_by_ms=by_ms))
    else:
        _stop(turn, owner, node, "it had not started", why)


def leave(turn: Turn, owner: Owner, node: Node, *, why: str = "") -> None:
    """Stop a gang that is on a node that it is to leave."""
    attempt = owner.attempt
    if attempt is None or spares.gone(turn, owner, attempt, node.id):
        return
    if attempt.phase in attempts.STOPPABLE:
        _stop(turn, owner, node, "", why)


def saved(turn: Turn, gang: str) -> None:
    """A gang has a new checkpoint: if it is to leave a node, it can go now and lose nothing."""
    owner = attempts.owner_of(turn, gang)
    attempt = owner.attempt if owner else None
    if owner is None or attempt is None or attempt.phase not in attempts.STOPPABLE:
        return
    nodes = [turn.world.nodes[each] for each in attempt.nodes]
    draining = [node for node in nodes if node.state is NodeState.DRAINING]
    if draining:
        _stop(turn, owner, draining[0], "it has saved")


def _stop(turn: Turn, owner: Owner, node: Node, how: str, why: str = "") -> None:
    attempt = owner.attempt
    assert attempt is not None
    said = "; ".join(each for each in (why or node.reason, how) if each)
    what = "reserved" if why else "drained"
    detail = f"node {node.id} is {what}" + (f": {said}" if said else "")
    fact = Evidence(at_ms=turn.now_ms, what=what, detail=detail, node=node.id)
    told = replace(attempt, evidence=(*attempt.evidence, fact))
    attempts.stop(turn, owner, told, cause=Verdict.PREEMPTION)
