"""Histories of single jobs through the production cycle."""

import pytest

from gigawatt.model.attempt import Verdict
from gigawatt.model.command import CancelJob, RetryJob, SubmitJob
from gigawatt.model.environment import (
    Environment,
    EnvironmentKind,
    EnvironmentPhase,
    EnvironmentSpec,
)
from gigawatt.model.job import JobPhase
from gigawatt.model.launch import AttemptKey
from gigawatt.model.ledger import TimeClass
from gigawatt.model.node import NodeState
from gigawatt.model.reason import ReasonCode
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.upkeep import ChangeNode
from gigawatt.scheduler.policy import POLICIES, Policy
from tests.loop import Loop, a_spec
from tests.machines import a_report


def first(gang: str = "job-1", attempt: int = 1) -> AttemptKey:
    return AttemptKey(gang=gang, attempt=attempt)


def verdicts(loop: Loop, id: str = "job-1") -> list[Verdict | None]:
    return [attempt.verdict for attempt in loop.job(id).attempts]


def test_a_job_that_fits_runs_and_succeeds() -> None:
    loop = Loop.of(a_report("n1"), a_report("n2"))
    loop.submit(a_spec(nodes=2))
    assert loop.job().phase is JobPhase.RUNNING
    loop.later(1_000)
    for rank in (0, 1):
        loop.machines.exit(first(), rank)
    loop.step()
    assert loop.job().phase is JobPhase.SUCCEEDED
    assert verdicts(loop) == [Verdict.SUCCESS]
    assert loop.machines.attempts == {}
    assert loop.world.jobs == {}
    assert loop.unaccounted() == 0


@pytest.mark.parametrize("policy", [Policy(), POLICIES["fifo"]])
def test_who_comes_into_a_line_that_stands_still_waits_without_a_decision(policy: Policy) -> None:
    loop = Loop.of(a_report("n1"), policy=policy)
    loop.submit(a_spec(milli_cpu=1_500), id="job-1")
    loop.submit(a_spec(milli_cpu=1_500), id="job-2")
    stood = loop.state.still
    loop.submit(a_spec(milli_cpu=1_500), id="job-3")
    assert loop.state.still is stood is not None
    assert {gang: wait.position for gang, wait in loop.state.waits.items()} == {
        "job-2": 1,
        "job-3": 2,
    }
    loop.machines.exit(first(), 0)
    loop.step()
    assert loop.state.still is not stood
    assert loop.job("job-2").phase is JobPhase.RUNNING


def test_a_rank_killed_from_outside_is_retried_on_another_node_and_not_charged() -> None:
    loop = Loop.of(*(a_report(f"n{number}") for number in range(3)))
    loop.submit(a_spec(nodes=2, milli_cpu=1_500))
    suspect = loop.job().attempts[0].ranks[1].node
    loop.machines.exit(first(), 1, signal=9)
    loop.step()
    job = loop.job()
    assert job.phase is JobPhase.RUNNING
    assert verdicts(loop) == [Verdict.INFRASTRUCTURE, None]
    assert job.attempts[0].charged_to == "infrastructure"
    assert suspect not in job.attempts[1].nodes


def test_a_users_failure_is_retried_within_its_own_budget_only() -> None:
    loop = Loop.of(a_report("n1"))
    loop.submit(a_spec(retries_user=1))
    for attempt in (1, 2):
        loop.machines.exit(first(attempt=attempt), 0, code=3)
        loop.step()
    assert loop.job().phase is JobPhase.FAILED
    assert verdicts(loop) == [Verdict.USER, Verdict.USER]
    assert "exit code 3" in loop.job().message


def test_work_since_the_last_checkpoint_is_redone_and_work_before_it_is_kept() -> None:
    loop = Loop.of(a_report("n1", milli_cpu=1_000))
    loop.submit(a_spec(milli_cpu=1_000))
    loop.later(8_000)
    loop.machines.checkpoint(first(), 10)
    loop.step()
    loop.later(2_000)
    loop.machines.exit(first(), 0, signal=9)
    loop.step()
    sums = dict.fromkeys(TimeClass, 0)
    for entry in loop.entries:
        if entry.attempt == 1:
            sums[entry.time_class] += entry.unit_ms
    assert sums[TimeClass.USEFUL] == 8_000 * 1_000
    assert sums[TimeClass.REDONE] == 2_000 * 1_000
    again = loop.job().attempts[1]
    assert again.resumed_from is not None
    assert again.resumed_from.step == 10


def test_a_cancelled_job_stops_and_is_charged_to_nobody() -> None:
    loop = Loop.of(a_report("n1"))
    loop.submit(a_spec())
    loop.ask(CancelJob(id="job-1", by="me"))
    assert loop.job().phase is JobPhase.CANCELLED
    assert verdicts(loop) == [Verdict.CANCELLED]
    with pytest.raises(RefusalError, match="already ended"):
        loop.ask(CancelJob(id="job-1", by="me"))


def test_a_timeout_stops_the_attempt_and_fails_the_job() -> None:
    loop = Loop.of(a_report("n1"))
    loop.submit(a_spec(timeout_s=60))
    loop.later(59_999)
    loop.step()
    assert loop.job().phase is JobPhase.RUNNING
    loop.later(1)
    loop.step()
    assert loop.job().phase is JobPhase.FAILED
    assert verdicts(loop) == [Verdict.TIMEOUT]


