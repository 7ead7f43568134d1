"""Plans through the production cycle: who stops for whom, what they are given time for, and what is kept."""

from dataclasses import replace

from gigawatt.model.action import Action, NotifyAttempt, StopAttempt
from gigawatt.model.attempt import Verdict
from gigawatt.model.command import CancelJob, CreateProject, SubmitJob
from gigawatt.model.gang import Shape
from gigawatt.model.job import JobPhase, JobSpec
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import AttemptGone, RankExited
from gigawatt.model.reason import ReasonCode
from gigawatt.model.resources import Resources
from gigawatt.scheduler.policy import Policy
from tests.loop import Loop
from tests.machines import Machines, a_report

POLICY = Policy(preempt=True, min_run_ms=60_000, notice_ms=20_000, claim_ms=90_000)
MOVING = replace(POLICY, preempt=False, consolidate=True)


class Held(Machines):
    """What is asked to stop goes on until `let_go`, and every action is remembered."""

    def __init__(self, *names: str) -> None:
        super().__init__({name: a_report(name, gpus=2, rack=f"r-{name}") for name in names})
        self.asked: list[AttemptKey] = []
        self.actions: list[Action] = []

    def carry_out(self, action: Action) -> None:
        self.actions.append(action)
        super().carry_out(action)

    def stop(self, key: AttemptKey) -> None:
        self.asked.append(key)

    def let_go(self) -> None:
        for key in self.asked:
            super().stop(key)
        self.asked = []


def a_loop(*names: str, policy: Policy = POLICY) -> tuple[Loop, Held]:
    machines = Held(*names)
    loop = Loop(machines, policy=policy)
    loop.restart()
    return loop, machines


def ask(
    loop: Loop,
    id: str,
    *,
    gpus: int = 1,
    nodes: int = 1,
    priority: int = 0,
    project: str = "default",
) -> None:
    shape = Shape(nodes_min=nodes, nodes_max=nodes, per_node=Resources(milli_gpu=1000 * gpus))
    spec = JobSpec(
        name=f"the {id}", command=("true",), shape=shape, environment="host", priority=priority
    )
    loop.ask(SubmitJob(id=id, tenant="default", project=project, by="tester", spec=spec))


def exited_well(loop: Loop, *, asked: bool) -> RankExited:
    return RankExited(at_ms=loop.now_ms, key=key("saver"), rank=0, exit_code=0, asked=asked)


def gone(loop: Loop) -> AttemptGone:
    return AttemptGone(at_ms=loop.now_ms, key=key("saver"))


def key(gang: str) -> AttemptKey:
    return AttemptKey(gang=gang, attempt=1)


def full(policy: Policy = POLICY) -> tuple[Loop, Held]:
    """One node of two GPUs, full of two jobs that have run for long enough; one of them has saved its work."""
    loop, machines = a_loop("n1", policy=policy)
    ask(loop, "saver")
    ask(loop, "other")
    loop.later(100_000)
    machines.checkpoint(key("saver"), 7)
    loop.step()
    loop.later(10_000)
    return loop, machines


def test_the_one_that_loses_least_is_told_and_stopped_and_its_gpu_is_kept() -> None:
    loop, machines = full()
    ask(loop, "urgent", priority=10)
    told = [each for each in machines.actions if isinstance(each, NotifyAttempt)]
    stops = [each for each in machines.actions if isinstance(each, StopAttempt)]
    assert told == [NotifyAttempt(key=key("saver"), checkpoint_by_ms=loop.now_ms + 20_000)]
    assert stops == [StopAttempt(key=key("saver"), grace_s=10, after_s=20.0)]
    wait = loop.state.waits["urgent"]
    assert (wait.reason.code, wait.reason.need) == (ReasonCode.BEING_FREED, loop.now_ms + 30_000)
    assert wait.reason.detail == "1 stop and 0 move, in 30 s at the latest"
    machines.let_go()
    loop.step()
    assert loop.job("urgent").phase is JobPhase.RUNNING
    assert loop.job("urgent").claim is None
    stopped = loop.job("saver").attempts[0]
    assert (stopped.verdict, stopped.charged_to, stopped.stopped_for) == (
        Verdict.PREEMPTION,
        "",
        "urgent",
    )
    assert stopped.evidence[0].detail == (
        "stopped for the urgent (urgent) by preempt: 10 GPU-s since its last checkpoint"
    )
    assert loop.job("saver").phase is JobPhase.QUEUED
    assert loop.job("saver").checkpoint is not None


def test_what_a_job_saves_within_its_notice_is_kept() -> None:
    loop, machines = full()
    ask(loop, "urgent", priority=10)
    loop.later(5_000)
    machines.checkpoint(key("saver"), 8)
    loop.step()
    machines.let_go()
    loop.step()
    saved = loop.job("saver").checkpoint
    assert saved is not None
    assert saved.step == 8
    assert loop.unaccounted() == 0


