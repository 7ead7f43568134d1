"""Nodes: seen, lost, checked, and taken out of use and back by a person; their accounts in the ledger."""

from gigawatt.ledger import account as ledger
from gigawatt.model.action import CheckNode, SetNode
from gigawatt.model.health import CheckResult, Outcome, merged, worst
from gigawatt.model.node import Node, NodeReport, NodeState
from gigawatt.model.observation import DataCached, NodeChecked, NodeLost, NodeSeen
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.upkeep import ChangeNode, OfNode, RunChecks
from gigawatt.model.values import replace
from gigawatt.reconcile import attempts, drains, spares
from gigawatt.reconcile.node_life import cordon, emptied, moved
from gigawatt.reconcile.turn import Turn

CHECKING_MS_MAX = 15 * 60_000  # a node whose checks take longer is not well

OUT = frozenset({NodeState.REPAIR, NodeState.RETIRED})
EMPTIED = frozenset({NodeState.EMPTY, *OUT})  # nothing runs there, and nothing is to


def seen(turn: Turn, observation: NodeSeen) -> None:
    """A node joined, came back, or says something new."""
    report = observation.report
    node = turn.world.nodes.get(report.id)
    if node is None:
        _join(turn, report)
    elif node.state is NodeState.DOWN:
        back = _admitted(turn, replace(node, report=report), node.reason)
        turn.emit("node.back", back)
        _resize(turn, back)
    elif node.report != report:
        _resize(turn, turn.put(replace(node, report=report)))


def lost(turn: Turn, observation: NodeLost) -> None:
    """A node does not answer: what ran there has ended as far as anyone can tell."""
    node = turn.world.nodes.get(observation.node)
    if node is None or node.state in {NodeState.DOWN, *OUT}:
        return
    down = moved(turn, node, NodeState.DOWN, observation.reason)
    turn.emit("node.down", down, observation.reason)
    for owner in drains.gangs_on(turn, node.id):
        attempt = owner.attempt
        assert attempt is not None
        if spares.gone(turn, owner, attempt, node.id):
            continue
        attempts.node_lost(turn, owner, attempt, node.id, observation.reason)


def cached(turn: Turn, observation: DataCached) -> None:
    """What data a node keeps, for gangs to be placed near theirs."""
    node = turn.world.nodes.get(observation.node)
    if node is not None and node.cached != observation.digests:
        turn.put(replace(node, cached=observation.digests))


def checked(turn: Turn, observation: NodeChecked) -> None:
    """Checks have run: a node that is not well takes no gangs, one that waited for them goes on."""
    node = turn.world.nodes.get(observation.node)
    if node is None or node.state in OUT:
        return
    known = {each.name: each.outcome for each in node.checks}
    node = turn.put(replace(node, checks=merged(node.checks, observation.results)))
    for each in observation.results:
        if each.outcome is not Outcome.OK and known.get(each.name) is not each.outcome:
            data = (("check", each.name), ("outcome", each.outcome.value))
            turn.emit("node.check_failed", node, _told(each), data)
    bad = worst(observation.results)
    if bad is not None and bad.outcome is Outcome.FAIL:
        if node.state in {NodeState.READY, NodeState.CHECKING}:
            cordon(turn, node, f"check {_told(bad)}", (("check", bad.name),))
    elif node.state is NodeState.CHECKING and observation.level == turn.site.checks:
        _settled(turn, node)


def command(turn: Turn, asked: OfNode) -> Node:
    """Do what a person asks of a node."""
    return change(turn, asked) if isinstance(asked, ChangeNode) else check(turn, asked)


def change(turn: Turn, command: ChangeNode) -> Node:
    """What a person wants of a node: open, cordoned, drained by a time, in repair, or gone for good."""
    node = turn.world.nodes.get(command.node)
    if node is None:
        known = ", ".join(sorted(turn.world.nodes)) or "none"
        raise RefusalError(
            RefusalCode.NOT_FOUND, f"there is no node {command.node}; there are: {known}"
        )
    wanted = command.state
    another_time = node.state is NodeState.DRAINING and command.by_ms != node.deadline_ms
    there = node.state in {wanted, NodeState.DOWN, *_ON_THE_WAY[wanted]}
    if node.wanted is wanted and there and not another_time:
        return node
    _check_asked(turn, node, wanted)
    marks = () if wanted is NodeState.READY else node.marks  # a person has looked at them
    node = replace(node, wanted=wanted, marks=marks)
    if node.state is NodeState.DOWN and wanted not in OUT:
        return turn.put(node)
    after = _asked(turn, node, command)
    turn.act(SetNode(node=node.id, state=after.state, reason=command.reason))
    turn.emit(f"node.{wanted.value}", after, f"{command.reason} (by {command.by})")
    if after.state is NodeState.DRAINING:
        after = drains.begin(turn, after, by_ms=command.by_ms)
    return after


def check(turn: Turn, command: RunChecks) -> Node:
    """Have checks run on a node because a person asks; a node that takes gangs goes on doing so."""
    node = turn.world.nodes.get(command.node)
    if node is None:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no node {command.node}")
    if node.state in {NodeState.DOWN, *OUT}:
        raise RefusalError(RefusalCode.CONFLICT, f"node {node.id} is {node.state.value}")
    turn.act(CheckNode(node=node.id, level=command.level))
    return turn.put(node)


