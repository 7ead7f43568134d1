"""What of the world is in a snapshot."""

from dataclasses import replace

import numpy as np

from gigawatt.model.attempt import AttemptPhase
from gigawatt.model.gang import Isolation
from gigawatt.model.job import JobPhase
from gigawatt.model.node import NodeState
from gigawatt.scheduler.encode import Encoder, encode_cold
from gigawatt.scheduler.snapshot import Snapshot
from tests.scenario.build import (
    GIB,
    NOW_MS,
    make_attempt,
    make_job,
    make_node,
    make_replica,
    make_shape,
    make_world,
)


def test_a_live_attempt_takes_its_amounts_and_devices_from_each_of_its_nodes() -> None:
    nodes = [make_node("a", gpus=2, cpus=8, memory=32), make_node("b", gpus=4, cpus=8, memory=32)]
    shape = make_shape(2, milli_gpu=2000, milli_cpu=3000, memory=1)
    job = make_job("j", shape, attempts=(make_attempt(nodes, devices=[(0, 1), (1, 3)], ranks=2),))
    columns = encode_cold(make_world(nodes, [job]), NOW_MS).nodes
    assert columns.free_NK.tolist() == [[0, 5000, 31 * GIB], [2000, 5000, 31 * GIB]]
    assert columns.device_free_ND.tolist() == [[0, 0, 0, 0], [1000, 0, 1000, 0]]
    assert columns.device_count_N.tolist() == [2, 4]
    assert columns.gangs_N.tolist() == [1, 1]


def test_an_ended_attempt_takes_nothing_and_its_job_is_in_the_line_again() -> None:
    node = make_node("a")
    ended = make_attempt([node], phase=AttemptPhase.ENDED)
    snapshot = encode_cold(make_world([node], [make_job("j", make_shape(), attempts=(ended,))]), 1)
    assert snapshot.gangs.ids == ("j",)
    assert snapshot.nodes.free_NK[0].tolist() == list(node.total.vector())


def test_only_queued_jobs_and_wanted_replicas_wait() -> None:
    ended = make_attempt([], phase=AttemptPhase.ENDED)
    work = [
        *(make_job(phase, make_shape(), phase=JobPhase(phase)) for phase in JobPhase),
        make_replica("rep-new", make_shape()),
        make_replica("rep-again", make_shape(), attempts=(ended,)),
        make_replica("rep-runs", make_shape(), attempts=(make_attempt([]),)),
        make_replica("rep-unwanted", make_shape(), stopping=True),
        replace(make_replica("rep-ended", make_shape()), ended_ms=1),
    ]
    encoder = Encoder()
    for each in work:
        encoder.apply(each)
    assert encoder.snapshot(NOW_MS).gangs.ids == ("queued", "rep-again", "rep-new")
    assert encode_cold(make_world([], work), NOW_MS).gangs.ids == ("queued", "rep-again", "rep-new")


def test_a_gang_isolated_by_node_seals_its_nodes() -> None:
    nodes = [make_node("a"), make_node("b")]
    attempt = make_attempt(nodes[:1])
    job = make_job("j", make_shape(), isolation=Isolation.NODE, attempts=(attempt,))
    assert encode_cold(make_world(nodes, [job]), 1).nodes.sealed_N.tolist() == [True, False]


def test_only_ready_nodes_are_open() -> None:
    nodes = [make_node(state, state=NodeState(state)) for state in NodeState]
    columns = encode_cold(make_world(nodes), 1).nodes
    assert columns.open_N.tolist() == [state == "ready" for state in columns.ids]


def test_domains_are_named_by_their_path_and_an_unknown_level_has_none() -> None:
    nodes = [make_node("a", place="s//p//r"), make_node("b", place="s/h/p")]
    columns = encode_cold(make_world(nodes), 1).nodes
    assert columns.topology_NL.tolist() == [[0, -1, 0, -1, 0, -1, 0], [0, 0, 1, -1, -1, -1, 1]]
    assert columns.domains[2] == (("s", "", "p"), ("s", "h", "p"))


def test_a_snapshot_of_nothing_new_shares_all_of_the_last_one() -> None:
    encoder = Encoder.of(make_world([make_node("a")], [make_job("j", make_shape())]))
    first, second = encoder.snapshot(1), encoder.snapshot(2)
    assert (first.now_ms, second.now_ms) == (1, 2)
    assert first.nodes is second.nodes
    assert first.gangs is second.gangs


def test_a_start_leaves_the_columns_that_it_does_not_touch_as_they_are() -> None:
    nodes = [make_node("a", gpus=1), make_node("b")]
    job = make_job("j", make_shape())
    encoder = Encoder.of(make_world(nodes, [job]))
    before = encoder.snapshot(1)
    assert encoder.apply(job.with_attempt(make_attempt(nodes[:1])))
    after = encoder.snapshot(1)
    assert shares(before, after, "total_NK", "topology_NL", "gpu_kind_N")
    assert not shares(before, after, "free_NK")


def test_a_job_that_reports_progress_changes_no_column() -> None:
    node = make_node("a")
    job = make_job("j", make_shape(), attempts=(make_attempt([node]),), phase=JobPhase.RUNNING)
    encoder = Encoder.of(make_world([node], [job]))
    before = encoder.snapshot(1)
    assert not encoder.apply(replace(job, version=2, message="step 7"))
    assert not encoder.apply(replace(node, version=2, changed_ms=5))
    after = encoder.snapshot(1)
    assert after.nodes is before.nodes
    assert after.gangs is before.gangs


def test_an_attempt_on_a_node_that_is_not_there_yet_counts_when_it_comes() -> None:
    node = make_node("a", cpus=4)
    encoder = Encoder()
    encoder.apply(make_job("j", make_shape(), attempts=(make_attempt([node]),)))
    assert encoder.snapshot(1).nodes.ids == ()
    encoder.apply(node)
    assert encoder.snapshot(1).nodes.free_NK[:, 1].tolist() == [3000]


def shares(before: Snapshot, after: Snapshot, *columns: str) -> bool:
    return all(
        np.shares_memory(getattr(before.nodes, name), getattr(after.nodes, name))
        for name in columns
    )
