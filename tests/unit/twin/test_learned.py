"""Backfill by what gangs alike took, in the whole cycle: what is short fits before a hold, whatever limit it was given."""

from dataclasses import replace

from gigawatt.control.cycle import Outcome
from gigawatt.model.gang import Shape
from gigawatt.model.job import Job
from gigawatt.model.resources import Resources
from gigawatt.scheduler.policy import POLICIES
from gigawatt.twin.history import History
from gigawatt.twin.report import report_bytes
from gigawatt.twin.run import Scenario, Twin, run
from gigawatt.twin.work import START_MS, Work
from tests.unit.twin.sites import core_site

NODE = Shape(nodes_min=1, nodes_max=1, per_node=Resources(milli_cpu=8000))
LONG_S = 10_000
HISTORY = [
    Work(at_ms=at_s * 1000, run_ms=100_000, limit_ms=LONG_S * 1000, shape=NODE, user="quick")
    for at_s in range(0, 2_000, 200)
]
AHEAD = [
    Work(at_ms=3_000_000, run_ms=1_000_000, limit_ms=1_000_000, shape=NODE, user="slow"),
    Work(
        at_ms=3_001_000,
        run_ms=50_000,
        limit_ms=50_000,
        shape=replace(NODE, nodes_min=2, nodes_max=2),
        user="head",
    ),
]
LAST = Work(at_ms=3_002_000, run_ms=100_000, limit_ms=LONG_S * 1000, shape=NODE, user="quick")


class Starts(History):
    """When each job was first placed, in seconds since the start."""

    def __init__(self) -> None:
        super().__init__()
        self.at_s: dict[str, int] = {}

    def took(self, outcome: Outcome, *, now_ms: int) -> None:
        for put in outcome.batch.puts:
            if isinstance(put, Job) and put.attempts:
                placed_s = (put.attempts[0].placed_ms - START_MS) // 1000
                self.at_s.setdefault(put.id, placed_s)


def played(policy: str, last: Work) -> list[int]:
    """When the head and the last job start."""
    starts = Starts()
    works = (*HISTORY, *AHEAD, last)
    scenario = Scenario(nodes=core_site(2), workload=works, policy=POLICIES[policy])
    Twin(scenario, starts).play()
    return [starts.at_s[name] for name in sorted(starts.at_s)[-2:]]


def test_what_has_always_been_short_goes_before_a_hold_in_spite_of_its_limit() -> None:
    assert played("easy-hold", LAST) == [4_000, 4_050]
    assert played("easy-learned", LAST) == [4_000, 3_002]


def test_what_nobody_knows_keeps_its_limit() -> None:
    assert played("easy-learned", replace(LAST, user="new")) == [4_000, 4_050]


def test_what_outruns_what_it_was_told_delays_the_head_and_no_more() -> None:
    slow = replace(LAST, run_ms=2_000_000)
    assert played("easy-learned", slow) == [5_002, 3_002]


def test_a_run_that_learns_comes_twice_to_the_same_bytes() -> None:
    works = (*HISTORY, *AHEAD, LAST)
    scenario = Scenario(nodes=core_site(2), workload=works, policy=POLICIES["easy-learned"])
    assert report_bytes(run(scenario)) == report_bytes(run(scenario))
