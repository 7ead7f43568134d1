"""The ledger's side of an attempt: what it uses of each of its nodes, and what its time counts as."""

from collections.abc import Callable
from itertools import repeat

from gigawatt.ledger import account as ledger
from gigawatt.ledger.account import Settled
from gigawatt.model.attempt import Attempt, Verdict
from gigawatt.model.endpoint import Replica
from gigawatt.model.ledger import NodeAccount, TimeClass, Use
from gigawatt.model.prices import plan_of
from gigawatt.model.values import replace
from gigawatt.model.work import Work
from gigawatt.reconcile.turn import Turn

LOST_TO = {
    Verdict.USER: TimeClass.USER_FAULT,
    Verdict.TIMEOUT: TimeClass.USER_FAULT,
    Verdict.CANCELLED: TimeClass.USER_FAULT,
    Verdict.INFRASTRUCTURE: TimeClass.REDONE,
    Verdict.HANG: TimeClass.REDONE,
    Verdict.PREEMPTION: TimeClass.REDONE,
}


def begin(turn: Turn, owner: Work, attempt: Attempt) -> None:
    """From placement on, the nodes' share is the attempt's, and it is starting."""
    accounts = turn.world.accounts
    alike: dict[tuple[int, str], Use] = {}  # of nodes of one unit with as many places
    for node, places in zip(attempt.nodes, attempt.places or repeat(1), strict=False):
        account = accounts[node]
        key = places, account.unit
        use = alike.get(key)
        if use is None:
            use = alike[key] = _use(owner, attempt, account.unit, places)
        turn.account(ledger.begin(account, use, now_ms=turn.now_ms))
    for spare in attempt.spares:
        account = accounts[spare.node]
        held = replace(use_of(owner, attempt, account), time_class=TimeClass.HELD)
        turn.account(ledger.begin(account, held, now_ms=turn.now_ms))


def use_of(owner: Work, attempt: Attempt, account: NodeAccount) -> Use:
    """What an attempt takes of a node, as it begins."""
    return _use(owner, attempt, account.unit, attempt.places_on(account.id))


def provisional_ms(turn: Turn, owner: Work, attempt: Attempt, *, to_ms: int) -> int:
    """How long its time until then has counted as useful since it was last confirmed: the same on each of its nodes."""
    account = turn.world.accounts.get(attempt.nodes[0]) if attempt.nodes else None
    if account is None:
        return 0
    for use in account.uses:
        if (use.gang, use.attempt) == (owner.id, attempt.n) and use.units:
            told = ledger.provisional(use, account, now_ms=turn.now_ms, to_ms=to_ms)
            return told // use.units
    return 0


def reclass(turn: Turn, owner: Work, attempt: Attempt, time_class: TimeClass) -> None:
    """From now on its time is `time_class`."""

    def change(account: NodeAccount) -> Settled:
        return ledger.reclass(account, owner.id, attempt.n, time_class, now_ms=turn.now_ms)

    _each(turn, attempt, change)


def confirm(turn: Turn, owner: Work, attempt: Attempt, *, to_ms: int | None = None) -> None:
    """What was provisionally useful until then, or until now, stays so."""

    def change(account: NodeAccount) -> Settled:
        return ledger.confirm(account, owner.id, attempt.n, now_ms=turn.now_ms, to_ms=to_ms)

    _each(turn, attempt, change)


def withdraw(turn: Turn, owner: Work, attempt: Attempt, into: TimeClass) -> None:
    """What was provisionally useful was really `into`."""

    def change(account: NodeAccount) -> Settled:
        return ledger.withdraw(account, owner.id, attempt.n, into, now_ms=turn.now_ms)

    _each(turn, attempt, change)


def serve(turn: Turn, owner: Replica, attempt: Attempt, *, busy_ms: int) -> None:
    """Of its time until now, so much was serving and not idle."""

    def change(account: NodeAccount) -> Settled:
        return ledger.serve(account, owner.id, attempt.n, busy_ms=busy_ms, now_ms=turn.now_ms)

    _each(turn, attempt, change)


def end(turn: Turn, owner: Work, attempt: Attempt, verdict: Verdict) -> None:
    """Give the share back; what the verdict makes of the unconfirmed time is moved there."""
    into = LOST_TO.get(verdict)
    if into is not None:
        withdraw(turn, owner, attempt, into)

    for node in attempt.held:
        end_on(turn, owner, attempt, node)


def end_on(turn: Turn, owner: Work, attempt: Attempt, node: str) -> None:
    """Give back its share of one node."""
    account = turn.world.accounts[node]
    turn.account(ledger.end(account, owner.id, attempt.n, now_ms=turn.now_ms))


def time_class_of(turn: Turn, owner: Work, attempt: Attempt) -> TimeClass | None:
    """What its time counts as now; None once it has given back its share."""
    account = turn.world.accounts.get(attempt.nodes[0]) if attempt.nodes else None
    for use in account.uses if account else ():
        if (use.gang, use.attempt) == (owner.id, attempt.n):
            return use.time_class
    return None


def _each(turn: Turn, attempt: Attempt, change: Callable[[NodeAccount], Settled]) -> None:
    for node in attempt.nodes:
        turn.account(change(turn.world.accounts[node]))


def _use(owner: Work, attempt: Attempt, unit: str, places: int) -> Use:
    per_place = owner.gang().shape.per_node
    return Use(
        gang=owner.id,
        attempt=attempt.n,
        tenant=owner.tenant,
        project=owner.project,
        units=places * (per_place.milli_gpu if unit == "milli_gpu_ms" else per_place.milli_cpu),
        time_class=TimeClass.STARTING,
        plan=plan_of(owner.gang().priority).value,
    )
