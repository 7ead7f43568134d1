from dataclasses import replace
from pathlib import Path

import pytest

from gigawatt.model.gang import Shape
from gigawatt.model.refusal import RefusalError
from gigawatt.model.resources import Resources
from gigawatt.twin.report import report_bytes
from gigawatt.twin.run import run
from gigawatt.twin.scenario import read_scenario
from gigawatt.twin.synthetic import ROUND_LIMITS_S, Habits, Size, Synthetic, synthetic_works
from gigawatt.twin.work import Work

TEXT = """
policy = "easy-hold"
seed = 7
startup = "30s"
checkpoint = "20m"

[[nodes]]
nodes = 4
cores = 64
gpus = 8
nodes_per_rack = 2

[workload]
jobs = 60
gap = "4m"
run_median = "20m"
run_p90 = "2h"
projects = 3
[[workload.sizes]]
weight = 3
gpus = 2
[[workload.sizes]]
gpus = 8
nodes = 2
same = "rack"

[failures]
mean_between = "6h"
repair = "1h"
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "scenario.toml"
    file.write_text(text)
    return file


def test_a_scenario_with_failures_is_played_to_its_end_and_twice_to_the_same_bytes(
    tmp_path: Path,
) -> None:
    file = written(tmp_path, TEXT)
    first, second = (run(read_scenario(file)) for _ in range(2))
    assert report_bytes(first) == report_bytes(second)
    assert (first.jobs_completed, first.policy) == (60, "easy-hold")
    assert first.interruptions > 0
    assert first.lost_work_gpu_s > 0
    assert first.goodput is not None
    assert first.goodput < 1


def test_another_seed_is_another_history(tmp_path: Path) -> None:
    one = read_scenario(written(tmp_path, TEXT))
    other = read_scenario(written(tmp_path, TEXT.replace("seed = 7", "seed = 8")))
    assert one.workload != other.workload


def test_a_scenario_may_play_a_trace_that_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t,d,n\n0,60,2\n")
    head, tail = TEXT[: TEXT.index("[workload]")], TEXT[TEXT.index("[failures]") :]
    workload = (
        '[workload]\ntrace = "a.csv"\nformat = "csv"\nmap = {at = "t", run = "d", gpus = "n"}\n'
    )
    report = run(read_scenario(written(tmp_path, head + workload + tail)))
    assert (report.jobs_completed, report.jct_s.mean) == (1, 90)


@pytest.mark.parametrize(
    ("before", "after", "finding", "hint"),
    [
        ('"easy-hold"', '"easy-hole"', "there is no policy easy-hole", "did you mean 'easy-hold'?"),
        ("seed", "sead", "sead is not a known field", "did you mean 'seed'?"),
        ('"30s"', '"soon"', "startup is not a duration: 'soon'", "90s"),
        ("gap =", "gab =", "workload.gab is not a known field", "did you mean 'gap'?"),
        ("jobs = 60", "jobs = -1", "workload.jobs must be at least 0, got -1", ""),
        ("jobs = 60", "jobs = 0", "neither a trace nor jobs and sizes", "name a trace"),
        ("gpus = 8\nnodes_", "gpu = 8\nnodes_", "nodes[0].gpu is not a known", "'gpus'"),
        ('"2h"', '"2m"', "run_median must be above 0 and not above", ""),
        ("seed = 7", "seed = ", "is not TOML", ""),
        ('same = "rack"', 'same = "row"', "same must be", ""),
        ("[failures]\n", "[failures]\nlemons = 2\n", "failures.lemons must be at most 1", ""),
    ],
)
def test_a_wrong_scenario_is_refused_with_its_field_and_what_is_allowed(
    tmp_path: Path, before: str, after: str, finding: str, hint: str
) -> None:
    assert before in TEXT
    with pytest.raises(RefusalError) as refused:
        read_scenario(written(tmp_path, TEXT.replace(before, after, 1)))
    assert finding in refused.value.detail
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("more", "finding"),
    [
        (
            "[[failures.domains]]\nmean_between = '1d'\n",
            "domains[0] needs either a level or a number",
        ),
        ("[[failures.domains]]\nlevel = 'rack'\n", "failures.domains.0.mean_between is missing"),
        (
            "[[serving]]\nname = 'chat'\nreplicas_max = 2\n",
            "serving[0] has neither a load nor a most",
        ),
        (
            "[[serving]]\nname = 'c'\nreplicas_max = 2\nreplicas_min = 3\nmost = 1\n",
            "serving[0].replicas_min is above replicas_max",
        ),
        ("[[serving]]\nname = 'c'\nreplicas_max = 2\nload = 'no.csv'\n", "there is no file"),
    ],
)
def test_what_fails_and_what_is_served_is_checked_too(
    tmp_path: Path, more: str, finding: str
) -> None:
    with pytest.raises(RefusalError) as refused:
        read_scenario(written(tmp_path, TEXT + more))
    assert finding in refused.value.detail


def test_a_scenario_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusalError, match="cannot read"):
        read_scenario(tmp_path / "none.toml")


def test_drawn_jobs_have_the_times_and_limits_that_were_asked_for(tmp_path: Path) -> None:
    scenario = read_scenario(written(tmp_path, TEXT))
    shape = next(iter(scenario.workload)).shape
    size = synthetic_form(shape)
    works = list(synthetic_works(size, seed=3))
    runs = sorted(work.run_ms for work in works)
    assert 550_000 < runs[1000] < 650_000
    assert 6_000_000 < runs[1800] < 8_400_000
    assert all(work.run_ms <= work.limit_ms <= 3 * work.run_ms + 1 for work in works)
    assert 55_000 < works[-1].at_ms / len(works) < 65_000
    unlimited = synthetic_works(replace(size, limit_factor=0), seed=3)
    assert next(unlimited).limit_ms == 0


def test_drawn_jobs_come_by_the_hours_and_days_that_were_asked_for() -> None:
    hours = tuple(3.0 if 9 <= hour < 18 else 0.0 for hour in range(24))
    form = replace(synthetic_form(SHAPE), gap_ms=600_000, hours=hours, weekend=0.0)
    works = list(synthetic_works(form, seed=3))
    at_h = [work.at_ms // 3_600_000 for work in works[1:]]
    assert {hour % 24 for hour in at_h} == set(range(9, 18))
    assert {hour // 24 % 7 for hour in at_h} == {0, 1, 2, 3, 4}
    assert works[-1].at_ms / len(works) == pytest.approx(600_000, rel=0.3)  # the mean gap stays


def test_users_have_habits_and_write_round_limits() -> None:
    other = replace(SHAPE, nodes_min=2, nodes_max=2)
    sizes = (Size(weight=1, shape=SHAPE), Size(weight=1, shape=other))
    form = replace(
        synthetic_form(SHAPE), sizes=sizes, projects=1, habits=Habits(users=5), round_limits=True
    )
    works = list(synthetic_works(form, seed=3))
    by_user: dict[str, list[Work]] = {}
    for work in works:
        by_user.setdefault(work.user, []).append(work)
    assert len(by_user) == 5
    assert len(by_user["user-0-0"]) > len(by_user["user-0-4"])
    for mine in by_user.values():
        wide = sum(work.shape is other for work in mine) / len(mine)
        assert wide < 0.25 or wide > 0.75
    medians = sorted(sorted(w.run_ms for w in mine)[len(mine) // 2] for mine in by_user.values())
    assert medians[-1] > 2 * medians[0]
    assert all(work.limit_ms >= work.run_ms for work in works)
    assert {work.limit_ms // 1000 for work in works if work.run_ms < 10**8} <= {
        *ROUND_LIMITS_S,
        *(work.limit_ms // 1000 for work in works if work.limit_ms > 1000 * ROUND_LIMITS_S[-1]),
    }


SHAPE = Shape(per_node=Resources(milli_gpu=1000))


def synthetic_form(shape: Shape) -> Synthetic:
    return Synthetic(
        jobs=2000,
        gap_ms=60_000,
        run_median_ms=600_000,
        run_p90_ms=7_200_000,
        limit_factor=3,
        projects=2,
        sizes=(Size(weight=1, shape=shape),),
    )


def test_a_policy_that_is_named_brings_its_own_placement(tmp_path: Path) -> None:
    file = written(tmp_path, 'placement = "fgd"\n' + TEXT)
    assert read_scenario(file).policy_name == "easy-hold fgd"
    assert read_scenario(file, policy="random").policy_name == "random"
    assert read_scenario(file, policy="levels", placement="first").policy_name == "levels first"
