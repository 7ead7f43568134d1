"""`gw sim trace`: a workload that happened, played through a policy."""

import json
from pathlib import Path

import pytest

from tests.surface.cli.conftest import Gw

KEYS = {
    "jobs_completed",
    "makespan_s",
    "wait_s",
    "jct_s",
    "utilization",
    "goodput",
    "fragmentation",
    "preemptions",
    "lost_work_gpu_s",
    "estimates",
    "decisions",
    "decisions_per_s",
    "wall_s",
    "peak_rss_bytes",
}


def swf(*jobs: tuple[int, int, int, int]) -> str:
    """Jobs as (submit, run, processors, requested time), in seconds."""
    return "".join(
        f"{n} {at} -1 {run} {p} -1 -1 {p} {limit} -1 1 1 1 -1 1 -1 -1 -1\n"
        for n, (at, run, p, limit) in enumerate(jobs, start=1)
    )


# The second does not fit beside the first. The third fits and ends in time; the fourth would delay the second.
JOBS = swf((0, 100, 12, 100), (1, 50, 16, 50), (2, 90, 4, 98), (3, 200, 4, 200))


@pytest.mark.parametrize(
    ("policy", "mean_wait_s", "waited"),
    [
        ("fifo", (99 + 148 + 147) / 4, 3),
        ("easy-hold", (99 + 0 + 147) / 4, 2),
    ],
)
def test_a_trace_is_played_and_reported_as_one_object(
    gw: Gw, policy: str, mean_wait_s: float, waited: int
) -> None:
    Path("a.swf").write_text(JOBS)
    done = gw(
        *("sim", "trace", "a.swf", "--format", "swf", "--cluster", "2x8"),
        *("--policy", policy, "-o", "json"),
    )
    shown = json.loads(done.stdout)
    assert set(shown) >= KEYS
    assert (shown["jobs_completed"], shown["wait_s"]["mean"]) == (4, mean_wait_s)
    assert shown["estimates"]["count"] == waited


def test_a_report_is_shown_to_people_as_tables(gw: Gw) -> None:
    Path("a.csv").write_text("timestamp,duration,num_gpus,cluster\n2020-01-01,60,8,x\n")
    shown = gw(*("sim", "trace", "a.csv", "--format", "philly", "--cluster", "1x8")).stdout
    assert "policy         default on 1 nodes" in shown
    assert "utilization    100.0 %" in shown


def test_a_policy_that_there_is_not_is_refused_with_the_nearest(gw: Gw) -> None:
    Path("a.swf").write_text(JOBS)
    done = gw(
        *("sim", "trace", "a.swf", "--format", "swf", "--cluster", "2x8", "--policy", "fiffo")
    )
    assert done.exit_code == 2
    assert "there is no policy fiffo" in done.stderr
    assert "did you mean 'fifo'?" in done.stderr
