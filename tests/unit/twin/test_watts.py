"""The twin keeps caps of a power tree, and its own books find it where one is not kept."""

from dataclasses import replace
from pathlib import Path

import pytest

from gigawatt.control.cycle import Outcome
from gigawatt.model.change import Batch, Entity
from gigawatt.model.power import Feed, Supply
from gigawatt.model.refusal import RefusalError
from gigawatt.twin.run import Scenario, Twin, run
from gigawatt.twin.scenario import read_scenario
from gigawatt.twin.watts import Watts
from tests.unit.twin.sites import gpu_site, gpu_work

SITE = (Supply(level="site", name="site"),)
ONE_WATTS = 8 * 700 + 4  # eight GPUs of a kind that the table does not know, and a core

TEXT = """
[[nodes]]
nodes = 4
cores = 64
gpus = 8
nodes_per_rack = 2
[workload]
jobs = 20
[[workload.sizes]]
gpus = 8
[[power]]
name = "hall"
cap = "12kW"
[[power]]
name = "row"
parent = "hall"
supplies = ["rack=g0-rack0", "rack=g0-rack1"]
"""


def capped(watts: int) -> Feed:
    return Feed(id="hall", created_ms=0, cap_milliwatts=1000 * watts, supplies=SITE)


def test_jobs_run_one_after_another_where_the_cap_carries_one() -> None:
    works = [gpu_work(0, 100) for _ in range(4)]
    free = run(Scenario(nodes=gpu_site(4), workload=works))
    held = run(Scenario(nodes=gpu_site(4), workload=works, feeds=(capped(2 * ONE_WATTS - 1),)))
    assert (free.makespan_s, held.makespan_s) == (100, 400)


def test_a_scenario_file_has_a_tree_and_two_of_four_nodes_are_used_at_once(tmp_path: Path) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(TEXT)
    scenario = read_scenario(file)
    assert [feed.parent for feed in scenario.feeds] == ["", "hall"]
    report = run(scenario)
    assert report.jobs_completed == 20
    assert report.utilization <= 0.5


def test_a_feed_before_the_one_that_carries_it_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(TEXT.replace('name = "hall"', 'name = "attic"'))
    with pytest.raises(RefusalError) as refused:
        read_scenario(file)
    assert refused.value.field == "power[1].parent"


def test_a_cap_that_is_not_kept_is_found() -> None:
    twin = Twin(Scenario(nodes=gpu_site(2), workload=[gpu_work(0, 10), gpu_work(0, 10)]))
    twin.step()
    world = twin.state.world
    feed = capped(2 * ONE_WATTS)
    puts: list[Entity] = [*world.nodes.values(), *world.jobs.values(), feed]
    outcome = Outcome(batch=Batch(puts=puts), actions=[], replies={})
    assert Watts().check(outcome) == []
    low = replace(feed, cap_milliwatts=2 * ONE_WATTS * 1000 - 1)
    outcome = Outcome(batch=Batch(puts=[*puts[:-1], low]), actions=[], replies={})
    assert Watts().check(outcome) == [
        f"feed hall may carry {2 * ONE_WATTS * 1000 - 1} mW and carries {2 * ONE_WATTS * 1000}"
    ]
