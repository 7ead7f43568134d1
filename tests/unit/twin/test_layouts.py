"""The twin's invariants find a gang that is not laid out as it asks."""

from dataclasses import replace

import pytest

from gigawatt.control.cycle import Outcome
from gigawatt.model.attempt import Spare
from gigawatt.model.change import Batch, Entity
from gigawatt.model.gang import Apart, Segment, Shape, Spread
from gigawatt.model.job import Job
from gigawatt.model.node import Node
from gigawatt.twin.layouts import Layouts
from tests.scenario.build import make_attempt, make_job, make_node, make_shape

NODES = {
    node.id: node
    for node in (
        *(make_node(f"a{n}", place="s/h/p/l1/r1") for n in range(4)),
        *(make_node(f"b{n}", place="s/h/p/l2/r2") for n in range(4)),
        make_node("x"),
        make_node("y"),
    )
}
SEGMENT = Segment(nodes=2, level="rack")


def placed(shape: Shape, nodes: str, *, spares: str = "", id: str = "job", app: str = "") -> Job:
    """On these nodes, in the order of ranks."""
    attempt = make_attempt(
        [NODES[node] for node in nodes.split()],
        spares=tuple(Spare(node=node) for node in spares.split()),
    )
    job = make_job(id, shape, attempts=(attempt,))
    labels = (("app", app),) if app else ()
    return replace(job, spec=replace(job.spec, labels=labels))


def faults(*jobs: Job) -> list[str]:
    layouts, found = Layouts(), list[str]()
    puts: list[Entity | Node] = list(NODES.values())
    for job in jobs:
        puts.append(job)
        outcome = Outcome(batch=Batch(puts=puts), actions=[], replies={})
        found += layouts.check(outcome)
        puts = []
    return found


@pytest.mark.parametrize(
    ("shape", "good", "wrong", "said"),
    [
        (make_shape(2, same="rack"), "a0 a1", "a0 b1", "not in one rack"),
        (replace(make_shape(4), segment=SEGMENT), "a0 a1 b0 b1", "a0 b0 a1 b1", "a segment"),
        (replace(make_shape(2), segment=SEGMENT), "a0 a1", "x y", "a segment"),
        (
            replace(make_shape(2), spread=Spread(level="leaf", at_most=1)),
            "a0 b0",
            "a0 a1",
            "more than 1 nodes in one leaf",
        ),
    ],
)
def test_a_gang_that_is_not_laid_out_as_it_asks_is_found(
    shape: Shape, good: str, wrong: str, said: str
) -> None:
    assert faults(placed(shape, good)) == []
    assert said in " ".join(faults(placed(shape, wrong)))


def test_spares_that_are_not_with_their_segment_are_found() -> None:
    shape = replace(make_shape(2), segment=SEGMENT, spares=1)
    assert faults(placed(shape, "a0 a1", spares="a2")) == []
    (fault,) = faults(placed(shape, "a0 a1", spares="b2"))
    assert "spares beside its segments" in fault


def test_gangs_that_keep_apart_are_found_together_whoever_came_first() -> None:
    shape = replace(make_shape(), apart=(Apart(labels=(("app", "noisy"),), level="rack"),))
    quiet = placed(shape, "a0", id="quiet", app="search")
    noisy = placed(make_shape(), "a3", id="noisy", app="noisy")
    for jobs in ((quiet, noisy), (noisy, quiet)):
        (fault,) = faults(*jobs)
        assert "are in one rack, and keep apart" in fault
    assert faults(quiet, replace(noisy, project="other")) == []
    assert faults(quiet, placed(make_shape(), "b3", id="noisy", app="noisy")) == []
    assert faults(quiet, placed(make_shape(), "x", id="noisy", app="noisy")) == []


def test_what_has_gone_is_in_nobodys_way_and_what_stays_is_looked_at_once() -> None:
    shape = replace(make_shape(2), spread=Spread(level="leaf", at_most=1))
    job = placed(shape, "a0 a1")
    assert len(faults(job, job)) == 1
    assert faults(replace(job, attempts=())) == []
