"""A node's account: what each attempt uses of it, settled into entries that sum to what is installed.

Every function returns the account after, and the entries to append. Time is milliseconds; amounts are milli-GPUs on
GPU nodes and milli-cores on CPU nodes. Nothing is ever rewritten: what turns out lost is moved by a pair of entries.
"""

from collections.abc import Callable

from gigawatt.model.ledger import CPU, DAY_MS, LedgerEntry, NodeAccount, Terms, TimeClass, Use
from gigawatt.model.node import Node
from gigawatt.model.reservation import holds_for
from gigawatt.model.values import replace

Settled = tuple[NodeAccount, tuple[LedgerEntry, ...]]

UNKNOWN = "gpu"  # of which no kind is known
SPLIT_MS_MAX = 400 * DAY_MS  # a clock that jumps over years does not fill the ledger


def open_account(node: Node, *, now_ms: int) -> NodeAccount:
    return NodeAccount(
        id=node.id,
        unit="milli_gpu_ms" if node.total.milli_gpu else "milli_core_ms",
        installed=node.ledger_units,
        rest_class=TimeClass.IDLE,
        installed_ms=now_ms,
        accounted_to_ms=now_ms,
        sku=sku_of(node),
    )


def sku_of(node: Node) -> str:
    """The kind of device by which a node's time is charged."""
    return (node.gpu_kind or UNKNOWN) if node.total.milli_gpu else CPU


def settle(account: NodeAccount, *, now_ms: int) -> Settled:
    """Account for the time up to `now_ms`. A clock that went back settles nothing."""
    if now_ms <= account.accounted_to_ms:
        return account, ()
    return _settled(account, _aged(account, now_ms), now_ms)


def begin(account: NodeAccount, use: Use, *, now_ms: int) -> Settled:
    """An attempt takes its share of the node."""
    uses = sorted((*_aged(account, now_ms), use), key=lambda each: (each.gang, each.attempt))
    return _settled(account, tuple(uses), now_ms)


def reclass(
    account: NodeAccount, gang: str, attempt: int, time_class: TimeClass, *, now_ms: int
) -> Settled:
    """From now on the attempt's time counts as `time_class`."""

    def changed(use: Use) -> Use:
        return replace(use, time_class=time_class)

    return _change(account, gang, attempt, changed, now_ms=now_ms)


def confirm(
    account: NodeAccount, gang: str, attempt: int, *, now_ms: int, to_ms: int | None = None
) -> Settled:
    """A valid checkpoint or a success: what was provisionally useful until `to_ms`, or until now, stays useful."""

    def changed(use: Use) -> Use:
        return replace(use, provisional_ms=_since(use, to_ms, now_ms))

    return _change(account, gang, attempt, changed, now_ms=now_ms)


def provisional(use: Use, account: NodeAccount, *, now_ms: int, to_ms: int | None = None) -> int:
    """What of a use of the account counts as useful until `to_ms`, or until now, and is not confirmed."""
    aged = _older(use, max(now_ms - account.accounted_to_ms, 0))
    return aged.provisional_ms - _since(aged, to_ms, now_ms)


def withdraw(
    account: NodeAccount, gang: str, attempt: int, into: TimeClass, *, now_ms: int
) -> Settled:
    """What was provisionally useful was not: it moves to `into`."""
    after, entries = settle(account, now_ms=now_ms)
    moved: list[LedgerEntry] = []
    for use in after.uses:
        if (use.gang, use.attempt) == (gang, attempt) and use.provisional_ms:
            moved.append(_entry(after, use, TimeClass.USEFUL, -use.provisional_ms, now_ms))
            moved.append(_entry(after, use, into, use.provisional_ms, now_ms))
    after, _ = confirm(after, gang, attempt, now_ms=now_ms)
    return after, entries + tuple(moved)


def serve(account: NodeAccount, gang: str, attempt: int, *, busy_ms: int, now_ms: int) -> Settled:
    """For so long it had requests: that much of its idle serving time, if there is so much, was serving."""
    after, entries = settle(account, now_ms=now_ms)
    moved: list[LedgerEntry] = []
    uses: list[Use] = []
    for use in after.uses:
        mine = (use.gang, use.attempt) == (gang, attempt)
        busy = min(use.units * busy_ms, use.idle_ms) if mine else 0
        if busy:
            moved.append(_entry(after, use, TimeClass.SERVING_IDLE, -busy, now_ms))
            moved.append(_entry(after, use, TimeClass.SERVING, busy, now_ms))
        uses.append(replace(use, idle_ms=use.idle_ms - busy))
    return replace(after, uses=tuple(uses)), entries + tuple(moved)


def moved(
    account: NodeAccount, use: Use, unit_ms: int, *, into: TimeClass, now_ms: int
) -> tuple[LedgerEntry, ...]:
    """Useful time that was confirmed, and turned out lost after all: it moves to `into`."""
    if unit_ms <= 0:
        return ()
    return (
        _entry(account, use, TimeClass.USEFUL, -unit_ms, now_ms),
        _entry(account, use, into, unit_ms, now_ms),
    )


def end(account: NodeAccount, gang: str, attempt: int, *, now_ms: int) -> Settled:
    """The attempt gives back its share; what is still provisional stays useful."""
    uses = _aged(account, now_ms, but=(gang, attempt))
    return _settled(account, uses, now_ms)


