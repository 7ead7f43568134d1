"""Any history of an array, with failures, retries, cancels and crashes of the leader, loses no task and runs none twice."""

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import given, settings

from gigawatt.model.array import ArraySpec, JobArray, task_id
from gigawatt.model.command import CancelArray, CancelJob, RetryArray, RetryJob
from gigawatt.model.job import JobPhase
from gigawatt.model.ranges import numbers, size, union
from gigawatt.model.refusal import RefusalError
from tests.loop import Loop, a_spec
from tests.machines import a_report

NODES = ("n1", "n2")

WHAT = (
    *("exit", "exit", "fail", "kill", "lose", "back", "later"),
    *("cancel", "retry", "cancel_one", "retry_one", "restart", "crash"),
)
STEP = st.tuples(st.sampled_from(WHAT), st.integers(0, 30))


def take(loop: Loop, what: str, a: int) -> None:
    attempts = sorted(loop.machines.attempts, key=str)
    key = attempts[a % len(attempts)] if attempts else None
    match what:
        case "exit" | "fail" | "kill":
            if key is not None:
                signal = 9 if what == "kill" else None
                loop.machines.exit(key, 0, code=what == "fail", signal=signal)
        case "lose":
            loop.machines.lose(NODES[a % 2])
        case "back":
            loop.machines.back(NODES[a % 2])
        case "restart":
            loop.restart()
        case "later":
            loop.later(a * 5_000)
        case _:
            ask(loop, what, a)
    loop.step()


def ask(loop: Loop, what: str, a: int) -> None:
    """A command, which may be refused; a crash comes between its commit and what is done about it."""
    array = loop.array()
    jobs = sorted(name for kind, name in loop.kept if kind == "Job")
    one = jobs[a % len(jobs)]
    try:
        match what:
            case "cancel":
                loop.ask(CancelArray(id=array.id, by="me"))
            case "retry":
                loop.ask(RetryArray(array=array, by="me"))
            case "cancel_one":
                loop.ask(CancelJob(id=one, by="me"))
            case "retry_one":
                loop.ask(RetryJob(job=loop.job(one), by="me", array=array))
            case _:
                loop.crash_before_acting(RetryArray(array=array, by="me"))
    except RefusalError:
        return


def check(loop: Loop) -> None:
    array = loop.array()
    states = (array.pending, array.running, array.succeeded, array.failed, array.cancelled)
    together = ()
    for each in states:
        together = union(together, each)
    assert together == array.tasks.indices, "a task was lost"
    assert sum(size(each) for each in states) == array.count, "a task is counted twice"
    live = {job.index for job in loop.world.jobs.values()}
    assert live == set(numbers(array.running))
    assert array.ended == (array.id not in loop.world.arrays)
    assert not (array.ended and live)
    assert loop.unaccounted() == 0
    check_ends(loop, array)


def check_ends(loop: Loop, array: JobArray) -> None:
    for phase, indices in (
        (JobPhase.SUCCEEDED, array.succeeded),
        (JobPhase.FAILED, array.failed),
    ):
        for index in numbers(indices):
            assert loop.job(task_id(array.id, index)).phase is phase


TASKS = st.builds(
    ArraySpec,
    indices=st.sampled_from((((0, 9),), ((0, 0),), ((2, 4), (7, 7), (20, 22)))),
    parallel=st.integers(1, 4),
    max_failures=st.one_of(st.none(), st.integers(0, 2)),
)


@settings(max_examples=200)
@given(TASKS, st.lists(STEP, max_size=50))
def test_every_index_is_in_one_place_whatever_happens(
    tasks: ArraySpec, steps: list[tuple[str, int]]
) -> None:
    loop = Loop.of(*(a_report(name) for name in NODES))
    loop.submit_array(tasks, a_spec())
    check(loop)
    for what, a in steps:
        take(loop, what, a)
        check(loop)
    assert len(loop.machines.starts) == len(set(loop.machines.starts)), "launched twice"


@settings(max_examples=100)
@given(TASKS, st.lists(STEP, max_size=30))
def test_when_programs_succeed_every_array_ends(
    tasks: ArraySpec, steps: list[tuple[str, int]]
) -> None:
    loop = Loop.of(*(a_report(name) for name in NODES))
    loop.submit_array(replace(tasks, max_failures=None), a_spec())
    for what, a in steps:
        take(loop, what, a)
    for node in NODES:
        loop.machines.back(node)
    for _ in range(100):
        for key in tuple(loop.machines.attempts):
            loop.machines.exit(key, 0)
        loop.later(1_000)
        loop.step()
    assert loop.world.jobs == {}
    assert loop.array().ended
