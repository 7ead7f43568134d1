"""A change that was printed comes true: the job is taken back, submitted again as told, and starts at once."""

import pytest
from benchmarks.changes import KEPT_PERCENT, Count, applied, scenario

from gigawatt.model.gang import Shape
from gigawatt.model.resources import Resources
from gigawatt.scheduler.policy import POLICIES
from gigawatt.twin.run import Scenario
from gigawatt.twin.synthetic import Size, Synthetic, synthetic_works
from tests.unit.twin.sites import gpu_site

SEEDS = 3
TRIED_MIN = 8  # or nothing was shown


def test_who_changes_what_was_told_starts_then_beside_a_hold_with_a_date() -> None:
    count = Count()
    for seed in range(SEEDS):
        applied(one_project("easy-hold", seed), count, with_dates=False)
    shown(count)


@pytest.mark.parametrize("seed", range(2))
def test_who_changes_what_was_told_starts_then_on_a_mixed_site(seed: int) -> None:
    count = Count()
    applied(scenario("default", seed, jobs=80, estimates=False), count, with_dates=False)
    shown(count)


def shown(count: Count) -> None:
    kept, tried = count.of(dated=False)
    assert tried >= TRIED_MIN
    assert 100 * kept >= KEPT_PERCENT * tried, count


def one_project(policy: str, seed: int) -> Scenario:
    sizes = tuple(
        Size(weight=1, shape=shape(nodes, gpus)) for nodes, gpus in ((1, 2), (1, 8), (2, 8), (4, 8))
    )
    drawn = Synthetic(
        jobs=200,
        gap_ms=60_000,
        run_median_ms=900_000,
        run_p90_ms=7_200_000,
        limit_factor=3.0,
        projects=1,
        sizes=sizes,
    )
    works = tuple(synthetic_works(drawn, seed=seed))
    return Scenario(nodes=gpu_site(8), workload=works, policy=POLICIES[policy], check=False)


def shape(nodes: int, gpus: int) -> Shape:
    each = Resources(milli_gpu=1000 * gpus, milli_cpu=1000 * gpus)
    return Shape(nodes_min=nodes, nodes_max=nodes, per_node=each)
