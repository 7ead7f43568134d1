"""Any history of submissions, failures, lost nodes and crashes of the leader keeps what must always hold."""

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import given, settings

from gigawatt.ledger.goodput import totals
from gigawatt.model.attempt import AttemptPhase, Verdict
from gigawatt.model.checkpoint import KeepPolicy
from gigawatt.model.command import CancelJob, SubmitJob
from gigawatt.model.health import CheckResult, Outcome
from gigawatt.model.job import ENDED, Job, JobPhase
from gigawatt.model.launch import AttemptKey
from gigawatt.model.node import ASKABLE, NodeState
from gigawatt.model.observation import NodeChecked
from gigawatt.model.refusal import RefusalError
from gigawatt.model.resources import Resources
from gigawatt.model.upkeep import ChangeNode
from tests.loop import Loop, a_spec
from tests.machines import a_report

NODES = ("n1", "n2", "n3")
LIVE = {JobPhase.STARTING, JobPhase.RUNNING, JobPhase.STOPPING}

STEP = st.one_of(
    st.tuples(st.just("submit"), st.integers(1, 4), st.integers(100, 2_500)),
    st.tuples(st.just("exit"), st.integers(0, 30), st.integers(0, 2)),
    st.tuples(st.just("kill"), st.integers(0, 30), st.integers(0, 3)),
    st.tuples(st.just("checkpoint"), st.integers(0, 30), st.integers(1, 100)),
    st.tuples(st.just("break"), st.integers(1, 100), st.just(0)),
    st.tuples(st.just("cancel"), st.integers(0, 30), st.just(0)),
    st.tuples(st.just("lose"), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("back"), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("cordon"), st.integers(0, 2), st.integers(0, 5)),
    st.tuples(st.just("check"), st.integers(0, 2), st.integers(0, 2)),
    st.tuples(st.just("restart"), st.just(0), st.just(0)),
    st.tuples(st.just("later"), st.integers(0, 100_000), st.just(0)),
)


def take(loop: Loop, step: tuple[str, int, int]) -> None:
    what, a, b = step
    match what:
        case "submit":
            submit(loop, a, b)
        case "exit" | "kill" | "checkpoint":
            happen(loop, what, a, b)
        case "break":
            loop.machines.broken[f"step-{a}"] = "cut short"
        case "cancel":
            cancel(loop, a)
        case "lose":
            loop.machines.lose(NODES[a])
        case "back":
            loop.machines.back(NODES[a])
        case "cordon":
            wish(loop, NODES[a], b)
        case "check":
            outcome = tuple(Outcome)[b]
            result = CheckResult(name="test", outcome=outcome, at_ms=loop.now_ms)
            seen = NodeChecked(at_ms=loop.now_ms, node=NODES[a], results=(result,))
            loop.machines.told.append(seen)
        case "restart":
            loop.restart()
        case _:
            loop.later(a)
    loop.step()


def wish(loop: Loop, node: str, what: int) -> None:
    """Whatever a person may ask of a node; at last, to be empty in half a minute."""
    state = (*ASKABLE, NodeState.DRAINING)[what]
    by_ms = loop.now_ms + 30_000 if what == len(ASKABLE) else 0
    try:
        loop.ask(ChangeNode(node=node, state=state, reason="test", by="me", by_ms=by_ms))
    except RefusalError:
        assert state is not NodeState.READY


def happen(loop: Loop, what: str, a: int, b: int) -> None:
    """Something of one of the attempts that run, if any do."""
    attempts = sorted(loop.machines.attempts, key=str)
    if not attempts:
        return
    key = attempts[a % len(attempts)]
    if what == "checkpoint":
        loop.machines.checkpoint(key, b)
    else:
        loop.machines.exit(key, b, code=b, signal=9 if what == "kill" else None)


