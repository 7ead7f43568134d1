"""Reservations in the twin: nodes are empty for maintenance, kept for a project, and the books find it where they are not."""

from dataclasses import replace
from pathlib import Path

import pytest

from gigawatt.control.cycle import Outcome
from gigawatt.model.change import Batch, Entity
from gigawatt.model.job import Job
from gigawatt.model.refusal import RefusalError
from gigawatt.model.reservation import Reservation
from gigawatt.twin.reserved import SetAside
from gigawatt.twin.run import run
from gigawatt.twin.scenario import read_scenario
from tests.scenario.build import NOW_MS, make_attempt, make_job, make_node, make_shape

TEXT = """
[[nodes]]
nodes = 2
cores = 64
gpus = 8
nodes_per_rack = 1
[workload]
jobs = 40
gap = "1m"
run_median = "10m"
run_p90 = "10m"
limit_factor = 1.0
[[workload.sizes]]
gpus = 8
[[projects]]
name = "vision"
[[reservations]]
name = "fans"
parts = ["rack=g0-rack0"]
start = "1h"
duration = "10h"
"""


def test_nodes_in_maintenance_run_nothing_and_the_rest_is_done_by_the_others(
    tmp_path: Path,
) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(TEXT)
    reserved = run(read_scenario(file))
    file.write_text(TEXT.partition("[[reservations]]")[0])
    free = run(read_scenario(file))
    assert free.jobs_completed == reserved.jobs_completed == 40
    assert free.makespan_s < reserved.makespan_s
    assert reserved.preemptions == free.preemptions == 0  # limits are known: all were over by then


def test_a_node_that_is_for_a_project_is_left_alone_by_others(tmp_path: Path) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(TEXT.replace('start = "1h"', 'holder = "vision"'))
    reserved = run(read_scenario(file))
    assert reserved.jobs_completed == 40
    assert reserved.makespan_s >= 36_000 / 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("rack=g0-rack0", "shelf=1"), "parts"),
        (('parts = ["rack=g0-rack0"]', 'nodes = ["g9"]'), "g9"),
        (('duration = "10h"', 'duration = "soon"'), "duration"),
        (('duration = "10h"', 'holder = "visoin"\nduration = "1h"'), "visoin"),
        (('duration = "10h"', ""), "duration"),
    ],
)
def test_what_a_scenario_cannot_set_aside_is_refused_with_its_field(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(TEXT.replace(*change))
    with pytest.raises(RefusalError) as refused:
        read_scenario(file)
    assert "reservations" in (refused.value.field or refused.value.detail)
    assert told in f"{refused.value.field} {refused.value.detail}"


def test_the_books_find_what_starts_in_the_way() -> None:
    reservation = Reservation(
        id="r", created_ms=0, nodes=("n1",), start_ms=NOW_MS + 1000, end_ms=NOW_MS + 2000
    )

    def starts(timeout_s: int, node: str, holder: str = "") -> list[str]:
        job: Job = make_job(
            "j", make_shape(), timeout_s=timeout_s, attempts=(make_attempt([make_node(node)]),)
        )
        puts: list[Entity] = [replace(reservation, holder=holder), job]
        return SetAside().check(Outcome(batch=Batch(puts=puts), actions=[], replies={}), NOW_MS)

    assert starts(0, "n1") == ["j starts on n1, which r sets aside"]
    assert starts(2, "n1")
    assert not starts(1, "n1")
    assert not starts(0, "n2")
    assert not starts(0, "n1", holder="default")
