"""Failures laid to nodes or to programs, through the production cycle."""

from collections import Counter

import pytest

from gigawatt.model.array import ArraySpec, task_id
from gigawatt.model.attempt import Verdict
from gigawatt.model.health import CheckResult, Outcome
from gigawatt.model.job import JobPhase
from gigawatt.model.launch import AttemptKey
from gigawatt.model.node import NodeState
from gigawatt.model.observation import NodeChecked
from gigawatt.model.upkeep import ChangeNode
from gigawatt.reconcile.blame import program_words
from gigawatt.reconcile.node_life import WATCH
from tests.loop import Loop, a_spec
from tests.machines import a_report

POISONED = "n3"
NODES = 8
JOBS = 50


def of_nodes(count: int = NODES) -> Loop:
    return Loop.of(*(a_report(f"n{number}", milli_cpu=1_000) for number in range(count)))


def running(loop: Loop) -> list[tuple[AttemptKey, str]]:
    found = [(key, run.launch.placements[0].node) for key, run in loop.machines.attempts.items()]
    return sorted(found, key=lambda each: str(each[0]))


def play(loop: Loop, *, code: int | None, signal: int | None, rounds: int = 60) -> None:
    """Every ten seconds what runs on the poisoned node fails; elsewhere each runs for half a minute."""
    since: dict[AttemptKey, int] = {}
    for _ in range(rounds):
        loop.later(10_000)
        for key, node in running(loop):
            age_ms = loop.now_ms - since.setdefault(key, loop.now_ms - 10_000)
            if node == POISONED:
                loop.machines.exit(key, 0, code=code, signal=signal)
            elif age_ms >= 30_000:
                loop.machines.exit(key, 0)
        loop.step()


@pytest.mark.parametrize(("code", "signal"), [(1, None), (None, 9), (None, 11)])
def test_a_poisoned_node_is_cordoned_within_three_failures_and_no_job_pays(
    code: int | None, signal: int | None
) -> None:
    loop = of_nodes()
    for number in range(JOBS):
        loop.submit(a_spec(milli_cpu=1_000), id=f"job-{number:02}")
    play(loop, code=code, signal=signal)
    jobs = [loop.job(f"job-{number:02}") for number in range(JOBS)]
    assert {job.phase for job in jobs} == {JobPhase.SUCCEEDED}
    charged = Counter(attempt.charged_to for job in jobs for attempt in job.attempts)
    assert charged == {"": JOBS, "infrastructure": 3}
    states = {node.id: node.state for node in loop.world.nodes.values()}
    assert states.pop(POISONED) is NodeState.CORDONED
    assert set(states.values()) == {NodeState.READY}
    node = loop.world.nodes[POISONED]
    assert (node.by, len(node.marks)) == (WATCH, 3)
    assert "3 attempts of 3 gangs failed here" in node.reason
    told = next(event for event in loop.events if event.kind == "node.cordoned")
    assert sum(int(count) for _, count in told.data) == 3
    assert all(what in {"contrast", "signal"} for what, _ in told.data)


@pytest.mark.parametrize("stagger_ms", [0, 500])
def test_a_script_that_always_fails_cordons_no_node_and_is_its_users(stagger_ms: int) -> None:
    loop = of_nodes()
    for number in range(24):
        loop.submit(a_spec(milli_cpu=1_000), id=f"job-{number:02}")
    for _ in range(60):
        loop.later(1_000)
        for key, _node in running(loop):
            loop.machines.exit(key, 0, code=1)
            loop.later(stagger_ms)
            loop.step()
        loop.step()
    jobs = [loop.job(f"job-{number:02}") for number in range(24)]
    assert {job.phase for job in jobs} == {JobPhase.FAILED}
    assert {a.charged_to for job in jobs for a in job.attempts} == {"user"}
    assert sum(len(job.attempts) for job in jobs) <= len(jobs) + 1
    assert {node.state for node in loop.world.nodes.values()} == {NodeState.READY}
    assert not loop.world.marked


def test_a_gang_that_exits_with_one_on_eight_nodes_is_its_users_at_once() -> None:
    loop = of_nodes()
    loop.submit(a_spec(nodes=8, milli_cpu=1_000))
    loop.machines.exit(AttemptKey(gang="job-1", attempt=1), 5, code=1)
    loop.step()
    job = loop.job()
    assert (job.phase, job.attempts[0].charged_to) == (JobPhase.FAILED, "user")
    assert not loop.world.marked


