import os
import subprocess
import sys
from dataclasses import replace

import pytest

from gigawatt.model.node import NodeReport
from gigawatt.model.quota import Bounds, Entitlement
from gigawatt.scheduler.policy import POLICIES, Policy
from gigawatt.twin.happenings import Event, Fails, Timing
from gigawatt.twin.report import Report, Spread, report_bytes
from gigawatt.twin.run import Scenario, run
from gigawatt.twin.site import NodeGroup, build_site
from gigawatt.twin.work import Work
from tests.unit.twin.sites import GIB, core_site, gpu_site, gpu_work


def play(
    nodes: tuple[NodeReport, ...],
    *workload: Work,
    timing: Timing | None = None,
    faults: tuple[tuple[int, Event], ...] = (),
) -> Report:
    return run(Scenario(nodes=nodes, workload=workload, timing=timing or Timing(), faults=faults))


def test_a_job_that_has_room_starts_at_once_and_ends_when_it_is_done() -> None:
    report = play(gpu_site(1), gpu_work(10, 100))
    assert (report.jobs_submitted, report.jobs_completed) == (1, 1)
    assert report.wait_s == Spread(mean=0, p50=0, p90=0, p99=0)
    assert report.jct_s == Spread(mean=100, p50=100, p90=100, p99=100)
    assert report.makespan_s == 100


def test_a_job_waits_for_the_end_of_the_one_that_has_its_node() -> None:
    report = play(gpu_site(1), gpu_work(0, 100), gpu_work(40, 50))
    assert report.wait_s == Spread(mean=30, p50=0, p90=60, p99=60)
    assert (report.makespan_s, report.utilization, report.goodput) == (150, 1.0, 1.0)


def test_the_start_of_ranks_takes_its_time_and_counts_as_starting() -> None:
    report = play(gpu_site(1), gpu_work(0, 90), timing=Timing(startup_ms=10_000))
    assert (report.makespan_s, report.goodput) == (100, 0.9)


def test_a_workload_that_half_fills_its_nodes_is_half_scattered() -> None:
    report = play(gpu_site(2), gpu_work(0, 100, gpus=4))
    assert (report.utilization, report.fragmentation) == (0.25, 0.25)


def test_a_job_larger_than_the_site_is_told_apart_and_holds_up_nobody() -> None:
    report = play(gpu_site(2), gpu_work(0, 10, nodes=3), gpu_work(0, 10))
    assert (report.jobs_impossible, report.jobs_submitted, report.jobs_completed) == (1, 1, 1)


def test_a_job_whose_node_fails_runs_again_elsewhere_from_its_last_checkpoint() -> None:
    report = play(
        gpu_site(2),
        gpu_work(0, 100),
        faults=((55_000, Fails(nodes=("node-0",), repair_ms=500_000)),),
        timing=Timing(checkpoint_ms=20_000),
    )
    assert (report.interruptions, report.jobs_completed) == (1, 1)
    assert report.jct_s.mean == 55 + 60  # 40 s of 55 were saved
    assert report.lost_work_gpu_s == 15 * 8
    assert report.goodput == round(100 / 115, 6)


def test_without_checkpoints_all_that_was_done_is_lost() -> None:
    fault = (55_000, Fails(nodes=("node-0",), repair_ms=10_000))
    report = play(gpu_site(1), gpu_work(0, 100), faults=(fault,))
    assert (report.jct_s.mean, report.lost_work_gpu_s) == (55 + 10 + 100, 55 * 8)
    assert report.utilization == 1.0  # of what was up


def test_a_project_is_made_when_its_first_job_comes() -> None:
    report = play(gpu_site(1), gpu_work(0, 10, project="vision"), gpu_work(0, 10, project="vision"))
    assert report.jobs_completed == 2


def test_sites_without_gpus_are_counted_in_cores() -> None:
    report = play(core_site(1), gpu_work(0, 10, gpus=0))
    assert (report.utilization, report.lost_work_gpu_s) == (0.125, 0.0)


def test_what_is_foretold_by_nobody_is_not_made_up() -> None:
    estimates = play(gpu_site(1), gpu_work(0, 10)).estimates
    assert (estimates.count, estimates.coverage_p50, estimates.pinball) == (0, None, None)


def test_nothing_to_do_is_a_report_of_nothing() -> None:
    report = play(gpu_site(1))
    assert (report.jobs_submitted, report.wait_s.mean, report.makespan_s) == (0, None, 0)


def test_nodes_of_a_site_stand_in_racks_and_leaves() -> None:
    site = build_site(
        NodeGroup(nodes=3, cores=8, memory_bytes=GIB, nodes_per_rack=1, nodes_per_leaf=2),
        NodeGroup(nodes=1, cores=8, gpus=2, memory_bytes=GIB),
    )
    assert [node.topology[3:5] for node in site] == [
        ("g0-leaf0", "g0-rack0"),
        ("g0-leaf0", "g0-rack1"),
        ("g0-leaf1", "g0-rack2"),
        ("", ""),
    ]
    assert [node.id for node in site] == ["node-0", "node-1", "node-2", "node-3"]
    assert [gpu.uuid for gpu in site[3].gpus] == ["node-3-gpu-0", "node-3-gpu-1"]


BUSY = """
import sys
from dataclasses import replace
from tests.unit.twin.test_run import busy
sys.stdout.buffer.write(busy())
"""


