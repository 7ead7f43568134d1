"""What is put is read back, by id, by name, and in pages."""

from dataclasses import replace

import pytest

from gigawatt.model.artifact import AliasMove, Artifact, ModelCard, ModelVersion
from gigawatt.model.change import Batch
from gigawatt.model.endpoint import Replica
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.node import Node
from gigawatt.model.refusal import RefusalError
from gigawatt.model.tenant import ApiKey
from gigawatt.store.base import EventQuery, LedgerQuery, Query, Store
from gigawatt.store.listing import IDS_MAX, PAGE_MAX
from gigawatt.store.rows import key_of
from tests.contract.store.databases import NOW_MS
from tests.contract.store.samples import (
    alias_move,
    api_key,
    artifact,
    batch_of,
    job,
    job_with_history,
    model_card,
    model_version,
    node,
    one_of_every_kind,
    replica,
)


def test_every_kind_is_read_back_exactly(store: Store, epoch: int) -> None:
    entities = one_of_every_kind()
    store.commit(batch_of(*entities), epoch=epoch, now_ms=NOW_MS)
    read = [store.read(type(entity), key_of(entity)) for entity in entities]
    assert read == list(entities)


def test_an_artifact_is_read_by_tenant_and_digest(store: Store, epoch: int) -> None:
    bundle = artifact()
    store.commit(batch_of(bundle), epoch=epoch, now_ms=NOW_MS)
    assert store.read(Artifact, f"{bundle.tenant}/{bundle.digest}") == bundle


def test_what_is_not_there_is_none(store: Store) -> None:
    assert store.read(Job, "job-1") is None
    assert store.read_named(Job, tenant="acme", project="nlp", name="train") is None


def test_many_are_read_by_their_ids_and_what_is_not_there_is_left_out(
    store: Store, epoch: int
) -> None:
    jobs = {each.id: each for each in (job(number) for number in range(IDS_MAX + 2))}
    store.commit(batch_of(*jobs.values(), node()), epoch=epoch, now_ms=NOW_MS)
    assert store.read_many(Job, ("job-none", node().id, "a\0b", *jobs)) == jobs
    assert store.read_many(Job, ()) == {}


def test_the_same_id_of_another_kind_is_another_object(store: Store, epoch: int) -> None:
    machine = node()
    store.commit(batch_of(machine, replace(job(1), id=machine.id)), epoch=epoch, now_ms=NOW_MS)
    assert store.read(Node, machine.id) == machine


def test_a_put_replaces_the_whole_object(store: Store, epoch: int) -> None:
    store.commit(batch_of(job_with_history(1)), epoch=epoch, now_ms=NOW_MS)
    changed = replace(job(1, phase=JobPhase.RUNNING), version=2)
    store.commit(batch_of(changed), epoch=epoch, now_ms=NOW_MS)
    assert store.read(Job, changed.id) == changed
    assert store.page(Job, Query(phases=("queued",))).items == ()
    assert store.page(Job, Query(phases=("running",))).items == (changed,)


def test_of_two_puts_in_one_batch_the_last_stays(store: Store, epoch: int) -> None:
    last = replace(job(1), version=2)
    store.commit(batch_of(job(1), last), epoch=epoch, now_ms=NOW_MS)
    assert store.read(Job, last.id) == last


def test_a_name_means_the_newest_of_its_project(store: Store, epoch: int) -> None:
    others = (job(9, project="vision"), job(8, tenant="umbrella"), job(7, name="trainer"))
    store.commit(batch_of(job(3), job(2), job(1), *others), epoch=epoch, now_ms=NOW_MS)
    assert store.read_named(Job, tenant="acme", project="nlp", name="train") == job(3)


def test_an_empty_batch_commits_nothing(store: Store, epoch: int) -> None:
    assert store.commit(Batch(), epoch=epoch, now_ms=NOW_MS) == ()


