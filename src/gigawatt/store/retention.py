"""How long what only serves looking back is kept. Objects and the ledger are kept for ever."""

from sqlalchemy import Connection, delete, func, or_, select

from gigawatt.store.schema import events, inbox, receipts

EVENTS_MAX = 1_000_000
EVENTS_KEPT_MS = 90 * 86_400_000
RECEIPTS_KEPT_MS = 3 * 86_400_000  # the same idempotency key later is a new request
REPLIES_KEPT_MS = 86_400_000  # of the inbox, for whoever asked
PRUNE_EVERY_MS = 600_000
PRUNE_ROWS_MAX = 2_000  # of a table at once, so that no commit waits long for it


def prune(connection: Connection, *, now_ms: int, newest_seq: int) -> bool:
    """Drop what is too old or too much; whether there may be more of it."""
    dropped = (
        _prune_events(connection, now_ms=now_ms, newest_seq=newest_seq),
        _prune_receipts(connection, now_ms=now_ms),
        _prune_inbox(connection, now_ms=now_ms),
    )
    return max(dropped) >= PRUNE_ROWS_MAX


def _prune_events(connection: Connection, *, now_ms: int, newest_seq: int) -> int:
    oldest = select(events.c.seq, events.c.at_ms).order_by(events.c.seq).limit(PRUNE_ROWS_MAX)
    seen = oldest.subquery()
    doomed = select(seen.c.seq).where(
        or_(seen.c.seq <= newest_seq - EVENTS_MAX, seen.c.at_ms < now_ms - EVENTS_KEPT_MS)
    )
    return connection.execute(delete(events).where(events.c.seq.in_(doomed))).rowcount


def _prune_receipts(connection: Connection, *, now_ms: int) -> int:
    oldest = (
        select(receipts.c.at_ms)
        .where(receipts.c.at_ms < now_ms - RECEIPTS_KEPT_MS)
        .order_by(receipts.c.at_ms)
        .limit(PRUNE_ROWS_MAX)
        .subquery()
    )
    newest_doomed = select(func.max(oldest.c.at_ms)).scalar_subquery()
    return connection.execute(delete(receipts).where(receipts.c.at_ms <= newest_doomed)).rowcount


def _prune_inbox(connection: Connection, *, now_ms: int) -> int:
    oldest = select(inbox.c.row, inbox.c.replied_ms).order_by(inbox.c.row).limit(PRUNE_ROWS_MAX)
    seen = oldest.subquery()
    doomed = select(seen.c.row).where(seen.c.replied_ms < now_ms - REPLIES_KEPT_MS)
    return connection.execute(delete(inbox).where(inbox.c.row.in_(doomed))).rowcount
