"""Reservations: nodes are set aside for a time, those in the way are told and leave, and afterwards all is as before.

For nobody, the nodes are drained by the time it begins, and opened when it is over. For a project or a tenant, gangs of
others leave as they would for a drain, and the nodes go on taking gangs of the holder.
"""

from gigawatt.model.node import TOPOLOGY_LEVELS, Node, NodeState
from gigawatt.model.order import EndReservation, MakeReservation
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.reservation import (
    NEXT_PHASES,
    RESERVATIONS_MAX,
    Reservation,
    ReservationPhase,
    holds_for,
)
from gigawatt.model.upkeep import ChangeNode
from gigawatt.model.values import replace
from gigawatt.reconcile import drains, nodes
from gigawatt.reconcile.attempts import Owner
from gigawatt.reconcile.node_life import emptied, rest
from gigawatt.reconcile.turn import Turn
from gigawatt.reconcile.versions import check_version

SUBJECT = "reservation/"  # before the names of those that are due: nodes have names too
TAKEN = frozenset({NodeState.READY, NodeState.CHECKING, NodeState.JOINING, NodeState.DOWN})


def command(turn: Turn, asked: MakeReservation | EndReservation) -> Reservation:
    """Raises RefusalError, having changed nothing."""
    return make(turn, asked) if isinstance(asked, MakeReservation) else end(turn, asked)


def make(turn: Turn, command: MakeReservation) -> Reservation:
    """Set nodes aside that nobody has set aside for any of that time."""
    asked = replace(command.reservation, nodes=_named(turn, command))
    if asked.id in turn.world.reservations:
        detail = f"there is a reservation {asked.id} already"
        raise RefusalError(RefusalCode.CONFLICT, detail, hint="end it, or take another name")
    if len(turn.world.reservations) >= RESERVATIONS_MAX:
        detail = f"there are {RESERVATIONS_MAX} reservations, which is the limit"
        raise RefusalError(RefusalCode.LIMIT, detail)
    if asked.end_ms <= turn.now_ms:
        detail = "it would be over already"
        raise RefusalError(RefusalCode.INVALID, detail, field="until")
    unknown = [node for node in asked.nodes if node not in turn.world.nodes]
    if unknown:
        detail = f"there is no node {unknown[0]}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="nodes", hint="gw nodes lists them")
    _check_holder(turn, asked.holder)
    _check_free(turn, asked)
    made = turn.put(replace(asked, created_ms=turn.now_ms))
    whom = f"for {made.holder}" if made.holder else "for maintenance"
    turn.emit("reservation.made", made, f"{len(made.nodes)} nodes {whom}, by {made.by}")
    _arm(turn, made)
    return made


def end(turn: Turn, command: EndReservation) -> Reservation:
    """Take it back before it is over: its nodes are anybody's."""
    before = turn.world.reservations.get(command.name)
    if before is None:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no reservation {command.name}")
    check_version(f"reservation {before.id}", before.version, command.if_version)
    return _over(turn, before, f"ended by {command.by}")


def due(turn: Turn, name: str) -> None:
    """Its notice, its begin or its end has come; also several of them, after a time without a leader."""
    found = turn.world.reservations.get(name)
    if found is None:
        return
    if turn.now_ms >= found.end_ms:
        _over(turn, found, "its time is over")
    elif turn.now_ms >= found.start_ms:
        if found.phase is not ReservationPhase.ACTIVE:
            _begin(turn, found)
    elif found.phase is ReservationPhase.PLANNED and turn.now_ms >= found.notice_at_ms:
        _notice(turn, found)


def resume(turn: Turn) -> None:
    """After a restart: every time is set anew."""
    for each in turn.world.reservations.values():
        _arm(turn, each)


def _named(turn: Turn, command: MakeReservation) -> tuple[str, ...]:
    """The nodes that are named, and those of the parts of the site that are. Raises RefusalError for a part without any."""
    names = set(command.reservation.nodes)
    for part in command.parts:
        level = TOPOLOGY_LEVELS.index(part.level)
        found = [
            node.id
            for node in turn.world.nodes.values()
            if part.name in {node.report.topology[level], _path(node, level)}
        ]
        if not found:
            detail = f"no node is in {part.level}={part.name}"
            raise RefusalError(RefusalCode.NOT_FOUND, detail, field="parts")
        names.update(found)
    return tuple(sorted(names))


