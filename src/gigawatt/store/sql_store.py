"""The store on a relational database: one implementation, given a dialect. Safe to call from several threads."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, get_args

from sqlalchemy import Connection, Insert, bindparam, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from gigawatt.ledger.charges import Quantity
from gigawatt.model.array import JobArray
from gigawatt.model.audit import AuditRecord
from gigawatt.model.change import Batch, Entity, Fixed, Receipt
from gigawatt.model.event import Event
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.world import World
from gigawatt.store import audit as record
from gigawatt.store import history, leadership, listing, metering, moments
from gigawatt.store.base import (
    EventQuery,
    InboxRow,
    Lease,
    LedgerMoment,
    LedgerQuery,
    LedgerTotal,
    MeterQuery,
    Page,
    Query,
    StoreFullError,
)
from gigawatt.store.codec import KINDS, decode
from gigawatt.store.cursor import write_cursor
from gigawatt.store.dialect import Dialect
from gigawatt.store.migrate import migrate
from gigawatt.store.retention import PRUNE_EVERY_MS, prune
from gigawatt.store.rows import key_of, row
from gigawatt.store.schema import entries, events, inbox, leader, meters, objects, receipts
from gigawatt.store.terms import askable, number, term

E = TypeVar("E", bound=Entity)

WORLD_KINDS = tuple(sorted(KINDS.keys() - {kind.__name__ for kind in get_args(Fixed)}))

_insert_events = insert(events)
_remove_objects = delete(objects).where(
    objects.c.kind == bindparam("gone_kind"), objects.c.id == bindparam("gone_id")
)
_insert_entries = insert(entries)
_insert_meters = insert(meters)
_insert_command = insert(inbox).returning(inbox.c.row)
_answer_command = (
    update(inbox)
    .where(inbox.c.row == bindparam("answered"))
    .values(reply=bindparam("answer"), replied_ms=bindparam("at"))
)
_newest_seq = select(leader.c.newest_seq).where(leader.c.id == 1)


class SqlStore:
    """See `Store`. A database that stops answering raises SQLAlchemy's own errors."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        engines = dialect.open()
        self._reader = engines.reader
        self._writer = engines.writer
        self._put_objects: Insert = dialect.upsert(objects)
        self._put_receipts: Insert = dialect.upsert(receipts)
        self._prune_at_ms = 0
        self._audit_kept_ms = record.KEPT_MS

    def migrate(self) -> None:
        migrate(self._writer, self._dialect)

    def close(self) -> None:
        self._reader.dispose()
        self._writer.dispose()

    def lead(self, *, holder: str, now_ms: int, lease_ms: int) -> int:
        with self._write() as connection:
            return leadership.take_lead(
                connection, holder=holder, now_ms=now_ms, until_ms=now_ms + lease_ms
            )

    def lease(self) -> Lease | None:
        with self._read() as connection:
            return leadership.current(connection)

    def renew(self, *, epoch: int, now_ms: int, lease_ms: int) -> None:
        with self._write() as connection:
            leadership.extend(connection, epoch=epoch, until_ms=now_ms + lease_ms)

    def resign(self, *, epoch: int) -> None:
        with self._write() as connection:
            leadership.let_go(connection, epoch=epoch)

    def commit(self, batch: Batch, *, epoch: int, now_ms: int) -> tuple[Event, ...]:
        # Made before the transaction begins, so that it holds the writers' lock for less time.
        puts = [row(entity) for entity in batch.puts]
        removes = [
            {"gone_kind": type(entity).__name__, "gone_id": key_of(entity)}
            for entity in batch.removes
        ]
        with self._write() as connection:
            newest = leadership.pass_fence(connection, epoch=epoch, events=len(batch.events))
            numbered = history.numbered(batch.events, after=newest)
            _many(connection, self._put_objects, puts)
            _many(connection, _remove_objects, removes)
            _many(connection, _insert_events, [history.event_row(event) for event in numbered])
            record.append(connection, batch.audits)
            _many(connection, _insert_entries, [history.entry_row(each) for each in batch.entries])
            _many(connection, _insert_meters, [metering.meter_row(each) for each in batch.meters])
            _many(
                connection,
                self._put_receipts,
                [history.receipt_row(receipt) for receipt in batch.receipts],
            )
            _many(
                connection,
                _answer_command,
                [
                    {"answered": done, "answer": reply, "at": now_ms}
                    for done, reply in batch.inbox_done
                ],
            )
            self._prune_when_due(connection, now_ms=now_ms, newest_seq=newest + len(numbered))
        return numbered

    def load_world(self, *, epoch: int) -> World:
        world = World(epoch=epoch)
        with self._read() as connection:
            rows = connection.execute(listing.live(WORLD_KINDS)).all()
        blocked: list[Job | JobArray] = []
        for each in rows:
            entity = decode(KINDS[each.kind], each.body)
            world.put(entity)
            if isinstance(entity, Job | JobArray) and (
                entity.phase is JobPhase.BLOCKED or entity.spec.after_each
            ):
                blocked.append(entity)
        for work in blocked:  # again, now that everything that it may come after is there
            world.put(work)
        return world

    def read(self, kind: type[E], id: str) -> E | None:
        return self._decoded(kind, listing.one(kind.__name__, term(id)))

    def read_many(self, kind: type[E], ids: Sequence[str]) -> dict[str, E]:
        found: dict[str, E] = {}
        with self._read() as connection:
            for start in range(0, len(ids), listing.IDS_MAX):
                terms = {term(each): each for each in ids[start : start + listing.IDS_MAX]}
                rows = connection.execute(listing.some(kind.__name__, tuple(terms))).all()
                found |= {terms[row.id]: decode(kind, row.body) for row in rows}
        return found

    def read_named(self, kind: type[E], *, tenant: str, project: str, name: str) -> E | None:
        statement = listing.newest_named(
            kind.__name__, tenant=term(tenant), project=term(project), name=term(name)
        )
        return self._decoded(kind, statement)

    def page(self, kind: type[E], query: Query) -> Page[E]:
        query = askable(query)
        statement = listing.page(kind.__name__, query)
        with self._read() as connection:
            rows = connection.execute(statement).all()
        size = listing.page_size(query)
        items = tuple(decode(kind, each.body) for each in rows[:size])
        if len(rows) <= size:
            return Page(items=items, next="")
        last = rows[size - 1]
        cursor = write_cursor(kind.__name__, query, created_ms=last.created_ms, id=last.id)
        return Page(items=items, next=cursor)

    def count(self, kind: type[E], query: Query) -> dict[str, int]:
        with self._read() as connection:
            rows = connection.execute(listing.counts(kind.__name__, askable(query))).all()
        return {each.phase: each.objects for each in rows}

    def events(self, query: EventQuery) -> tuple[Event, ...]:
        with self._read() as connection:
            return history.read_events(connection, askable(query))

    def newest_seq(self) -> int:
        with self._read() as connection:
            return connection.execute(_newest_seq).scalar_one()

    def audit(self, query: record.AuditQuery) -> tuple[AuditRecord, ...]:
        with self._read() as connection:
            return record.read(connection, askable(query))

    def keep_audit(self, kept_ms: int) -> None:
        self._audit_kept_ms = kept_ms

    def check_audit(self) -> record.AuditCheck:
        with self._read() as connection, connection.begin():
            return record.check(connection)

    def receipts(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Receipt]:
        with self._read() as connection:
            return history.read_receipts(connection, keys)

    def ledger_totals(self, query: LedgerQuery) -> tuple[LedgerTotal, ...]:
        with self._read() as connection:
            return history.read_totals(connection, askable(query))

    def ledger_moments(
        self, query: LedgerQuery, *, step_ms: int, limit: int
    ) -> tuple[LedgerMoment, ...]:
        with self._read() as connection:
            return moments.read(connection, askable(query), step_ms=step_ms, limit=limit)

    def quantities(self, query: MeterQuery) -> tuple[Quantity, ...]:
        with self._read() as connection:
            return metering.read_quantities(connection, query)

    def metered_rows(self) -> tuple[int, int]:
        with self._read() as connection:
            return metering.newest_rows(connection)

    def inbox_put(self, command: str, *, now_ms: int) -> int:
        with self._write() as connection:
            return connection.execute(
                _insert_command, {"command": command, "at_ms": now_ms}
            ).scalar_one()

    def inbox_pending(self, *, limit: int) -> tuple[InboxRow, ...]:
        with self._read() as connection:
            return history.read_pending(connection, limit=limit)

    def inbox_reply(self, row: int) -> InboxRow | None:
        with self._read() as connection:
            return history.read_reply(connection, number(row))

    def _decoded(self, kind: type[E], statement: listing.Body) -> E | None:
        with self._read() as connection:
            body = connection.execute(statement).scalar_one_or_none()
        return None if body is None else decode(kind, body)

    def _prune_when_due(self, connection: Connection, *, now_ms: int, newest_seq: int) -> None:
        if now_ms >= self._prune_at_ms:
            more = prune(connection, now_ms=now_ms, newest_seq=newest_seq)
            dropped = record.prune(connection, before_ms=now_ms - self._audit_kept_ms)
            more = more or dropped >= record.PRUNED_AT_ONCE
            self._prune_at_ms = now_ms if more else now_ms + PRUNE_EVERY_MS

    @contextmanager
    def _read(self) -> Generator[Connection]:
        """Statements that each see what was last committed. Raises StoreFullError, as even opening takes room."""
        with self._faults_told(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Generator[Connection]:
        """One transaction: all of it or nothing. Raises StoreFullError."""
        with self._faults_told(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _faults_told(self) -> Generator[None]:
        try:
            yield
        except DBAPIError as error:
            if self._dialect.is_full(error):
                raise StoreFullError(f"{self._dialect.place} has no room") from error
            raise


def _many(connection: Connection, statement: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(statement, rows)