def submit(loop: Loop, nodes: int, milli_cpu: int) -> None:
    number = sum(kind == "Job" for kind, _ in loop.kept)
    after = (f"job-{number - 1}",) if milli_cpu % 5 == 0 and number else ()
    spec = a_spec(nodes=nodes, milli_cpu=milli_cpu, after=after, timeout_s=milli_cpu % 3 * 30)
    if milli_cpu % 2:
        spec = replace(spec, checkpoints=KeepPolicy(keep_last=1))
    command = SubmitJob(id=f"job-{number}", tenant="default", project="default", by="me", spec=spec)
    try:
        loop.ask(command)
    except RefusalError:
        assert after


def cancel(loop: Loop, number: int) -> None:
    jobs = sorted(loop.world.jobs)
    if jobs:
        loop.ask(CancelJob(id=jobs[number % len(jobs)], by="me"))


def check(loop: Loop) -> None:
    assert loop.unaccounted() == 0
    for unit in ("milli_core_ms", "milli_gpu_ms"):
        assert all(amount >= 0 for amount in totals(loop.entries, unit=unit).values())
    held: dict[str, Resources] = {}
    for job in loop.world.jobs.values():
        check_job(loop, job)
        attempt = job.attempt
        if attempt is not None and attempt.live:
            assert len(attempt.nodes) == job.spec.shape.nodes_min
            for node in attempt.nodes:
                held[node] = held.get(node, Resources()) + job.spec.shape.per_node
    for node, amount in held.items():
        assert amount.fits_in(loop.world.nodes[node].total)
    using = {(use.gang, node) for node, a in loop.world.accounts.items() for use in a.uses}
    live = {
        (job.id, node)
        for job in loop.world.jobs.values()
        if job.attempt and job.attempt.live
        for node in job.attempt.nodes
    }
    assert using == live


def check_job(loop: Loop, job: Job) -> None:
    attempt = job.attempt
    assert (attempt is not None and attempt.live) == (job.phase in LIVE)
    assert all(not earlier.live for earlier in job.attempts[:-1])
    if job.phase is JobPhase.QUEUED:
        assert job.id in loop.state.waits
    infra = [a for a in job.attempts if a.verdict is Verdict.INFRASTRUCTURE]
    assert len(infra) <= job.spec.retries_infrastructure + 1


@settings(max_examples=150)
@given(st.lists(STEP, max_size=40))
def test_every_history_keeps_the_invariants(steps: list[tuple[str, int, int]]) -> None:
    loop = Loop.of(*(a_report(name) for name in NODES))
    for step in steps:
        take(loop, step)
        check(loop)
    assert len(loop.machines.starts) == len(set(loop.machines.starts)), "launched twice"


@settings(max_examples=80)
@given(st.lists(STEP, max_size=30))
def test_when_nodes_are_back_and_programs_succeed_every_job_ends(
    steps: list[tuple[str, int, int]],
) -> None:
    loop = Loop.of(*(a_report(name) for name in NODES))
    for step in steps:
        take(loop, step)
    for node in NODES:
        loop.machines.back(node)
        loop.step()
        loop.ask(ChangeNode(node=node, state=NodeState.READY, reason="", by="me"))
    for _ in range(100):
        for key in tuple(loop.machines.attempts):
            finish(loop, key)
        loop.later(1_000)
        loop.step()
    stuck = [job for job in loop.world.jobs.values() if not impossible(job)]
    stuck = [job for job in stuck if not blocked_by_impossible(loop, job)]
    assert stuck == []
    ended = [each for each in loop.kept.values() if isinstance(each, Job) and each.phase in ENDED]
    assert all(attempt.phase is AttemptPhase.ENDED for job in ended for attempt in job.attempts)


def finish(loop: Loop, key: AttemptKey) -> None:
    for rank in range(4):
        loop.machines.exit(key, rank)


def impossible(job: Job) -> bool:
    shape = job.spec.shape
    return shape.nodes_min > len(NODES) or shape.per_node.milli_cpu > 2_000


def blocked_by_impossible(loop: Loop, job: Job) -> bool:
    earlier = [loop.world.jobs.get(each) for each in job.spec.after]
    return any(each and (impossible(each) or blocked_by_impossible(loop, each)) for each in earlier)
