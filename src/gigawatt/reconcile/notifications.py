"""Notifications: made and deleted by people, and how far the courier has got with each."""

from gigawatt.model.notification import DELIVERIES_KEPT, Delivery, DeliveryPhase, Notification
from gigawatt.model.order import (
    AdvanceNotification,
    CreateNotification,
    DeleteNotification,
    RecordDelivery,
    RedeliverMessages,
)
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.values import replace
from gigawatt.reconcile.projects import check_project
from gigawatt.reconcile.turn import Turn

NOTIFICATIONS_MAX = 100  # of one project


def create(turn: Turn, command: CreateNotification) -> Notification:
    """Refused where its name is taken."""
    wanted = command.notification
    check_project(turn, wanted.tenant, wanted.project)
    siblings = [
        each
        for each in turn.world.notifications.values()
        if (each.tenant, each.project) == (wanted.tenant, wanted.project)
    ]
    if any(each.name == wanted.name for each in siblings):
        detail = f"notification {wanted.name} is already there"
        hint = f"gw notifications delete {wanted.name}, or choose another name"
        raise RefusalError(RefusalCode.CONFLICT, detail, field="name", hint=hint)
    if len(siblings) >= NOTIFICATIONS_MAX:
        detail = (
            f"project {wanted.project} has {NOTIFICATIONS_MAX} notifications, which is the limit"
        )
        raise RefusalError(RefusalCode.LIMIT, detail)
    made = turn.put(replace(wanted, created_ms=turn.now_ms))
    turn.emit("notification.created", made, f"{made.name} by {made.created_by}")
    return made


def delete(turn: Turn, command: DeleteNotification) -> Notification:
    """Nothing more is told to it; what was under way is given up."""
    held = _found(turn, command.id)
    gone = turn.put(replace(held, deleted_ms=turn.now_ms))
    for delivery in tuple(turn.world.deliveries.values()):
        if delivery.notification == gone.id:
            dead = replace(delivery, phase=DeliveryPhase.DEAD, error="the notification was deleted")
            turn.put(dead)
    turn.emit("notification.deleted", gone, f"{gone.name} by {command.by}")
    return gone


def redeliver(turn: Turn, command: RedeliverMessages) -> Notification:
    """What was given up is on its way again, under its own id. A message whose place a newer one has taken is gone."""
    held = _found(turn, command.id)
    newer = min(held.deliveries - command.seen, DELIVERIES_KEPT)
    taken = {f"{held.id}/{(command.seen + n) % DELIVERIES_KEPT}" for n in range(newer)}
    gone = taken | turn.world.deliveries.keys()
    again = [each for each in command.dead if each.id not in gone]
    for each in again:
        turn.put(
            replace(
                each,
                phase=DeliveryPhase.PENDING,
                tries=0,
                next_ms=0,
                again_ms=turn.now_ms,
            )
        )
    if again:
        turn.emit("notification.redelivered", held, f"{held.name}: {len(again)} by {command.by}")
    return held


def advance(turn: Turn, command: AdvanceNotification) -> Notification:
    """Nothing up to there is looked at again; what is to be told of it is on record from the same commit on."""
    held = _found(turn, command.id)
    told = int(command.delivery is not None)
    after = replace(held, after_seq=command.after_seq, deliveries=held.deliveries + told)
    if command.delivery is not None:
        turn.put(command.delivery)
    return turn.put(after)


def record(turn: Turn, command: RecordDelivery) -> Delivery:
    """How a try went. Given up, it is said."""
    _found(turn, command.delivery.notification)
    delivery = turn.put(command.delivery)
    if delivery.phase is DeliveryPhase.DEAD:
        name = turn.world.notifications[delivery.notification].name
        turn.emit("notification.dead", delivery, f"{name}: {delivery.error}")
    return delivery


def _found(turn: Turn, id: str) -> Notification:
    held = turn.world.notifications.get(id)
    if held is None:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no notification {id}")
    return held