def set_rest(
    account: NodeAccount, rest_class: TimeClass, *, now_ms: int, terms: Terms | None = None
) -> Settled:
    """What no attempt uses counts as `rest_class` from now on, and the node is for whom `terms` say, if they are given."""
    after, entries = settle(account, now_ms=now_ms)
    return replace(after, rest_class=rest_class, terms=terms or after.terms), entries


def resize(account: NodeAccount, installed: int, *, now_ms: int, sku: str = "") -> Settled:
    """The node came back with more or less, or other devices in it. Less than is in use waits until it is free."""
    after, entries = settle(account, now_ms=now_ms)
    used = sum(use.units for use in after.uses)
    return replace(after, installed=max(installed, used), sku=sku or after.sku), entries


def _change(
    account: NodeAccount,
    gang: str,
    attempt: int,
    change: Callable[[Use], Use],
    *,
    now_ms: int,
) -> Settled:
    uses = tuple(
        [
            change(use) if (use.gang, use.attempt) == (gang, attempt) else use
            for use in _aged(account, now_ms)
        ]
    )
    return _settled(account, uses, now_ms)


def _settled(account: NodeAccount, uses: tuple[Use, ...], now_ms: int) -> Settled:
    """The account with `uses` from now on, and with its time up to now accounted for."""
    span_ms = now_ms - account.accounted_to_ms
    if span_ms <= 0:
        return replace(account, uses=uses), ()
    after = replace(
        account,
        accounted_to_ms=now_ms,
        installed_unit_ms=account.installed_unit_ms + account.installed * span_ms,
        uses=uses,
    )
    one_day = account.accounted_to_ms // DAY_MS == (now_ms - 1) // DAY_MS  # nearly always
    if one_day or span_ms > SPLIT_MS_MAX:
        return after, _entries(account, span_ms, now_ms)
    return after, _daily(account, now_ms)


def _daily(account: NodeAccount, now_ms: int) -> tuple[LedgerEntry, ...]:
    """The entries of a span of several days, told apart by the day."""
    entries: list[LedgerEntry] = []
    from_ms = account.accounted_to_ms
    while from_ms < now_ms:
        to_ms = min((from_ms // DAY_MS + 1) * DAY_MS, now_ms)
        entries += _entries(account, to_ms - from_ms, to_ms)
        from_ms = to_ms
    return tuple(entries)


def _entries(account: NodeAccount, span_ms: int, now_ms: int) -> tuple[LedgerEntry, ...]:
    """What its uses, and what nobody used, come to in that time."""
    used = 0
    entries: list[LedgerEntry] = []
    for use in account.uses:
        used += use.units
        entries.append(_entry(account, use, use.time_class, use.units * span_ms, now_ms))
    assert used <= account.installed, f"{account.id}: {used} of {account.installed} in use"
    if used < account.installed:
        rest = (account.installed - used) * span_ms
        entries.append(_entry(account, None, account.rest_class, rest, now_ms))
    return tuple(entries)


def _aged(
    account: NodeAccount, now_ms: int, *, but: tuple[str, int] | None = None
) -> tuple[Use, ...]:
    """Its uses as they are now, without the one of attempt `but`."""
    span_ms = now_ms - account.accounted_to_ms
    uses = account.uses
    if but is not None:
        uses = tuple([use for use in uses if use.gang != but[0] or use.attempt != but[1]])
    return tuple([_older(use, span_ms) for use in uses]) if span_ms > 0 else uses


def _since(use: Use, to_ms: int | None, now_ms: int) -> int:
    """What of its provisional time came after `to_ms`; all of that time counts as useful."""
    if to_ms is None or to_ms >= now_ms:
        return 0
    return min(use.provisional_ms, use.units * (now_ms - to_ms))


def _older(use: Use, span_ms: int) -> Use:
    if use.time_class is TimeClass.USEFUL:
        return replace(use, provisional_ms=use.provisional_ms + use.units * span_ms)
    if use.time_class is TimeClass.SERVING_IDLE:
        return replace(use, idle_ms=use.idle_ms + use.units * span_ms)
    return use


def _entry(
    account: NodeAccount, use: Use | None, time_class: TimeClass, unit_ms: int, now_ms: int
) -> LedgerEntry:
    terms = account.terms
    if use is None:
        tenant, _, project = terms.holder.partition("/")
        return LedgerEntry(
            at_ms=now_ms,
            node=account.id,
            unit=account.unit,
            time_class=time_class,
            unit_ms=unit_ms,
            tenant=tenant,
            project=project,
            sku=account.sku,
            plan=terms.plan,
            reservation=terms.reservation,
        )
    theirs = terms.holder and holds_for(terms.holder, f"{use.tenant}/{use.project}")
    return LedgerEntry(
        at_ms=now_ms,
        node=account.id,
        unit=account.unit,
        time_class=time_class,
        unit_ms=unit_ms,
        tenant=use.tenant,
        project=use.project,
        gang=use.gang,
        attempt=use.attempt,
        sku=account.sku,
        plan=terms.plan if theirs else use.plan,
        reservation=terms.reservation if theirs else "",
    )