def due(turn: Turn, node: Node) -> None:
    """A deadline of a node may have passed."""
    if not node.deadline_ms or turn.now_ms < node.deadline_ms:
        return
    if node.state is NodeState.DRAINING:
        drains.end(turn, node)
    elif node.state is NodeState.CHECKING:
        cordon(turn, node, f"its checks have not ended in {CHECKING_MS_MAX // 60_000} min")


def resume(turn: Turn) -> None:
    """After a restart: deadlines and checks that were under way are set anew."""
    for node in tuple(turn.world.nodes.values()):
        if node.deadline_ms:
            turn.due(node.deadline_ms, node.id)
        emptied(turn, node.id)
        if node.state is NodeState.CHECKING:
            turn.act(CheckNode(node=node.id, level=turn.site.checks))


# Which states are no news to someone who asks for the same again.
_ON_THE_WAY: dict[NodeState, frozenset[NodeState]] = {
    NodeState.READY: frozenset({NodeState.CHECKING}),
    NodeState.CORDONED: frozenset(),
    NodeState.DRAINING: frozenset({NodeState.EMPTY}),
    NodeState.REPAIR: frozenset(),
    NodeState.RETIRED: frozenset(),
}


def _check_asked(turn: Turn, node: Node, wanted: NodeState) -> None:
    """Refuse what would pull a node from under its gangs, and half-measures on one that is out."""
    if wanted in OUT and drains.gangs_on(turn, node.id):
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"gangs run on node {node.id}",
            hint=f"gw nodes drain {node.id}",
        )
    if node.state in OUT and wanted in {NodeState.CORDONED, NodeState.DRAINING}:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"node {node.id} is {node.state.value}: it takes nothing already",
            hint=f"gw nodes uncordon {node.id} has it checked and opened",
        )


def _asked(turn: Turn, node: Node, command: ChangeNode) -> Node:
    wanted, reason, by = command.state, command.reason, command.by
    if wanted is NodeState.READY and node.state in {*OUT, NodeState.CHECKING}:
        after = _admitted(turn, node, reason, by=by)
        _resize(turn, after)
        return after
    if wanted is NodeState.DRAINING:
        if drains.gangs_on(turn, node.id):
            node = replace(node, deadline_ms=0)
            return moved(turn, node, NodeState.DRAINING, reason, by=by)
        return _emptied(turn, node, reason, by)
    if wanted in OUT:
        node = node if node.state in {NodeState.DOWN, *OUT} else _emptied(turn, node, reason, by)
        node = moved(turn, node, wanted, reason, by=by)
        _resize(turn, node)
        return node
    return moved(turn, node, wanted, reason, by=by)


def _emptied(turn: Turn, node: Node, reason: str, by: str) -> Node:
    return moved(turn, node, NodeState.EMPTY, reason, by=by)


def _join(turn: Turn, report: NodeReport) -> None:
    node = turn.put(
        Node(
            id=report.id,
            state=NodeState.JOINING,
            reason="",
            report=report,
            changed_ms=turn.now_ms,
        )
    )
    turn.put(ledger.open_account(node, now_ms=turn.now_ms))
    turn.emit("node.joined", _admitted(turn, node, ""))


def _admitted(turn: Turn, node: Node, reason: str, *, by: str = "") -> Node:
    """A node that comes into use: through checks, where there are any."""
    if not turn.site.checks or node.wanted in OUT:
        return moved(turn, node, _wanted(node), reason, by=by or node.by)
    after = moved(turn, node, NodeState.CHECKING, reason, by=by or node.by)
    after = turn.put(replace(after, deadline_ms=turn.now_ms + CHECKING_MS_MAX))
    turn.due(after.deadline_ms, after.id)
    turn.act(SetNode(node=node.id, state=NodeState.CHECKING, reason="its checks run"))
    turn.act(CheckNode(node=node.id, level=turn.site.checks))
    return after


def _settled(turn: Turn, node: Node) -> None:
    """Its checks are well: it becomes what a person wants of it."""
    after = moved(turn, node, _wanted(node), node.reason, by=node.by)
    turn.act(SetNode(node=node.id, state=after.state, reason=after.reason))
    turn.emit("node.checked", after, f"{len(node.checks)} checks, and none failed")


def _wanted(node: Node) -> NodeState:
    """What a node is when it answers. One that was draining when it was lost comes back empty."""
    if node.wanted is NodeState.DRAINING:
        return NodeState.EMPTY
    return node.wanted


def _resize(turn: Turn, node: Node) -> None:
    """Have its account know how much there is of it; of one that is gone for good there is nothing."""
    units = 0 if node.state is NodeState.RETIRED else node.ledger_units
    account = turn.world.accounts[node.id]
    sku = ledger.sku_of(node)
    if account.installed != units or account.sku != sku:
        turn.account(ledger.resize(account, units, now_ms=turn.now_ms, sku=sku))


def _told(result: CheckResult) -> str:
    verb = "failed" if result.outcome is Outcome.FAIL else "warned"
    return f"{result.name} {verb}: {result.detail}" if result.detail else f"{result.name} {verb}"
