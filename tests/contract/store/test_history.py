"""Events, remembered answers, the ledger and the inbox."""

from dataclasses import replace

import pytest

from gigawatt.model.change import Batch
from gigawatt.model.ledger import TimeClass
from gigawatt.store.base import EventQuery, InboxRow, LedgerQuery, LedgerTotal, Store
from gigawatt.store.history import KEYS_READ_MAX
from gigawatt.store.retention import (
    EVENTS_KEPT_MS,
    EVENTS_MAX,
    PRUNE_EVERY_MS,
    PRUNE_ROWS_MAX,
    RECEIPTS_KEPT_MS,
    REPLIES_KEPT_MS,
)
from tests.contract.store.databases import NOW_MS, Database
from tests.contract.store.samples import entry, event, receipt


def test_events_are_numbered_from_one_without_gaps(store: Store, epoch: int) -> None:
    first = store.commit(Batch(events=[event(1), event(2)]), epoch=epoch, now_ms=NOW_MS)
    store.commit(Batch(receipts=[receipt(1)]), epoch=epoch, now_ms=NOW_MS)
    second = store.commit(Batch(events=[event(3)]), epoch=epoch, now_ms=NOW_MS)
    assert [each.seq for each in (*first, *second)] == [1, 2, 3]
    assert store.newest_seq() == 3
    assert store.events(EventQuery()) == (*first, *second)


def test_numbers_rise_across_leaders(store: Store, epoch: int) -> None:
    store.commit(Batch(events=[event(1)]), epoch=epoch, now_ms=NOW_MS)
    later = store.lead(holder="one", now_ms=NOW_MS, lease_ms=1)
    (news,) = store.commit(Batch(events=[event(2)]), epoch=later, now_ms=NOW_MS)
    assert news.seq == 2


def test_every_event_filter_narrows(store: Store, epoch: int) -> None:
    news = [
        event(1),
        event(2, kind="job.running"),
        event(3, tenant="umbrella"),
        event(4, subject="job-2"),
        replace(event(5), project="vision"),
    ]
    store.commit(Batch(events=news), epoch=epoch, now_ms=NOW_MS)

    def found(query: EventQuery) -> list[int]:
        return [each.seq for each in store.events(query)]

    assert found(EventQuery(after_seq=3)) == [4, 5]
    assert found(EventQuery(kinds=("job.running", "node.down"))) == [2]
    assert found(EventQuery(tenant="umbrella")) == [3]
    assert found(EventQuery(subject="job-2")) == [4]
    assert found(EventQuery(project="vision")) == [5]
    assert found(EventQuery(limit=2)) == [1, 2]


def test_events_older_than_their_keep_go_and_their_numbers_are_not_used_again(
    store: Store, epoch: int
) -> None:
    store.commit(Batch(events=[event(1), event(2)]), epoch=epoch, now_ms=NOW_MS)
    later_ms = NOW_MS + EVENTS_KEPT_MS + PRUNE_EVERY_MS
    store.commit(Batch(), epoch=epoch, now_ms=later_ms)
    assert store.events(EventQuery()) == ()
    assert store.newest_seq() == 2
    (news,) = store.commit(Batch(events=[event(3)]), epoch=epoch, now_ms=later_ms)
    assert news.seq == 3


def test_of_too_many_events_the_oldest_go(store: Store, epoch: int, database: Database) -> None:
    store.commit(Batch(events=[event(1), event(2), event(3)]), epoch=epoch, now_ms=NOW_MS)
    database.execute(f"UPDATE leader SET newest_seq = {EVENTS_MAX + 1}")
    later_ms = NOW_MS + PRUNE_EVERY_MS
    (news,) = store.commit(Batch(events=[event(4)]), epoch=epoch, now_ms=later_ms)
    assert [each.seq for each in store.events(EventQuery())] == [3, news.seq]


def test_what_one_commit_leaves_to_prune_the_next_one_prunes(store: Store, epoch: int) -> None:
    old = [event(1) for _ in range(PRUNE_ROWS_MAX + 1)]
    store.commit(Batch(events=old), epoch=epoch, now_ms=NOW_MS)
    later_ms = NOW_MS + EVENTS_KEPT_MS + PRUNE_EVERY_MS
    store.commit(Batch(), epoch=epoch, now_ms=later_ms)
    assert len(store.events(EventQuery(limit=PRUNE_ROWS_MAX))) == 1
    store.commit(Batch(), epoch=epoch, now_ms=later_ms)
    assert store.events(EventQuery()) == ()


def test_a_remembered_answer_is_found_by_tenant_and_key(store: Store, epoch: int) -> None:
    ours, theirs = receipt(1), replace(receipt(1, tenant="umbrella"), body="{}", status=200)
    store.commit(Batch(receipts=[ours, theirs]), epoch=epoch, now_ms=NOW_MS)
    found = store.receipts([("acme", "key-1"), ("acme", "key-2")])
    assert found == {("acme", "key-1"): ours}
    assert store.receipts([]) == {}


