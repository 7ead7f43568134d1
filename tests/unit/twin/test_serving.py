from dataclasses import replace
from pathlib import Path

import pytest

from gigawatt.model.gang import Shape
from gigawatt.model.quota import Bounds, Entitlement
from gigawatt.model.refusal import RefusalError
from gigawatt.model.resources import Resources
from gigawatt.twin.happenings import Fails, Timing
from gigawatt.twin.run import Scenario, run
from gigawatt.twin.serving import AS_IT_IS, Diurnal, Load, Points
from gigawatt.twin.traces.curve import read_curve
from tests.unit.twin.sites import gpu_site, gpu_work

HOUR_MS = 3_600_000
TWO_GPUS = Shape(per_node=Resources(milli_gpu=2000))
STEPS = Points(times_ms=(0, HOUR_MS, 2 * HOUR_MS), in_flight=(8.0, 24.0, 0.0))


def chat(curve: Points | Diurnal = STEPS, *, least: int = 0) -> Load:
    return Load(
        name="chat",
        project="web",
        shape=TWO_GPUS,
        curve=curve,
        replicas_min=least,
        replicas_max=4,
        step_ms=HOUR_MS,
        until_ms=3 * HOUR_MS,
    )


def test_replicas_follow_the_curve_and_the_ledger_has_them_as_serving() -> None:
    report = run(Scenario(nodes=gpu_site(1), workload=(), loads=(chat(),)))
    # One replica for the first hour, three for the second; each look is before what it starts.
    assert report.serving[0].replicas_wanted == pytest.approx(4 / 3, abs=1e-6)
    assert report.utilization == pytest.approx((2 * 1 + 2 * 3) / (8 * 3), abs=0.01)
    assert report.goodput is not None
    assert report.goodput > 0.5


def test_jobs_wait_for_what_serves() -> None:
    load = chat(Points(times_ms=(0,), in_flight=(32.0,)))
    report = run(Scenario(nodes=gpu_site(1), workload=(gpu_work(60, 10),), loads=(load,)))
    assert report.wait_s.mean == pytest.approx(3 * 3600 - 60, abs=1)


def test_a_limit_of_the_project_holds_for_its_replicas() -> None:
    load = chat(Points(times_ms=(0,), in_flight=(32.0,)))
    limited = ("web", Entitlement(limit=Bounds(milli_gpu=4000)))
    report = run(Scenario(nodes=gpu_site(1), workload=(), loads=(load,), projects=(limited,)))
    assert report.serving[0].replicas_wanted == 4
    assert report.serving[0].replicas_ready == pytest.approx(4 / 3, abs=1e-6)  # 0, then 2 and 2
    assert report.utilization == pytest.approx(0.5, abs=0.01)


def test_a_replica_whose_node_fails_is_started_again() -> None:
    load = chat(Points(times_ms=(0,), in_flight=(8.0,)))
    fault = (HOUR_MS, Fails(nodes=("node-0",), repair_ms=60_000))
    report = run(
        Scenario(
            nodes=gpu_site(1),
            workload=(),
            loads=(load,),
            faults=(fault,),
            timing=Timing(startup_ms=30_000),
        )
    )
    assert report.interruptions == 0  # of jobs
    assert report.utilization == pytest.approx(0.25, abs=0.01)


def test_a_day_has_its_peak_and_its_least() -> None:
    curve = Diurnal(least=10, most=90, peak_ms=15 * HOUR_MS)
    assert (curve.at(15 * HOUR_MS), curve.at(39 * HOUR_MS)) == (90, 90)
    assert curve.at(3 * HOUR_MS) == pytest.approx(10)
    assert curve.at(9 * HOUR_MS) == pytest.approx(50)


def test_a_curve_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "load.csv"
    file.write_text("in_flight,at\n8,0\n24,3600\n\n0,7200\n")
    assert read_curve(file) == STEPS


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("at,load\n0,1\n", "line 1: in_flight is no column"),
        ("at,in_flight\n0,many\n", "line 2: in_flight is 'many'"),
        ("at,in_flight\n0\n", "line 2: the line has 1 fields"),
        ("at,in_flight\n5,1\n5,2\n", "line 3: at is not after the line before"),
        ("at,in_flight\n", "the file has no times"),
    ],
)
def test_a_curve_that_is_wrong_is_refused_with_its_line(
    tmp_path: Path, text: str, finding: str
) -> None:
    file = tmp_path / "load.csv"
    file.write_text(text)
    with pytest.raises(RefusalError) as refused:
        read_curve(file)
    assert finding in refused.value.detail


def test_a_load_is_scaled_by_productions_scaling_where_it_is_given_one() -> None:
    roomy = replace(chat(), scaling=replace(AS_IT_IS, headroom_milli=2_000))
    plain, more = (
        run(Scenario(nodes=gpu_site(1), workload=(), loads=(load,))).serving[0].replicas_wanted
        for load in (chat(), roomy)
    )
    # 8 and 24 requests and two of their roots are 13.7 and 33.8: two replicas of 8, and five, of which four may be.
    assert (plain, more) == (pytest.approx(4 / 3, abs=1e-6), pytest.approx((2 + 4) / 3, abs=1e-6))