def test_a_job_waits_for_those_it_comes_after() -> None:
    loop = Loop.of(a_report("n1"))
    loop.submit(a_spec("a"), id="job-a")
    loop.submit(a_spec("b", after=("job-a",)), id="job-b")
    assert loop.job("job-b").phase is JobPhase.BLOCKED
    loop.machines.exit(first("job-a"), 0)
    loop.step()
    assert loop.job("job-b").phase is JobPhase.RUNNING


def test_a_long_chain_after_a_failed_job_fails_without_recursion() -> None:
    loop = Loop.of(a_report("n1"))
    loop.submit(a_spec("0"), id="job-0")
    for number in range(1, 1_200):
        command = SubmitJob(
            id=f"job-{number}",
            tenant="default",
            project="default",
            by="me",
            spec=a_spec(str(number), after=(f"job-{number - 1}",)),
        )
        loop.ask(command)
    loop.machines.exit(first("job-0"), 0, code=1)
    loop.step()
    assert loop.job("job-1199").phase is JobPhase.FAILED
    assert loop.job("job-1199").attempts == ()


def test_nothing_may_come_after_a_job_that_is_not_there() -> None:
    loop = Loop.of(a_report("n1"))
    with pytest.raises(RefusalError) as refused:
        loop.submit(a_spec(after=("job-9",)))
    assert refused.value.code is RefusalCode.CONFLICT
    assert "Job" not in {kind for kind, _ in loop.kept}


def test_a_lost_node_ends_its_gangs_and_they_run_elsewhere() -> None:
    loop = Loop.of(a_report("n1"), a_report("n2"))
    loop.submit(a_spec())
    (node,) = loop.job().attempts[0].nodes
    loop.machines.lose(node)
    loop.step()
    assert verdicts(loop) == [Verdict.INFRASTRUCTURE, None]
    assert loop.job().attempts[1].nodes != (node,)
    assert loop.world.nodes[node].state is NodeState.DOWN
    loop.later(1_000)
    loop.machines.back(node)
    loop.step()
    assert loop.world.nodes[node].state is NodeState.READY
    assert loop.unaccounted() == 0


def test_draining_moves_what_runs_and_charges_nobody() -> None:
    loop = Loop.of(a_report("n1"), a_report("n2"))
    loop.submit(a_spec())
    (node,) = loop.job().attempts[0].nodes
    loop.ask(ChangeNode(node=node, state=NodeState.DRAINING, reason="fan", by="me"))
    assert verdicts(loop) == [Verdict.PREEMPTION, None]
    assert loop.job().attempts[1].nodes != (node,)


def test_a_gang_that_no_free_nodes_hold_waits_with_its_numbers() -> None:
    loop = Loop.of(a_report("n1"))
    loop.submit(a_spec("a", milli_cpu=2_000), id="job-a")
    loop.submit(a_spec("b", milli_cpu=1_500), id="job-b")
    wait = loop.state.waits["job-b"]
    assert (wait.position, wait.reason.code) == (1, ReasonCode.RESOURCES_BUSY)
    loop.machines.exit(first("job-a"), 0)
    loop.step()
    assert loop.job("job-b").phase is JobPhase.RUNNING
    assert loop.state.waits == {}


def test_a_failed_job_can_be_retried_with_full_budgets() -> None:
    loop = Loop.of(a_report("n1"))
    loop.submit(a_spec())
    loop.machines.exit(first(), 0, code=1)
    loop.step()
    loop.ask(RetryJob(job=loop.job(), by="me"))
    assert loop.job().phase is JobPhase.RUNNING
    loop.machines.exit(first(attempt=2), 0)
    loop.step()
    assert loop.job().phase is JobPhase.SUCCEEDED
    assert loop.job().version > 3


def test_a_restart_adopts_running_gangs_and_starts_nothing_again() -> None:
    loop = Loop.of(a_report("n1"), a_report("n2"))
    loop.submit(a_spec(nodes=2))
    before = loop.job()
    loop.restart()
    assert loop.job() == before
    assert loop.machines.starts == [first()]


def test_a_crash_between_commit_and_launch_launches_once() -> None:
    loop = Loop.of(a_report("n1"))
    spec = a_spec()
    loop.crash_before_acting(
        SubmitJob(id="job-1", tenant="default", project="default", by="me", spec=spec)
    )
    assert loop.job().phase is JobPhase.RUNNING
    assert loop.machines.starts == [first()]


def test_what_ended_while_nobody_led_is_told_to_the_next_leader() -> None:
    loop = Loop.of(a_report("n1"))
    loop.submit(a_spec())
    loop.machines.exit(first(), 0)
    loop.restart()
    assert loop.job().phase is JobPhase.SUCCEEDED


def test_an_environment_is_built_once_for_all_who_ask() -> None:
    loop = Loop.of(a_report("n1"))
    environment = Environment(
        id="env-1",
        tenant="default",
        project="default",
        spec=EnvironmentSpec(kind=EnvironmentKind.UV, requirements=("numpy",)),
        phase=EnvironmentPhase.BUILDING,
        created_ms=0,
    )
    for number in (1, 2):
        loop.ask(
            SubmitJob(
                id=f"job-{number}",
                tenant="default",
                project="default",
                by="me",
                spec=a_spec(environment="env-1"),
                environment=environment,
            )
        )
    assert [event.kind for event in loop.events].count("environment.building") == 1
    assert {loop.job("job-1").phase, loop.job("job-2").phase} == {JobPhase.RUNNING}
