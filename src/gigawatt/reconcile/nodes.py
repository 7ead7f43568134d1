"""Nodes: seen, lost, cordoned and drained by a person; their accounts in the ledger."""

from dataclasses import replace

from gigawatt.ledger import account as ledger
from gigawatt.model.action import SetNode
from gigawatt.model.attempt import Verdict
from gigawatt.model.command import ChangeNode
from gigawatt.model.ledger import TimeClass
from gigawatt.model.node import NEXT_STATES, Node, NodeReport, NodeState
from gigawatt.model.observation import DataCached, NodeLost, NodeSeen
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.reconcile import attempts
from gigawatt.reconcile.attempts import Owner
from gigawatt.reconcile.turn import Turn

REST_CLASS = {
    NodeState.READY: TimeClass.IDLE,
    NodeState.CORDONED: TimeClass.DRAINED,
    NodeState.DRAINING: TimeClass.DRAINED,
    NodeState.DOWN: TimeClass.DOWN,
}


def seen(turn: Turn, observation: NodeSeen) -> None:
    """A node joined, came back, or says something new."""
    report = observation.report
    node = turn.world.nodes.get(report.id)
    if node is None:
        _join(turn, report)
    elif node.state is NodeState.DOWN:
        back = moved(turn, replace(node, report=report), _back(node.wanted), node.reason)
        turn.emit("node.back", back)
        _resize(turn, back)
    elif node.report != report:
        _resize(turn, turn.put(replace(node, report=report)))


def lost(turn: Turn, observation: NodeLost) -> None:
    """A node does not answer: what ran there has ended as far as anyone can tell."""
    node = turn.world.nodes.get(observation.node)
    if node is None or node.state is NodeState.DOWN:
        return
    down = moved(turn, node, NodeState.DOWN, observation.reason)
    turn.emit("node.down", down, observation.reason)
    for owner in gangs_on(turn, node.id):
        attempt = owner.attempt
        assert attempt is not None
        attempts.node_lost(turn, owner, attempt, node.id, observation.reason)


def cached(turn: Turn, observation: DataCached) -> None:
    """What data a node keeps, for gangs to be placed near theirs."""
    node = turn.world.nodes.get(observation.node)
    if node is not None and node.cached != observation.digests:
        turn.put(replace(node, cached=observation.digests))


def change(turn: Turn, command: ChangeNode) -> Node:
    """Cordon, drain or reopen a node, as a person asked."""
    node = turn.world.nodes.get(command.node)
    if node is None:
        known = ", ".join(sorted(turn.world.nodes)) or "none"
        raise RefusalError(
            RefusalCode.NOT_FOUND, f"there is no node {command.node}; there are: {known}"
        )
    if node.wanted is command.state and node.state in {command.state, NodeState.DOWN}:
        return node
    node = replace(node, wanted=command.state)
    if node.state is NodeState.DOWN:
        return turn.put(node)
    after = moved(turn, node, command.state, command.reason)
    turn.act(SetNode(node=node.id, state=command.state, reason=command.reason))
    turn.emit(f"node.{command.state.value}", after, f"{command.reason} (by {command.by})")
    if command.state is NodeState.DRAINING:
        _empty(turn, after)
    return after


def gangs_on(turn: Turn, node: str) -> list[Owner]:
    """What has a live attempt on a node, sorted by id."""
    account = turn.world.accounts.get(node)
    ids = sorted({use.gang for use in account.uses}) if account else []
    owners = [attempts.owner_of(turn, each) for each in ids]
    return [owner for owner in owners if owner and owner.attempt and owner.attempt.live]


def moved(turn: Turn, node: Node, state: NodeState, reason: str) -> Node:
    """It in another state; a step that the table does not allow is our mistake."""
    if state is node.state:
        return turn.put(replace(node, reason=reason))
    assert state in NEXT_STATES[node.state], f"{node.id}: {node.state} -> {state}"
    after = turn.put(replace(node, state=state, reason=reason, changed_ms=turn.now_ms))
    account = turn.world.accounts[node.id]
    turn.account(ledger.set_rest(account, REST_CLASS[state], now_ms=turn.now_ms))
    return after


def _join(turn: Turn, report: NodeReport) -> None:
    node = turn.put(
        Node(
            id=report.id,
            state=NodeState.READY,
            reason="",
            report=report,
            changed_ms=turn.now_ms,
        )
    )
    turn.put(ledger.open_account(node, now_ms=turn.now_ms))
    turn.emit("node.joined", node)


def _resize(turn: Turn, node: Node) -> None:
    account = turn.world.accounts[node.id]
    if account.installed != node.ledger_units:
        turn.account(ledger.resize(account, node.ledger_units, now_ms=turn.now_ms))


def _back(wanted: NodeState) -> NodeState:
    """A draining node that was lost comes back empty, so cordoned."""
    return NodeState.READY if wanted is NodeState.READY else NodeState.CORDONED


def _empty(turn: Turn, node: Node) -> None:
    for owner in gangs_on(turn, node.id):
        attempt = owner.attempt
        if attempt is not None and attempt.phase in attempts.STOPPABLE:
            attempts.stop(turn, owner, attempt, cause=Verdict.PREEMPTION)