def test_a_job_that_saves_and_exits_when_it_is_asked_to_runs_again() -> None:
    loop, machines = full()
    ask(loop, "urgent", priority=10)
    assert machines.asked == [key("saver")]
    machines.attempts[key("saver")].live.clear()
    machines.told += [exited_well(loop, asked=True), gone(loop)]
    loop.step()
    assert loop.job("saver").attempts[0].verdict is Verdict.PREEMPTION
    assert loop.job("saver").phase is JobPhase.QUEUED


def test_a_job_that_finishes_before_it_is_asked_to_stop_has_succeeded() -> None:
    loop, machines = full()
    ask(loop, "urgent", priority=10)
    machines.attempts[key("saver")].live.clear()
    machines.told += [exited_well(loop, asked=False), gone(loop)]
    loop.step()
    assert loop.job("saver").phase is JobPhase.SUCCEEDED
    assert loop.job("urgent").phase is JobPhase.RUNNING


def test_nobody_else_is_given_what_is_kept() -> None:
    loop, machines = full()
    ask(loop, "urgent", priority=10, gpus=2)
    machines.let_go()
    ask(loop, "late", priority=20)
    assert loop.job("urgent").phase is JobPhase.RUNNING
    assert loop.job("late").phase is JobPhase.QUEUED


def test_a_priority_says_nothing_in_another_project() -> None:
    loop, machines = full()
    loop.ask(CreateProject(tenant="default", name="second", by="tester"))
    ask(loop, "urgent", priority=1_000, project="second")
    assert loop.job("urgent").phase is JobPhase.QUEUED
    assert machines.asked == []


def test_without_the_setting_nobody_is_stopped() -> None:
    loop, machines = full(Policy())
    ask(loop, "urgent", priority=1_000)
    assert loop.job("urgent").phase is JobPhase.QUEUED
    assert machines.asked == []


def test_what_has_just_started_is_stopped_once_it_has_run_for_long_enough() -> None:
    loop, machines = a_loop("n1")
    ask(loop, "young", gpus=2)
    ask(loop, "urgent", priority=10)
    assert machines.asked == []
    loop.later(59_000)
    loop.step()
    assert machines.asked == []
    loop.later(60_000)
    loop.step()
    assert machines.asked == [key("young")]


def test_a_small_job_moves_so_that_a_whole_node_is_free() -> None:
    loop, machines = a_loop("n1", "n2", policy=MOVING)
    for name in ("a", "b", "c", "d"):
        ask(loop, name)
    loop.ask(CancelJob(id="a", by="tester"))
    loop.ask(CancelJob(id="c", by="tester"))
    machines.let_go()
    loop.step()
    there = {name: loop.job(name).attempts[0].nodes for name in ("b", "d")}
    assert there["b"] != there["d"]
    loop.later(70_000)
    ask(loop, "whole", gpus=2)
    (moved,) = [job for job in map(loop.job, there) if job.phase is JobPhase.STOPPING]
    assert moved.claim is not None
    machines.let_go()
    loop.step()
    assert loop.job("whole").phase is JobPhase.RUNNING
    assert loop.job(moved.id).phase is JobPhase.RUNNING
    assert loop.job(moved.id).attempts[1].nodes == moved.claim.nodes


def test_a_new_leader_goes_on_with_a_plan() -> None:
    loop, machines = full()
    ask(loop, "urgent", priority=10)
    machines.asked.clear()
    loop.later(5_000)
    loop.restart()
    again = [each for each in machines.actions if isinstance(each, StopAttempt)][-1]
    assert again == StopAttempt(key=key("saver"), grace_s=10, after_s=15.0)
    assert loop.state.waits["urgent"].reason.code is ReasonCode.BEING_FREED
    machines.let_go()
    loop.step()
    assert loop.job("urgent").phase is JobPhase.RUNNING


def test_a_plan_lapses_when_its_node_is_lost() -> None:
    loop, machines = full()
    ask(loop, "urgent", priority=10)
    machines.lose("n1")
    loop.step()
    claim = loop.job("urgent").claim
    assert claim is not None
    assert claim.why == "node n1 takes no gangs any more"
    assert loop.state.waits["urgent"].reason.code is ReasonCode.NODES_UNAVAILABLE


def test_a_plan_lapses_when_what_is_to_stop_does_not_and_another_is_made_after_a_while() -> None:
    loop, _ = full()
    ask(loop, "urgent", priority=10)
    loop.later(30_000 + POLICY.claim_ms)
    loop.step()
    claim = loop.job("urgent").claim
    assert claim is not None
    assert claim.why == "what was to be freed was not free in time"
    planned = [event for event in loop.events if event.kind == "job.planned"]
    assert len(planned) == 1


def test_a_person_who_cancels_a_job_that_is_being_stopped_has_their_way() -> None:
    loop, machines = full()
    ask(loop, "urgent", priority=10)
    loop.ask(CancelJob(id="saver", by="tester"))
    machines.let_go()
    loop.step()
    assert loop.job("saver").phase is JobPhase.CANCELLED


def test_what_was_kept_for_a_job_that_is_cancelled_is_anybodys() -> None:
    loop, machines = full()
    ask(loop, "urgent", priority=10)
    loop.ask(CancelJob(id="urgent", by="tester"))
    machines.let_go()
    loop.step()
    assert loop.job("saver").phase is JobPhase.RUNNING