def _path(node: Node, level: int) -> str:
    return "/".join(name for name in node.report.topology[: level + 1] if name)


def _arm(turn: Turn, reservation: Reservation) -> None:
    subject = f"{SUBJECT}{reservation.id}"
    times = {reservation.notice_at_ms, reservation.start_ms, reservation.end_ms}
    for at_ms in sorted({max(at_ms, turn.now_ms) for at_ms in times}):
        turn.due(at_ms, subject)


def _notice(turn: Turn, reservation: Reservation) -> None:
    after = _moved(turn, reservation, ReservationPhase.NOTICED)
    turn.emit("reservation.noticed", after)
    for node, owner in _in_the_way(turn, after):
        drains.leave_by(turn, owner, node, by_ms=after.start_ms, why=_why(after))


def _begin(turn: Turn, reservation: Reservation) -> None:
    after = _moved(turn, reservation, ReservationPhase.ACTIVE)
    turn.emit("reservation.active", after)
    for node, owner in _in_the_way(turn, after):
        drains.leave(turn, owner, node, why=_why(after))
    for node in _nodes(turn, after) if after.holder else ():
        rest(turn, node)


def _over(turn: Turn, reservation: Reservation, why: str) -> Reservation:
    after = _moved(turn, reservation, ReservationPhase.ENDED)
    turn.emit("reservation.ended", after, why)
    for node in _nodes(turn, after):
        ours = node.wanted is NodeState.DRAINING and node.reason == _why(after)
        if ours and not node.report.closed:
            asked = ChangeNode(node=node.id, state=NodeState.READY, reason=why, by=after.by)
            nodes.change(turn, asked)
        elif after.holder:
            rest(turn, node)
    return after


def _drain(turn: Turn, reservation: Reservation, node: Node) -> None:
    """A node that somebody has closed already is theirs to open again."""
    if node.state not in TAKEN or node.wanted is not NodeState.READY:
        return
    nodes.change(
        turn,
        ChangeNode(
            node=node.id,
            state=NodeState.DRAINING,
            reason=_why(reservation),
            by=reservation.by,
            by_ms=reservation.start_ms,
        ),
    )
    emptied(turn, node.id)


def _moved(turn: Turn, reservation: Reservation, phase: ReservationPhase) -> Reservation:
    assert phase in NEXT_PHASES[reservation.phase], f"{reservation.id}: {reservation.phase}"
    return turn.put(replace(reservation, phase=phase))


def _nodes(turn: Turn, reservation: Reservation) -> list[Node]:
    return [turn.world.nodes[node] for node in reservation.nodes if node in turn.world.nodes]


def _in_the_way(turn: Turn, reservation: Reservation) -> list[tuple[Node, Owner]]:
    """Gangs of others on nodes that are for a holder. For nobody, the nodes are drained, and that is all."""
    if not reservation.holder:
        for node in _nodes(turn, reservation):
            _drain(turn, reservation, node)
        return []
    return [
        (node, owner)
        for node in _nodes(turn, reservation)
        for owner in drains.gangs_on(turn, node.id)
        if not holds_for(reservation.holder, f"{owner.tenant}/{owner.project}")
    ]


def _why(reservation: Reservation) -> str:
    said = f"reservation {reservation.id}"
    return f"{said}: {reservation.reason}" if reservation.reason else said


def _check_holder(turn: Turn, holder: str) -> None:
    known = turn.world.projects if "/" in holder else turn.world.tenants
    if holder and holder not in known:
        kind = "project" if "/" in holder else "tenant"
        detail = f"there is no {kind} {holder}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="holder")


def _check_free(turn: Turn, asked: Reservation) -> None:
    wanted = set(asked.nodes)
    for other in sorted(turn.world.reservations.values(), key=lambda each: each.id):
        if other.start_ms < asked.end_ms and asked.start_ms < other.end_ms:
            both = sorted(wanted.intersection(other.nodes))
            if both:
                detail = f"node {both[0]} is set aside by {other.id} for some of that time"
                raise RefusalError(RefusalCode.CONFLICT, detail, field="nodes")