def test_a_program_that_kills_itself_wherever_it_runs_cordons_no_node() -> None:
    loop = of_nodes()
    loop.submit_array(ArraySpec(indices=((0, 39),)), a_spec(milli_cpu=1_000))
    for _ in range(300):
        loop.later(1_000)
        for key, _node in running(loop):
            loop.machines.exit(key, 0, signal=9)
        loop.step()
    assert loop.array().phase is JobPhase.FAILED
    assert {node.state for node in loop.world.nodes.values()} == {NodeState.READY}


def test_one_bad_task_of_an_array_is_tried_once_more_and_then_is_its_users() -> None:
    loop = of_nodes()
    loop.submit_array(ArraySpec(indices=((0, 39),)), a_spec(milli_cpu=1_000))
    for _ in range(60):
        loop.later(10_000)
        for key, _node in running(loop):
            loop.machines.exit(key, 0, code=1 if key.gang == task_id("array-1", 17) else 0)
        loop.step()
    job = loop.job(task_id("array-1", 17))
    assert [attempt.charged_to for attempt in job.attempts] == ["user", "user"]
    assert job.attempts[0].nodes != job.attempts[1].nodes
    assert not loop.world.marked


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("python", "train.py", "--lr", "0.1"), ("python", "train.py", "--lr", "0.3"), True),
        (("python", "-u", "train.py", "a"), ("python", "-u", "train.py", "b"), True),
        (("python", "-m", "pkg.train", "a"), ("python", "-m", "pkg.train"), True),
        (("bash", "-c", "train --seed 17"), ("bash", "-c", "train --seed 4"), True),
        (("python", "train.py"), ("python", "eval.py"), False),
        (("bash", "-c", "train"), ("bash", "-c", "evaluate"), False),
        (("./train", "--fast"), ("./evaluate", "--fast"), False),
    ],
)
def test_runs_of_a_sweep_are_one_program(
    one: tuple[str, ...], other: tuple[str, ...], *, same: bool
) -> None:
    assert (program_words(one) == program_words(other)) is same


def test_an_exit_while_a_check_of_its_node_fails_is_not_the_users() -> None:
    loop = of_nodes(2)
    loop.submit(a_spec())
    node = loop.job().attempts[0].nodes[0]
    loop.later(1_000)
    results = (
        CheckResult(name="xid", outcome=Outcome.FAIL, at_ms=loop.now_ms, detail="Xid 79"),
        CheckResult(name="clock", outcome=Outcome.WARN, at_ms=0, detail="not in step"),
    )
    loop.step([NodeChecked(at_ms=loop.now_ms, node=node, results=results)])
    loop.machines.exit(AttemptKey(gang="job-1", attempt=1), 0, code=1)
    loop.step()
    first, again = loop.job().attempts
    assert (first.verdict, first.blamed) == (Verdict.INFRASTRUCTURE, (node,))
    assert node not in again.nodes
    said = {fact.what: fact.detail for fact in first.evidence}
    assert said["unhealthy"] == "check xid, since it ran: fail: Xid 79"
    assert said["health"] == "check clock, before it ran: warn: not in step"


def test_on_few_nodes_none_is_cordoned_by_itself() -> None:
    loop = of_nodes(3)
    for number in range(6):
        loop.submit(a_spec(milli_cpu=1_000), id=f"job-{number}")
    for _ in range(30):
        loop.later(10_000)
        for key, node in running(loop):
            loop.machines.exit(key, 0, signal=9 if node == "n1" else None)
        loop.step()
    assert {node.state for node in loop.world.nodes.values()} == {NodeState.READY}


def test_a_person_who_opens_a_node_again_clears_its_marks() -> None:
    loop = of_nodes()
    for number in range(JOBS):
        loop.submit(a_spec(milli_cpu=1_000), id=f"job-{number:02}")
    play(loop, code=None, signal=9, rounds=10)
    assert loop.world.nodes[POISONED].state is NodeState.CORDONED
    loop.ask(ChangeNode(node=POISONED, state=NodeState.READY, reason="new fan", by="me"))
    node = loop.world.nodes[POISONED]
    assert (node.state, node.marks, node.by) == (NodeState.READY, (), "me")


def test_marks_stay_across_a_restart_and_retries_avoid_suspects_of_others() -> None:
    loop = of_nodes()
    for number in range(NODES):
        loop.submit(a_spec(milli_cpu=1_000), id=f"job-{number}")
    play(loop, code=None, signal=9, rounds=1)
    loop.restart()
    assert tuple(loop.world.marked) == (POISONED,)
    key, node = next(each for each in running(loop) if each[1] != POISONED)
    loop.machines.exit(key, 0, signal=9)
    loop.step()
    assert POISONED in loop.job(key.gang).gang().avoid_nodes
    assert node in loop.job(key.gang).gang().avoid_nodes
