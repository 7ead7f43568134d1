"""One leader at a time: a lease keeps others out, an epoch makes the deposed harmless."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from gigawatt.model.change import Batch
from gigawatt.model.job import Job
from gigawatt.store import open_store
from gigawatt.store.base import FencedError, Lease, LedError, Query, Store
from tests.contract.store.databases import LEASE_MS, NOW_MS, Database
from tests.contract.store.samples import batch_of, entry, event, job, receipt


@pytest.fixture
def rival(store: Store, database: Database) -> Iterator[Store]:
    """Another process's view of the same database."""
    opened = open_store(database.url)
    opened.migrate()
    yield opened
    opened.close()


def test_another_is_refused_until_the_lease_ends(store: Store, rival: Store) -> None:
    epoch = store.lead(holder="one", now_ms=NOW_MS, lease_ms=LEASE_MS)
    with pytest.raises(LedError) as caught:
        rival.lead(holder="two", now_ms=NOW_MS + LEASE_MS - 1, lease_ms=LEASE_MS)
    assert caught.value.holder == "one"
    assert rival.lead(holder="two", now_ms=NOW_MS + LEASE_MS, lease_ms=LEASE_MS) > epoch


def test_a_renewed_lease_keeps_others_out_for_longer(store: Store, rival: Store) -> None:
    epoch = store.lead(holder="one", now_ms=NOW_MS, lease_ms=LEASE_MS)
    store.renew(epoch=epoch, now_ms=NOW_MS + LEASE_MS - 1, lease_ms=LEASE_MS)
    with pytest.raises(LedError):
        rival.lead(holder="two", now_ms=NOW_MS + LEASE_MS, lease_ms=LEASE_MS)


def test_the_same_holder_takes_over_from_itself_with_a_higher_epoch(
    store: Store, rival: Store
) -> None:
    before = store.lead(holder="one", now_ms=NOW_MS, lease_ms=LEASE_MS)
    after = rival.lead(holder="one", now_ms=NOW_MS + 1, lease_ms=LEASE_MS)
    assert after > before
    with pytest.raises(FencedError):
        store.renew(epoch=before, now_ms=NOW_MS + 2, lease_ms=LEASE_MS)


def test_after_resigning_another_leads_at_once_and_the_epoch_stays_used(
    store: Store, rival: Store
) -> None:
    epoch = store.lead(holder="one", now_ms=NOW_MS, lease_ms=LEASE_MS)
    store.resign(epoch=epoch)
    assert rival.lead(holder="two", now_ms=NOW_MS, lease_ms=LEASE_MS) > epoch


def test_who_leads_is_told_to_whoever_waits(database: Database, rival: Store) -> None:
    store = open_store(database.url)
    store.migrate()
    epoch = store.lead(holder="one", now_ms=NOW_MS, lease_ms=LEASE_MS)
    told = Lease(holder="one", epoch=epoch, until_ms=NOW_MS + LEASE_MS)
    assert rival.lease() == told
    store.renew(epoch=epoch, now_ms=NOW_MS + 5, lease_ms=LEASE_MS)
    assert rival.lease() == replace(told, until_ms=NOW_MS + 5 + LEASE_MS)
    store.resign(epoch=epoch)
    assert rival.lease() == replace(told, until_ms=0)
    store.close()


def test_nobody_leads_a_database_that_was_never_used(database: Database) -> None:
    store = open_store(database.url)
    assert store.lease() is None
    store.close()


def test_resigning_late_takes_nothing_from_the_successor(store: Store, rival: Store) -> None:
    old = store.lead(holder="one", now_ms=NOW_MS, lease_ms=LEASE_MS)
    rival.lead(holder="two", now_ms=NOW_MS + LEASE_MS, lease_ms=LEASE_MS)
    store.resign(epoch=old)
    with pytest.raises(LedError):
        store.lead(holder="one", now_ms=NOW_MS + LEASE_MS, lease_ms=LEASE_MS)


def test_a_deposed_leader_commits_nothing_at_all(store: Store, rival: Store) -> None:
    old = store.lead(holder="one", now_ms=NOW_MS, lease_ms=LEASE_MS)
    new = rival.lead(holder="two", now_ms=NOW_MS + LEASE_MS, lease_ms=LEASE_MS)
    row = store.inbox_put("{}", now_ms=NOW_MS)
    batch = Batch(
        puts=[job(1)],
        events=[event(1)],
        entries=[entry(5)],
        receipts=[receipt(1)],
        inbox_done=[(row, "done")],
    )
    with pytest.raises(FencedError):
        store.commit(batch, epoch=old, now_ms=NOW_MS)
    assert store.page(Job, Query()).items == ()
    assert store.newest_seq() == 0
    assert [each.row for each in store.inbox_pending(limit=9)] == [row]
    (committed,) = rival.commit(batch, epoch=new, now_ms=NOW_MS)
    assert committed.seq == 1


def test_an_epoch_that_was_never_given_commits_nothing(store: Store, epoch: int) -> None:
    with pytest.raises(FencedError):
        store.commit(batch_of(job(1)), epoch=epoch + 1, now_ms=NOW_MS)


def test_of_many_that_try_at_once_one_leads(store: Store, database: Database) -> None:
    rivals = [open_store(database.url) for _ in range(4)]
    barrier = Barrier(len(rivals))

    def attempt(number: int) -> int | None:
        barrier.wait()
        try:
            return rivals[number].lead(holder=f"h{number}", now_ms=NOW_MS, lease_ms=LEASE_MS)
        except LedError:
            return None

    with ThreadPoolExecutor(len(rivals)) as pool:
        epochs = list(pool.map(attempt, range(len(rivals))))
    for rival in rivals:
        rival.close()
    assert sorted(epochs, key=lambda epoch: epoch or 0)[:3] == [None, None, None]
    assert any(epochs)


def test_takeovers_at_once_get_different_epochs_and_one_can_commit(
    store: Store, database: Database
) -> None:
    rivals = [open_store(database.url) for _ in range(4)]
    barrier = Barrier(len(rivals))

    def lead_and_commit(number: int) -> tuple[int, bool]:
        barrier.wait()
        epoch = rivals[number].lead(holder="same", now_ms=NOW_MS, lease_ms=LEASE_MS)
        barrier.wait()  # all have led: only the last of them still does
        try:
            rivals[number].commit(batch_of(job(number)), epoch=epoch, now_ms=NOW_MS)
        except FencedError:
            return epoch, False
        return epoch, True

    with ThreadPoolExecutor(len(rivals)) as pool:
        outcomes = sorted(pool.map(lead_and_commit, range(len(rivals))))
    for rival in rivals:
        rival.close()
    epochs = [epoch for epoch, _committed in outcomes]
    assert epochs == list(range(epochs[0], epochs[0] + 4))
    assert [committed for _epoch, committed in outcomes] == [False, False, False, True]
    assert len(store.page(Job, Query()).items) == 1
