"""Whatever runs a program has had, a failure is not laid to a node that the same runs clear."""

import hypothesis.strategies as st
from hypothesis import given, settings

from gigawatt.model.suspicion import HALF_LIFE_MS, MARKS_MAX, ONE, Mark, marked, score
from gigawatt.model.trial import PLACES_MIN, Contrast, Run, Trials

NODES = tuple(f"n{number}" for number in range(6))
RUNS = st.lists(
    st.tuples(st.sampled_from(NODES), st.sampled_from(("lives", "well", "failed"))), max_size=60
)


def tried(runs: list[tuple[str, str]]) -> Trials:
    trials = Trials()
    for number, (node, end) in enumerate(runs):
        run = Run(gang=f"job-{number}", attempt=1, nodes=(node,))
        trials.began(run)
        if end != "lives":
            failed_on = node if end == "failed" else ""
            over = Run(gang=run.gang, attempt=1, nodes=(node,), failed_on=failed_on)
            trials.finished(over, counts=True)
    return trials


@settings(max_examples=400)
@given(RUNS, st.sampled_from(NODES))
def test_no_failure_is_laid_to_a_node_that_is_cleared(
    runs: list[tuple[str, str]], node: str
) -> None:
    seen = tried([*runs, (node, "failed")]).contrast(node)
    assert not (seen.blames_node and seen.clears_node)
    assert not seen.blames_node or seen.places >= PLACES_MIN
    assert not seen.blames_node or seen.failed < seen.lived


@settings(max_examples=200)
@given(RUNS, st.sampled_from(NODES))
def test_a_program_that_fails_wherever_it_ends_blames_no_node(
    runs: list[tuple[str, str]], node: str
) -> None:
    ended = [(where, "failed") for where, end in runs if end != "lives"]
    if all(where == node for where, _ in ended):
        ended.append((next(each for each in NODES if each != node), "failed"))
    seen: Contrast = tried([*ended, (node, "failed")]).contrast(node)
    assert not seen.blames_node
    assert seen.clears_node


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 10 * HALF_LIFE_MS)), max_size=40))
def test_suspicion_only_fades_and_an_attempt_counts_once(told: list[tuple[int, int]]) -> None:
    marks: tuple[Mark, ...] = ()
    for gang, at_ms in sorted(told, key=lambda each: each[1]):
        mark = Mark(
            at_ms=at_ms, gang=f"job-{gang}", attempt=1, program="", what="signal", detail=""
        )
        marks = marked(marks, mark)
    assert len({mark.gang for mark in marks}) == len(marks) <= MARKS_MAX
    now_ms = max((mark.at_ms for mark in marks), default=0)
    scores = [score(marks, now_ms=now_ms + later * HALF_LIFE_MS) for later in range(4)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] <= ONE * len(marks)
