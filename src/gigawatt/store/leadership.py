"""Who may write: one row that every commit goes through. The epoch only ever rises."""

from sqlalchemy import Connection, bindparam, inspect, select, update

from gigawatt.store.base import FencedError, Lease, LedError
from gigawatt.store.schema import leader

_ROW = leader.c.id == 1
_MINE = leader.c.epoch == bindparam("mine")

_look = select(leader.c.epoch, leader.c.holder, leader.c.until_ms).where(_ROW)
_read = _look.with_for_update()
_take = (
    update(leader)
    .where(_ROW)
    .values(epoch=bindparam("next"), holder=bindparam("by"), until_ms=bindparam("until"))
)
_extend = update(leader).where(_ROW, _MINE).values(until_ms=bindparam("until"))
_pass = (
    update(leader)
    .where(_ROW, _MINE)
    .values(newest_seq=leader.c.newest_seq + bindparam("more"))
    .returning(leader.c.newest_seq)
)


def take_lead(connection: Connection, *, holder: str, now_ms: int, until_ms: int) -> int:
    """The new epoch. Raises LedError while the lease of another holder runs."""
    row = connection.execute(_read).one()
    if row.until_ms > now_ms and row.holder != holder:
        raise LedError(row.holder)
    epoch = row.epoch + 1
    connection.execute(_take, {"next": epoch, "by": holder, "until": until_ms})
    return epoch


def current(connection: Connection) -> Lease | None:
    if not inspect(connection).has_table(leader.name):
        return None
    row = connection.execute(_look).one()
    return Lease(holder=row.holder, epoch=row.epoch, until_ms=row.until_ms)


def extend(connection: Connection, *, epoch: int, until_ms: int) -> None:
    """Raises FencedError."""
    if connection.execute(_extend, {"mine": epoch, "until": until_ms}).rowcount != 1:
        raise FencedError(f"epoch {epoch} does not lead any more")


def let_go(connection: Connection, *, epoch: int) -> None:
    connection.execute(_extend, {"mine": epoch, "until": 0})


def pass_fence(connection: Connection, *, epoch: int, events: int) -> int:
    """Hold the row until the transaction ends, so that no other leader begins meanwhile.

    The number of the newest event before this commit; the next `events` are this commit's. Raises FencedError.
    """
    newest = connection.execute(_pass, {"mine": epoch, "more": events}).scalar_one_or_none()
    if newest is None:
        raise FencedError(f"epoch {epoch} does not lead any more")
    return newest - events
