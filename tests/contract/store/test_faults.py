"""A full disk, a killed process, and many threads."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag

import pytest

from gigawatt.model.change import Batch
from gigawatt.model.job import Job
from gigawatt.store import open_store
from gigawatt.store.base import EventQuery, Query, Store, StoreFullError
from tests.contract.store.databases import LEASE_MS, NOW_MS, Database
from tests.contract.store.samples import batch_of, entry, event, job, receipt
from tests.postgres import PostgresServer


def test_without_room_nothing_is_written_and_with_room_again_everything(
    store: Store, epoch: int, database: Database
) -> None:
    store.commit(batch_of(job(0)), epoch=epoch, now_ms=NOW_MS)
    batch = Batch(
        puts=[job(number) for number in range(1, 200)],
        events=[event(1)],
        entries=[entry(1)],
        receipts=[receipt(number) for number in range(200)],
    )
    with database.full(store):
        for _ in range(2):
            with pytest.raises(StoreFullError):
                store.commit(batch, epoch=epoch, now_ms=NOW_MS)
        assert store.page(Job, Query()).items == (job(0),)
        assert (store.newest_seq(), store.events(EventQuery())) == (0, ())
        with pytest.raises(StoreFullError):
            for _ in range(1_000):
                store.inbox_put("x" * 4_000, now_ms=NOW_MS)
    (committed,) = store.commit(batch, epoch=epoch, now_ms=NOW_MS)
    assert committed.seq == 1
    assert store.count(Job, Query()) == {"queued": 200}


WRITER = """
import sys
from gigawatt.model.change import Batch
from gigawatt.store import open_store
from tests.contract.store.samples import event, job, receipt

store = open_store(sys.argv[1])
epoch = store.lead(holder="one", now_ms=1, lease_ms=1)
first = int(sys.argv[2])
for number in range(first, first + 10_000):
    batch = Batch(
        puts=[job(3 * number + each) for each in range(3)],
        events=[event(number)],
        receipts=[receipt(number)],
    )
    store.commit(batch, epoch=epoch, now_ms=1)
    print(number, flush=True)
"""


@pytest.mark.slow
def test_every_acknowledged_batch_survives_a_killed_writer_and_none_is_half_there(
    store: Store, database: Database
) -> None:
    acknowledged: list[int] = []
    for round_ in range(4):
        acknowledged += _write_until_killed(database.url, first=10_000 * round_, batches=15)
    for number in acknowledged:
        for each in range(3):
            assert store.read(Job, job(3 * number + each).id) == job(3 * number + each)
    assert len(store.receipts([("acme", f"key-{number}") for number in acknowledged])) == 60
    # What was committed and not acknowledged is there as a whole.
    committed = {each.at_ms for each in store.events(EventQuery())}
    assert committed >= set(acknowledged)
    assert sum(store.count(Job, Query()).values()) == 3 * len(committed)
    assert store.newest_seq() == len(committed)


def _write_until_killed(url: str, *, first: int, batches: int) -> list[int]:
    """The numbers that a writer acknowledged before it was killed in the middle of its work."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, url, str(first)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(batches)]
        os.kill(writer.pid, signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
    return told


def test_reads_see_whole_batches_while_another_thread_writes(store: Store, epoch: int) -> None:
    done = Flag()

    def read() -> int:
        pages = 0
        while not done.is_set() or pages == 0:
            items = store.page(Job, Query(limit=100)).items
            assert len(items) % 5 == 0
            pages += 1
        return pages

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            for batch in range(20):
                puts = batch_of(*(job(5 * batch + each) for each in range(5)))
                store.commit(puts, epoch=epoch, now_ms=NOW_MS)
        finally:
            done.set()
        assert all(reader.result() > 0 for reader in readers)
    assert store.count(Job, Query()) == {"queued": 100}


def test_writers_of_several_threads_and_processes_wait_for_each_other(
    store: Store, epoch: int, database: Database
) -> None:
    other = open_store(database.url)

    def put(number: int) -> int:
        target = other if number % 2 else store
        return target.inbox_put(str(number), now_ms=NOW_MS)

    def commit(number: int) -> int:
        (news,) = store.commit(Batch(events=[event(number)]), epoch=epoch, now_ms=NOW_MS)
        store.renew(epoch=epoch, now_ms=NOW_MS, lease_ms=LEASE_MS)
        return news.seq

    with ThreadPoolExecutor(6) as pool:
        rows = pool.map(put, range(40))
        numbers = pool.map(commit, range(40))
        assert sorted(numbers) == list(range(1, 41))
        assert len(set(rows)) == 40
    other.close()
    assert {each.command for each in store.inbox_pending(limit=99)} == set(map(str, range(40)))


@pytest.mark.slow
@pytest.mark.postgres
def test_connections_that_the_server_dropped_cost_no_call(postgres: PostgresServer) -> None:
    name = postgres.create_database()
    store = open_store(postgres.url(name))
    store.migrate()
    epoch = store.lead(holder="one", now_ms=NOW_MS, lease_ms=LEASE_MS)
    with postgres.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
    store.commit(batch_of(job(1)), epoch=epoch, now_ms=NOW_MS)
    assert store.read(Job, job(1).id) == job(1)
    store.close()
    postgres.drop_database(name)
