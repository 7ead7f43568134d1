"""Levels of attained service: whose turn it is, and who stops for whom."""

from dataclasses import replace

from gigawatt.model.quota import Bounds, Entitlement
from gigawatt.scheduler.policy import POLICIES
from gigawatt.twin.happenings import Timing
from gigawatt.twin.report import Report
from gigawatt.twin.run import Scenario, run
from gigawatt.twin.work import Work
from tests.unit.twin.sites import gpu_site, gpu_work

HOUR_S = 3600
LEVELS = replace(
    POLICIES["levels"], levels_ms=(HOUR_S * 1000, 4 * HOUR_S * 1000), min_run_ms=0, notice_ms=0
)
SAVES = Timing(checkpoint_ms=60_000)


def play(*works: Work, quotas: dict[str, int] | None = None) -> Report:
    projects = tuple(
        (name, Entitlement(quota=Bounds(milli_gpu=1000 * gpus)))
        for name, gpus in (quotas or {}).items()
    )
    scenario = Scenario(
        nodes=gpu_site(1), workload=works, policy=LEVELS, timing=SAVES, projects=projects
    )
    return run(scenario)


def test_what_has_run_long_stops_for_what_has_not_run() -> None:
    report = play(gpu_work(0, 3 * HOUR_S), gpu_work(2 * HOUR_S, 600))
    assert (report.preemptions, report.wait_s.p99) == (1, 0)
    assert report.jct_s.p99 == 3 * HOUR_S + 600


def test_what_has_not_run_long_yet_is_waited_for_until_it_has() -> None:
    report = play(gpu_work(0, 3 * HOUR_S), gpu_work(1800, 600))
    assert (report.preemptions, report.wait_s.p99) == (1, 1800)


def test_on_one_level_nobody_takes_turns() -> None:
    report = play(gpu_work(0, 3 * HOUR_S), gpu_work(2 * HOUR_S, 3 * HOUR_S))
    # The second runs for an hour, then both have run for as long as counts; the first came first.
    assert report.preemptions == 1
    assert report.jobs_completed == 2


def test_who_has_run_least_comes_first_whoever_waits_longer() -> None:
    works = (gpu_work(0, 3 * HOUR_S), gpu_work(2 * HOUR_S, 600), gpu_work(2 * HOUR_S + 300, 600))
    report = play(*works)
    assert report.preemptions == 1
    assert report.jct_s.p50 == 900  # the third: 300 s behind the second, and before the first


def test_a_project_within_its_quota_keeps_what_it_has_from_others() -> None:
    works = (
        gpu_work(0, 3 * HOUR_S, project="owner"),
        gpu_work(2 * HOUR_S, 600, project="other"),
    )
    report = play(*works, quotas={"owner": 8, "other": 0})
    assert (report.preemptions, report.wait_s.p99) == (0, HOUR_S)
    borrowed = play(*works, quotas={"owner": 4, "other": 4})
    assert (borrowed.preemptions, borrowed.wait_s.p99) == (1, 0)


def test_without_the_right_to_stop_the_line_alone_is_by_levels() -> None:
    policy = replace(LEVELS, yields=False)
    works = (gpu_work(0, 3 * HOUR_S), gpu_work(2 * HOUR_S, 600))
    scenario = Scenario(nodes=gpu_site(1), workload=works, policy=policy)
    assert run(scenario).preemptions == 0
