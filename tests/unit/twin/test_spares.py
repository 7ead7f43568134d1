"""A gang with spares goes on where it was when a node fails, whoever waits; and what happens to the spares themselves."""

from dataclasses import replace

from gigawatt.model.gang import Segment, Shape
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.ledger import TimeClass
from gigawatt.model.resources import Resources
from gigawatt.twin.happenings import Fails
from gigawatt.twin.run import Scenario, Twin, run
from gigawatt.twin.site import NodeGroup, build_site
from gigawatt.twin.work import Work

RACKS = build_site(
    NodeGroup(nodes=8, cores=64, gpus=8, memory_bytes=1 << 39, nodes_per_rack=4)
)  # node-0 to node-3, and node-4 to node-7
NODE = Resources(milli_gpu=8000, milli_cpu=1000)
TWICE_THREE = Shape(
    nodes_min=6,
    nodes_max=6,
    per_node=NODE,
    segment=Segment(nodes=3, level="rack"),
    spares=1,
)
ONE = Shape(per_node=NODE)
FOREVER_MS = 10**9


def works(*shapes: Shape, run_s: int = 100) -> list[Work]:
    return [
        Work(at_ms=place * 1000, run_ms=run_s * 1000, shape=shape)
        for place, shape in enumerate(shapes)
    ]


def played(*failed: str, until_s: int) -> Twin:
    """The wide job on both racks, one that waits behind it, and nodes that fail for good, ten seconds apart."""
    faults = [
        (10_000 * (n + 1), Fails(nodes=(node,), repair_ms=FOREVER_MS))
        for n, node in enumerate(failed)
    ]
    twin = Twin(Scenario(nodes=RACKS, workload=works(TWICE_THREE, ONE), faults=faults))
    start_ms = twin.now_ms
    while twin.now_ms < start_ms + until_s * 1000 and twin.step():
        pass
    return twin


def wide(twin: Twin) -> Job:
    return twin.state.world.jobs["job-000000001"]


def test_segments_are_in_one_rack_each_with_their_spare_beside_them() -> None:
    attempt = wide(played(until_s=1)).attempt
    assert attempt is not None
    assert attempt.nodes == ("node-0", "node-1", "node-2", "node-4", "node-5", "node-6")
    assert [spare.node for spare in attempt.spares] == ["node-3", "node-7"]
    assert len(attempt.spares[0].gpus) == 8
    assert len(attempt.ranks) == 6


def test_what_is_held_and_not_run_on_is_told_apart_in_the_ledger() -> None:
    accounts = played(until_s=1).state.world.accounts
    assert accounts["node-3"].uses[0].time_class is TimeClass.HELD
    assert accounts["node-2"].uses[0].time_class is TimeClass.USEFUL


def test_a_spare_of_the_same_rack_takes_over_at_once_though_others_wait() -> None:
    twin = played("node-5", until_s=12)
    job = wide(twin)
    assert job.attempt is not None and job.attempt.n == 2
    assert job.attempt.nodes == ("node-0", "node-1", "node-2", "node-4", "node-7", "node-6")
    assert [spare.node for spare in job.attempt.spares] == ["node-3"]
    assert twin.state.world.jobs["job-000000002"].phase is JobPhase.QUEUED


def test_without_a_spare_in_the_rack_it_waits_in_the_line_for_whole_segments() -> None:
    twin = played("node-5", "node-4", until_s=25)
    assert wide(twin).phase is JobPhase.QUEUED
    assert wide(twin).claim is None


def test_a_spare_that_fails_stops_nothing() -> None:
    job = wide(played("node-7", until_s=12))
    assert job.attempt is not None and job.attempt.n == 1
    assert [spare.node for spare in job.attempt.spares] == ["node-3"]


def test_a_run_with_spares_keeps_every_invariant_to_its_end() -> None:
    faults = [
        (10_000, Fails(nodes=("node-1",), repair_ms=30_000)),
        (70_000, Fails(nodes=("node-6",), repair_ms=1)),
    ]
    plain = replace(ONE, nodes_min=2, nodes_max=2, spares=1)
    report = run(Scenario(nodes=RACKS, workload=works(TWICE_THREE, plain, ONE), faults=faults))
    assert (report.jobs_completed, report.interruptions) == (3, 2)