def test_many_keys_are_looked_up_at_once(store: Store, epoch: int) -> None:
    made = [receipt(number) for number in range(KEYS_READ_MAX + 5)]
    store.commit(Batch(receipts=made), epoch=epoch, now_ms=NOW_MS)
    assert len(store.receipts([(each.tenant, each.key) for each in made])) == len(made)


def test_answers_are_forgotten_after_their_keep(store: Store, epoch: int) -> None:
    later_ms = NOW_MS + RECEIPTS_KEPT_MS + PRUNE_EVERY_MS
    old, fresh = receipt(1, at_ms=NOW_MS), receipt(2, at_ms=later_ms - RECEIPTS_KEPT_MS)
    store.commit(Batch(receipts=[old, fresh]), epoch=epoch, now_ms=NOW_MS)
    store.commit(Batch(), epoch=epoch, now_ms=later_ms)
    assert store.receipts([("acme", "key-1"), ("acme", "key-2")]) == {("acme", "key-2"): fresh}


def test_totals_are_sums_by_unit_and_class(store: Store, epoch: int) -> None:
    entries = [
        entry(5),
        entry(7),
        entry(-2),
        entry(2, TimeClass.REDONE),
        replace(entry(3), unit="milli_gpu_ms"),
    ]
    store.commit(Batch(entries=entries), epoch=epoch, now_ms=NOW_MS)
    assert store.ledger_totals(LedgerQuery()) == (
        LedgerTotal(unit="milli_core_ms", time_class=TimeClass.REDONE, unit_ms=2),
        LedgerTotal(unit="milli_core_ms", time_class=TimeClass.USEFUL, unit_ms=10),
        LedgerTotal(unit="milli_gpu_ms", time_class=TimeClass.USEFUL, unit_ms=3),
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_totals_are_exact_beyond_64_bits(store: Store, epoch: int, sign: int) -> None:
    largest = sign * ((1 << 63) - 1)
    store.commit(Batch(entries=[entry(largest)] * 3), epoch=epoch, now_ms=NOW_MS)
    (total,) = store.ledger_totals(LedgerQuery())
    assert total.unit_ms == 3 * largest


def test_every_ledger_filter_narrows(store: Store, epoch: int) -> None:
    entries = [
        entry(1),
        entry(2, tenant="umbrella"),
        entry(4, project="vision"),
        entry(8, gang="job-2"),
        entry(16, node="node-2"),
        entry(32, unit="milli_gpu_ms"),
        replace(entry(64), at_ms=20),
    ]
    store.commit(Batch(entries=entries), epoch=epoch, now_ms=NOW_MS)

    def total(query: LedgerQuery) -> int:
        return sum(each.unit_ms for each in store.ledger_totals(query))

    assert total(LedgerQuery(tenant="umbrella")) == 2
    assert total(LedgerQuery(project="vision")) == 4
    assert total(LedgerQuery(gang="job-2")) == 8
    assert total(LedgerQuery(node="node-2")) == 16
    assert total(LedgerQuery(unit="milli_gpu_ms")) == 32
    assert total(LedgerQuery(since_ms=20)) == 64
    assert total(LedgerQuery(until_ms=20)) == 63
    assert total(LedgerQuery(gang="job-3")) == 0


def test_the_inbox_keeps_commands_in_order_until_they_are_answered(
    store: Store, epoch: int
) -> None:
    rows = [store.inbox_put(f'{{"n": {number}}}', now_ms=NOW_MS) for number in range(3)]
    assert store.inbox_pending(limit=2) == (
        InboxRow(row=rows[0], command='{"n": 0}', reply=None),
        InboxRow(row=rows[1], command='{"n": 1}', reply=None),
    )
    store.commit(Batch(inbox_done=[(rows[0], '{"ok": 1}')]), epoch=epoch, now_ms=NOW_MS)
    assert [each.row for each in store.inbox_pending(limit=9)] == rows[1:]
    answered = store.inbox_reply(rows[0])
    assert answered == InboxRow(row=rows[0], command='{"n": 0}', reply='{"ok": 1}')
    waiting = store.inbox_reply(rows[1])
    assert waiting is not None
    assert waiting.reply is None
    assert store.inbox_reply(rows[2] + 1) is None


def test_answered_rows_go_after_their_keep_and_their_numbers_are_not_used_again(
    store: Store, epoch: int
) -> None:
    answered, waiting = (store.inbox_put("{}", now_ms=NOW_MS) for _ in range(2))
    newest = store.inbox_put("{}", now_ms=NOW_MS)
    done = Batch(inbox_done=[(answered, "1"), (newest, "1")])
    store.commit(done, epoch=epoch, now_ms=NOW_MS)
    store.commit(Batch(), epoch=epoch, now_ms=NOW_MS + REPLIES_KEPT_MS + PRUNE_EVERY_MS)
    assert store.inbox_reply(answered) is None
    assert [each.row for each in store.inbox_pending(limit=9)] == [waiting]
    assert store.inbox_put("{}", now_ms=NOW_MS) > newest