def busy() -> bytes:
    """The report of a run with several projects, waits, failures and lost work, as bytes."""
    works = [
        gpu_work(at, 50 + at % 37, gpus=1 + at % 8, project=f"p{at % 5}") for at in range(0, 400, 3)
    ]
    faults = [
        (at * 1000, Fails(nodes=(f"node-{at % 4}",), repair_ms=30_000)) for at in range(20, 400, 90)
    ]
    scenario = Scenario(
        nodes=gpu_site(4), workload=works, faults=faults, timing=Timing(checkpoint_ms=15_000)
    )
    return report_bytes(run(scenario))


@pytest.mark.slow
def test_the_same_scenario_gives_the_same_bytes_under_any_hash_seed() -> None:
    reports = {
        subprocess.run(
            [sys.executable, "-c", BUSY],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert reports == {busy()}


def test_starts_are_foretold_and_scored() -> None:
    works = [gpu_work(10 * at, 100 + 37 * (at % 5), limit_s=600) for at in range(60)]
    report = run(Scenario(nodes=gpu_site(2), workload=works, estimates=True))
    assert report.estimates.count > 20
    assert report.estimates.coverage_p90 is not None
    assert report.estimates.coverage_p90 >= (report.estimates.coverage_p50 or 0)
    again = run(Scenario(nodes=gpu_site(2), workload=works, estimates=True))
    assert report_bytes(again) == report_bytes(report)


def test_foretelling_changes_nothing_that_happens() -> None:
    works = [gpu_work(10 * at, 100 + 37 * (at % 5), limit_s=600) for at in range(60)]
    silent = run(Scenario(nodes=gpu_site(2), workload=works))
    told = run(Scenario(nodes=gpu_site(2), workload=works, estimates=True))
    assert replace(told, estimates=silent.estimates) == silent


def test_a_rack_that_fails_takes_all_of_its_nodes_and_they_are_back_together() -> None:
    both = Fails(nodes=("node-0", "node-1"), repair_ms=50_000, cause="rack")
    report = play(gpu_site(2), gpu_work(0, 100), gpu_work(0, 100), faults=((10_000, both),))
    assert (report.interruptions, report.failures) == (2, (("rack", 1),))
    assert report.jct_s == Spread(mean=160, p50=160, p90=160, p99=160)


def test_a_node_that_is_down_twice_is_back_after_the_longer_repair() -> None:
    faults = (
        (10_000, Fails(nodes=("node-0",), repair_ms=100_000)),
        (20_000, Fails(nodes=("node-0",), repair_ms=20_000)),
    )
    report = play(gpu_site(1), gpu_work(0, 100), faults=faults)
    assert report.jct_s.mean == 10 + 100 + 100


def test_a_checkpoint_costs_its_time_and_that_is_not_goodput() -> None:
    timing = Timing(checkpoint_ms=20_000, save_ms=5_000)
    report = play(gpu_site(1), gpu_work(0, 100), timing=timing)
    assert report.jct_s.mean == 100 + 4 * 5  # none at the end
    assert report.checkpointing_s == 4 * 5 * 8
    assert report.goodput == round(100 / 120, 6)


def test_what_is_saved_at_a_cost_is_kept() -> None:
    report = play(
        gpu_site(2),
        gpu_work(0, 100),
        faults=((55_000, Fails(nodes=("node-0",), repair_ms=500_000)),),
        timing=Timing(checkpoint_ms=20_000, save_ms=5_000),
    )
    assert report.jct_s.mean == 55 + 60 + 2 * 5  # 40 s were done and saved by 50 s


def test_a_second_start_may_take_another_time_than_the_first() -> None:
    report = play(
        gpu_site(2),
        gpu_work(0, 100),
        faults=((15_000, Fails(nodes=("node-0",), repair_ms=500_000)),),
        timing=Timing(startup_ms=5_000, restart_ms=60_000),
    )
    assert report.jct_s.mean == 15 + 60 + 100


OWNED = ("owned", Entitlement(quota=Bounds(milli_gpu=8000)))
EAGER = replace(POLICIES["preempt"], min_run_ms=0, notice_ms=30_000)


def reclaimed(timing: Timing, policy: Policy = EAGER) -> Report:
    """The owner of a quota takes back the only node 55 s after a borrower has begun on it."""
    return run(
        Scenario(
            nodes=gpu_site(1),
            workload=(gpu_work(0, 100), gpu_work(55, 10, project="owned")),
            timing=timing,
            policy=policy,
            projects=(OWNED,),
        )
    )


def test_who_is_told_that_it_will_be_stopped_saves_in_time() -> None:
    report = reclaimed(Timing(checkpoint_ms=40_000, save_ms=5_000))
    # 50 s were done when it was told at 55 s; it was stopped at 85 s, and the owner had 10 s
    assert (report.preemptions, report.wait_s.p99) == (1, 30)
    assert report.jct_s.p99 == 85 + 10 + (100 - 50) + 5


def test_who_does_not_save_when_told_has_its_last_checkpoint() -> None:
    report = reclaimed(Timing(checkpoint_ms=40_000, save_ms=5_000, saves_when_told=False))
    assert report.jct_s.p99 == 85 + 10 + (100 - 40) + 5


def test_who_takes_its_time_to_stop_is_waited_for() -> None:
    report = reclaimed(Timing(checkpoint_ms=20_000, stop_ms=7_000))
    assert report.wait_s.p99 == 30 + 7