def test_a_page_is_newest_first_and_by_id_within_a_millisecond(store: Store, epoch: int) -> None:
    old = job(1)
    twins = [replace(job(2), id=f"job-{end}") for end in "BaZé"]
    store.commit(batch_of(old, *twins), epoch=epoch, now_ms=NOW_MS)
    ids = [each.id for each in store.page(Job, Query()).items]
    assert ids == ["job-é", "job-a", "job-Z", "job-B", "job-000001"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_following_cursors_visits_each_object_once(store: Store, epoch: int, size: int) -> None:
    jobs = [replace(job(number), created_ms=number // 3) for number in range(7)]
    store.commit(batch_of(*jobs), epoch=epoch, now_ms=NOW_MS)
    seen: list[Job] = []
    query = Query(tenant="acme", limit=size)
    while True:
        page = store.page(Job, query)
        seen.extend(page.items)
        if not page.next:
            break
        assert len(page.items) == size
        query = replace(query, cursor=page.next)
    assert seen == list(reversed(jobs))


def test_what_is_put_while_someone_pages_does_not_shift_the_pages(store: Store, epoch: int) -> None:
    store.commit(batch_of(job(1), job(2), job(3)), epoch=epoch, now_ms=NOW_MS)
    first = store.page(Job, Query(limit=2))
    store.commit(batch_of(job(4)), epoch=epoch, now_ms=NOW_MS)
    second = store.page(Job, Query(limit=2, cursor=first.next))
    assert (*first.items, *second.items) == (job(3), job(2), job(1))


def test_a_cursor_outlives_a_changed_limit_but_not_changed_filters(
    store: Store, epoch: int
) -> None:
    store.commit(batch_of(job(1), job(2), job(3)), epoch=epoch, now_ms=NOW_MS)
    cursor = store.page(Job, Query(tenant="acme", limit=1)).next
    assert store.page(Job, Query(tenant="acme", limit=9, cursor=cursor)).items == (job(2), job(1))
    with pytest.raises(RefusalError, match="other filters") as caught:
        store.page(Job, Query(tenant="umbrella", limit=1, cursor=cursor))
    assert caught.value.field == "cursor"
    with pytest.raises(RefusalError, match="other filters"):
        store.page(ApiKey, Query(tenant="acme", limit=1, cursor=cursor))


def test_a_page_never_exceeds_its_limit(store: Store, epoch: int) -> None:
    jobs = [job(number) for number in range(PAGE_MAX + 1)]
    store.commit(batch_of(*jobs), epoch=epoch, now_ms=NOW_MS)
    page = store.page(Job, Query(limit=PAGE_MAX + 10))
    assert len(page.items) == PAGE_MAX
    assert store.page(Job, Query(limit=PAGE_MAX + 10, cursor=page.next)).items == (job(0),)


def test_every_filter_narrows(store: Store, epoch: int) -> None:
    jobs = {
        "base": job(1),
        "tenant": job(2, tenant="umbrella"),
        "project": job(3, project="vision"),
        "name": job(4, name="evaluate"),
        "running": job(5, phase=JobPhase.RUNNING),
        "failed": job(6, phase=JobPhase.FAILED),
    }
    store.commit(batch_of(*jobs.values()), epoch=epoch, now_ms=NOW_MS)

    def found(query: Query) -> set[str]:
        items = store.page(Job, query).items
        assert sum(store.count(Job, query).values()) == len(items)
        return {label for label, each in jobs.items() if each in items}

    assert found(Query()) == set(jobs)
    assert found(Query(tenant="umbrella")) == {"tenant"}
    assert found(Query(project="vision")) == {"project"}
    assert found(Query(name="evaluate")) == {"name"}
    assert found(Query(phases=("running", "failed"))) == {"running", "failed"}
    assert found(Query(live_only=True)) == set(jobs) - {"failed"}
    assert found(Query(since_ms=1_005)) == {"running", "failed"}
    assert found(Query(until_ms=1_002)) == {"base"}
    assert found(Query(tenant="acme", name="train", phases=("queued",))) == {"base", "project"}
    assert found(Query(name="no-such")) == set()


def test_a_name_prefix_is_taken_literally(store: Store, epoch: int) -> None:
    names = ("train", "train-2", "Train", "tra", "t%", "t_x", "traïn")
    jobs = [job(number, name=name) for number, name in enumerate(names)]
    store.commit(batch_of(*jobs), epoch=epoch, now_ms=NOW_MS)

    def found(prefix: str) -> list[str]:
        return sorted(each.spec.name for each in store.page(Job, Query(name_prefix=prefix)).items)

    assert found("train") == ["train", "train-2"]
    assert found("tra") == ["tra", "train", "train-2", "traïn"]
    assert found("t%") == ["t%"]
    assert found("t_") == ["t_x"]


@pytest.mark.parametrize("odd", ["train\x00", "\x00", "\udc80"])
def test_what_no_database_can_hold_is_not_found(store: Store, epoch: int, odd: str) -> None:
    store.commit(batch_of(job(1)), epoch=epoch, now_ms=NOW_MS)
    assert store.read(Job, odd) is None
    assert store.read_named(Job, tenant="acme", project="nlp", name=odd) is None
    for query in (Query(name=odd), Query(name_prefix=odd), Query(tenant=odd), Query(phases=(odd,))):
        assert store.page(Job, query).items == ()
        assert store.count(Job, query) == {}
    assert store.events(EventQuery(subject=odd)) == ()
    assert store.ledger_totals(LedgerQuery(gang=odd)) == ()
    assert store.receipts([("acme", odd)]) == {}


def test_numbers_beyond_64_bits_are_only_very_large(store: Store, epoch: int) -> None:
    store.commit(batch_of(job(1)), epoch=epoch, now_ms=NOW_MS)
    assert store.page(Job, Query(since_ms=1 << 80)).items == ()
    assert store.page(Job, Query(until_ms=1 << 80, limit=1 << 80)).items == (job(1),)
    assert store.events(EventQuery(after_seq=1 << 80)) == ()
    assert store.ledger_totals(LedgerQuery(since_ms=1 << 80)) == ()
    assert store.inbox_reply(1 << 80) is None


def test_replicas_and_model_versions_are_found_by_what_they_belong_to(
    store: Store, epoch: int
) -> None:
    entities = (
        replica(1),
        replica(2, endpoint="ep-2"),
        model_version(1),
        model_version(2, name="big"),
    )
    store.commit(batch_of(*entities), epoch=epoch, now_ms=NOW_MS)
    assert store.page(Replica, Query(parent="ep-2")).items == (entities[1],)
    assert store.page(ModelVersion, Query(parent="tiny")).items == (entities[2],)


def test_moves_are_found_by_their_alias_and_cards_by_their_version(
    store: Store, epoch: int
) -> None:
    moves = (alias_move(1), alias_move(2, alias="best"), alias_move(3))
    cards = (model_card(1), model_card(2))
    store.commit(batch_of(*moves, *cards), epoch=epoch, now_ms=NOW_MS)
    assert store.page(AliasMove, Query(parent="tiny")).items == moves[::-1]
    assert store.page(AliasMove, Query(parent="tiny", phases=("best",))).items == (moves[1],)
    assert store.page(ModelCard, Query(parent="tiny:3", limit=1)).items == (cards[1],)
    assert store.page(ModelCard, Query(parent="tiny:2")).items == ()


def test_counts_are_by_phase_whatever_the_limit(store: Store, epoch: int) -> None:
    entities = (
        job(1),
        job(2),
        job(3, phase=JobPhase.RUNNING),
        job(4, tenant="umbrella"),
        replica(1, ended_ms=5),
        api_key(1, revoked_ms=3),
    )
    store.commit(batch_of(*entities), epoch=epoch, now_ms=NOW_MS)
    assert store.count(Job, Query(tenant="acme", limit=1)) == {"queued": 2, "running": 1}
    assert store.count(Replica, Query()) == {"ended": 1}
    assert store.count(ApiKey, Query()) == {"revoked": 1}


def test_tasks_are_found_by_their_array_and_left_out_where_only_orphans_are_wanted(
    store: Store, epoch: int
) -> None:
    tasks = [replace(job(n), id=f"array-1.{n}", array="array-1", index=n) for n in range(3)]
    store.commit(batch_of(job(9), *tasks), epoch=epoch, now_ms=NOW_MS)
    of_array = store.page(Job, Query(parent="array-1"))
    assert [each.index for each in of_array.items] == [2, 1, 0]
    assert store.page(Job, Query(orphans=True)).items == (job(9),)
