"""What callers ask of templates, schedules, notifications, labels, reservations, money and the power tree: one flat table."""

from gigawatt.model.change import Entity
from gigawatt.model.money import RemoveBudget, SetBudget
from gigawatt.model.order import (
    AdvanceNotification,
    ChangeSchedule,
    CountTokens,
    CreateNotification,
    CreateSchedule,
    DeleteNotification,
    DeleteTemplate,
    EndReservation,
    LabelJob,
    MakeReservation,
    Order,
    PushTemplate,
    RecordDelivery,
    RedeliverMessages,
    RemoveFeed,
    RunSchedule,
    SetAllowance,
    SetFeed,
)
from gigawatt.reconcile import (
    feeds,
    labels,
    money,
    notifications,
    reservations,
    schedules,
    spending,
    templates,
    tokens,
)
from gigawatt.reconcile.turn import Turn


def order(turn: Turn, asked: Order) -> Entity:  # noqa: C901, PLR0911, PLR0912 - one flat table
    """The changed or made object. Raises RefusalError, having changed nothing."""
    match asked:
        case PushTemplate():
            return templates.push(turn, asked)
        case DeleteTemplate():
            return templates.delete(turn, asked)
        case CreateSchedule():
            return schedules.create(turn, asked)
        case ChangeSchedule():
            return schedules.change(turn, asked)
        case RunSchedule():
            return schedules.run(turn, asked)
        case LabelJob():
            return labels.change(turn, asked)
        case CreateNotification():
            return notifications.create(turn, asked)
        case DeleteNotification():
            return notifications.delete(turn, asked)
        case RedeliverMessages():
            return notifications.redeliver(turn, asked)
        case AdvanceNotification():
            return notifications.advance(turn, asked)
        case RecordDelivery():
            return notifications.record(turn, asked)
        case SetFeed() | RemoveFeed():
            return feeds.command(turn, asked)
        case MakeReservation() | EndReservation():
            return reservations.command(turn, asked)
        case CountTokens() | SetAllowance():
            return tokens.command(turn, asked)
        case SetBudget() | RemoveBudget():
            return spending.command(turn, asked)
        case _:
            return money.command(turn, asked)
