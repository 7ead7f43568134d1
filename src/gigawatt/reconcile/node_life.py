"""The one place in which a node's state changes, by the table, with what the ledger makes of its time."""

from gigawatt.ledger import account as ledger
from gigawatt.model.action import SetNode
from gigawatt.model.ledger import NO_TERMS, Terms, TimeClass
from gigawatt.model.node import NEXT_STATES, Node, NodeState
from gigawatt.model.values import replace
from gigawatt.reconcile.turn import Turn

REST_CLASS = {
    NodeState.READY: TimeClass.IDLE,
    NodeState.CORDONED: TimeClass.DRAINED,
    NodeState.DRAINING: TimeClass.DRAINED,
    NodeState.EMPTY: TimeClass.DRAINED,
    NodeState.JOINING: TimeClass.TESTED,
    NodeState.CHECKING: TimeClass.TESTED,
    NodeState.REPAIR: TimeClass.DOWN,
    NodeState.DOWN: TimeClass.DOWN,
    NodeState.RETIRED: TimeClass.DOWN,
}

WATCH = "the watch over nodes"  # who cordons a node that nobody asked to


def moved(turn: Turn, node: Node, state: NodeState, reason: str, *, by: str = "") -> Node:
    """The node in `state`; a step that the table does not allow is our mistake."""
    if state is node.state:
        return turn.put(replace(node, reason=reason, by=by))
    assert state in NEXT_STATES[node.state], f"{node.id}: {node.state} -> {state}"
    after = turn.put(
        replace(node, state=state, reason=reason, by=by, changed_ms=turn.now_ms, deadline_ms=0)
    )
    rest(turn, after)
    return after


def rest(turn: Turn, node: Node) -> None:
    """Have the ledger know what the time is in which nobody uses the node."""
    kind = REST_CLASS[node.state]
    terms = _terms(turn, node.id)
    if kind is TimeClass.IDLE and terms.holder:
        kind = TimeClass.RESERVED_IDLE
    account = turn.world.accounts[node.id]
    turn.account(ledger.set_rest(account, kind, now_ms=turn.now_ms, terms=terms))


def cordon(turn: Turn, node: Node, reason: str, data: tuple[tuple[str, str], ...] = ()) -> Node:
    """Take a node out of use on evidence, until a person opens it again."""
    after = moved(turn, node, NodeState.CORDONED, reason, by=WATCH)
    after = turn.put(replace(after, wanted=NodeState.CORDONED))
    turn.act(SetNode(node=node.id, state=NodeState.CORDONED, reason=reason))
    turn.emit("node.cordoned", after, f"{reason} (by {WATCH})", data)
    return after


def emptied(turn: Turn, node_id: str) -> None:
    """An attempt has left a node: one that is drained may be empty now."""
    node = turn.world.nodes.get(node_id)
    if node is None or node.state is not NodeState.DRAINING or turn.world.accounts[node_id].uses:
        return
    after = moved(turn, node, NodeState.EMPTY, node.reason, by=node.by)
    turn.emit("node.empty", after)


def _terms(turn: Turn, node: str) -> Terms:
    """For whom it is kept now."""
    for each in sorted(turn.world.reservations.values(), key=lambda each: each.id):
        if each.holder and each.lasting and each.has(node):
            return Terms(reservation=each.id, holder=each.holder, plan=each.plan.value)
    return NO_TERMS
