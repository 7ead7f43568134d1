"""Ranks that make no progress any more, and ranks that are slower than the others, through the production cycle."""

from dataclasses import replace

import pytest

from gigawatt.model.attempt import Attempt, Progress, Verdict
from gigawatt.model.job import HANG_OFF, JobPhase
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import RankProgress, StacksSeen
from tests.loop import Loop, a_spec
from tests.machines import a_report

STEP_MS = 500
FROZEN = 1


def first(attempt: int = 1) -> AttemptKey:
    return AttemptKey(gang="job-1", attempt=attempt)


def a_gang(*, hang_steps: int = 10, nodes: int = 2) -> Loop:
    loop = Loop.of(*(a_report(f"n{number}", milli_cpu=500) for number in range(nodes + 2)))
    loop.submit(replace(a_spec(nodes=nodes), hang_steps=hang_steps))
    return loop


def steps(
    loop: Loop,
    count: int,
    *,
    since: int = 0,
    ranks: tuple[int, ...] = (0, 1),
    key: AttemptKey | None = None,
) -> None:
    """Each rank reports so many steps, one after another."""
    for step in range(since + 1, since + count + 1):
        loop.later(STEP_MS)
        for rank in ranks:
            progress = Progress(at_ms=loop.now_ms, step=step)
            loop.machines.told.append(
                RankProgress(key=key or first(), rank=rank, progress=progress)
            )
        loop.step()


def evidence(attempt: Attempt) -> list[str]:
    return [fact.what for fact in attempt.evidence]


def wait(loop: Loop, ms: int) -> None:
    """Time passes, and every timer is looked at when it is due."""
    end_ms = loop.now_ms + ms
    while (next_ms := loop.state.timers.next_ms) is not None and next_ms <= end_ms:
        loop.machines.now_ms = max(next_ms, loop.now_ms)
        loop.step()
    loop.machines.now_ms = end_ms
    loop.step()


def test_a_rank_that_is_silent_hangs_after_so_many_steps_and_is_tried_elsewhere() -> None:
    loop = a_gang()
    steps(loop, 10)
    steps(loop, 9, since=10, ranks=(0,))
    assert loop.job().phase is JobPhase.RUNNING
    frozen_on = loop.job().attempts[0].ranks[FROZEN].node
    steps(loop, 1, since=19, ranks=(0,))
    found = loop.job().attempts[0]
    assert evidence(found) == ["hang"]
    fact = found.evidence[0]
    assert (fact.rank, fact.node) == (FROZEN, frozen_on)
    assert "no progress after step 10 for 5.0 s, and a step takes 500 ms" in fact.detail
    seen = StacksSeen(at_ms=loop.now_ms, key=first(), text="ranks 1:\nin recv")
    loop.step([seen])
    job = loop.job()
    ended, again = job.attempts
    assert (ended.verdict, ended.charged_to) == (Verdict.HANG, "infrastructure")
    assert evidence(ended) == ["hang", "stacks"]
    assert ended.blamed == (frozen_on,)
    assert job.phase is JobPhase.RUNNING
    assert frozen_on not in again.nodes
    assert [mark.what for mark in loop.world.nodes[frozen_on].marks] == ["hang"]


def test_stacks_that_never_come_do_not_keep_it_from_being_stopped() -> None:
    loop = a_gang()
    steps(loop, 10)
    wait(loop, 10 * STEP_MS + 5_000)
    assert loop.job().attempts[0].verdict is Verdict.HANG


def test_where_all_ranks_stop_at_the_same_step_no_node_is_blamed() -> None:
    loop = a_gang()
    steps(loop, 10)
    wait(loop, 20_000)
    ended = loop.job().attempts[0]
    assert (ended.verdict, ended.blamed) == (Verdict.HANG, ())
    assert not loop.world.marked


def test_a_program_that_hangs_at_the_same_step_again_is_its_users() -> None:
    loop = a_gang()
    for attempt in (1, 2):
        steps(loop, 10, key=first(attempt))
        steps(loop, 12, since=10, ranks=(0,), key=first(attempt))
        loop.step([StacksSeen(at_ms=loop.now_ms, key=first(attempt), text="at a barrier")])
    job = loop.job()
    assert job.phase is JobPhase.FAILED
    assert [each.charged_to for each in job.attempts] == ["infrastructure", "user"]


@pytest.mark.parametrize(("hang_steps", "minutes"), [(0, 9), (HANG_OFF, 600)])
def test_by_default_ten_minutes_of_silence_are_none(hang_steps: int, minutes: int) -> None:
    loop = a_gang(hang_steps=hang_steps)
    steps(loop, 10)
    wait(loop, minutes * 60_000)
    assert loop.job().phase is JobPhase.RUNNING


def test_by_default_what_was_silent_for_long_before_may_be_so_again() -> None:
    loop = a_gang(hang_steps=0)
    steps(loop, 10)
    wait(loop, 9 * 60_000)
    steps(loop, 1, since=10)
    wait(loop, 17 * 60_000)
    assert loop.job().phase is JobPhase.RUNNING
    wait(loop, 2 * 60_000)
    assert loop.job().attempts[0].verdict is Verdict.HANG


def test_a_machine_that_was_suspended_takes_nobody_to_hang() -> None:
    loop = a_gang()
    steps(loop, 10)
    loop.later(8 * 3_600_000)
    loop.step()
    assert loop.job().phase is JobPhase.RUNNING
    wait(loop, 10 * STEP_MS + 5_000)
    assert loop.job().attempts[0].verdict is Verdict.HANG


def test_programs_that_report_no_steps_are_left_alone() -> None:
    loop = a_gang()
    wait(loop, 24 * 3_600_000)
    assert loop.job().phase is JobPhase.RUNNING


def test_a_hang_is_found_across_a_restart_of_the_control_plane() -> None:
    loop = a_gang()
    steps(loop, 30)
    loop.restart()
    wait(loop, 10 * STEP_MS + 6_000)
    assert loop.job().attempts[0].verdict is Verdict.HANG


def test_a_rank_that_takes_longer_is_named_with_its_node_once() -> None:
    loop = a_gang(nodes=3)
    for step in range(1, 40):
        loop.later(STEP_MS)
        for rank, own_s in enumerate((0.2, 0.5, 0.21)):
            progress = Progress(at_ms=loop.now_ms, step=step, metrics=(("step_s", own_s),))
            loop.machines.told.append(RankProgress(key=first(), rank=rank, progress=progress))
        loop.step()
    attempt = loop.job().attempts[0]
    assert [(fact.what, fact.rank, fact.node) for fact in attempt.evidence] == [
        ("straggler", 1, attempt.ranks[1].node)
    ]
    assert attempt.evidence[0].detail == "its steps take 500 ms, the gang's 210 ms"
