"""Histories of workspaces through the production cycle: started, used, idle, suspended, resumed, leased, deleted."""

from dataclasses import replace

import pytest

from gigawatt.model.attempt import Progress
from gigawatt.model.command import (
    DeleteWorkspace,
    ExtendWorkspace,
    MakeWorkspace,
    StartWorkspace,
    SuspendWorkspace,
)
from gigawatt.model.environment import (
    Environment,
    EnvironmentKind,
    EnvironmentPhase,
    EnvironmentSpec,
)
from gigawatt.model.gang import Shape
from gigawatt.model.launch import AttemptKey
from gigawatt.model.ledger import TimeClass
from gigawatt.model.observation import RankProgress, WorkspaceTouched
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.resources import Resources
from gigawatt.model.workspace import Workspace, WorkspacePhase, WorkspaceProgram, WorkspaceSpec
from gigawatt.reconcile.workspaces import FAILURES_MAX
from tests.loop import Loop
from tests.machines import a_report

IDLE_S = 600
HOUR_MS = 3_600_000


def a_spec(*, lease_s: int = 0, environment: str = "host", tools: str = "") -> WorkspaceSpec:
    return WorkspaceSpec(
        name="lab",
        program=WorkspaceProgram.SHELL,
        shape=Shape(per_node=Resources(milli_cpu=500)),
        environment=environment,
        tools=tools,
        home="/homes/default/default/lab",
        idle_s=IDLE_S,
        lease_s=lease_s,
    )


def make(
    loop: Loop, spec: WorkspaceSpec | None = None, *, environments: tuple[Environment, ...] = ()
) -> Workspace:
    command = MakeWorkspace(
        id="ws-1",
        tenant="default",
        project="default",
        by="me",
        spec=spec or a_spec(),
        environments=environments,
    )
    reply = loop.ask(command)
    assert isinstance(reply, Workspace)
    return kept(loop)


def kept(loop: Loop) -> Workspace:
    workspace = loop.world.workspaces.get("ws-1") or loop.kept["Workspace", "ws-1"]
    assert isinstance(workspace, Workspace)
    return workspace


def measure(loop: Loop, **figures: float) -> None:
    """What the desk says, with nothing going on unless told otherwise."""
    quiet = {"desk_milli_cpu": 5.0, "desk_gpu_percent": 0.0, "desk_busy": 0.0, "desk_moved": 0.0}
    metrics = tuple(sorted({**quiet, **figures}.items()))
    progress = Progress(at_ms=loop.now_ms, metrics=metrics)
    loop.step([RankProgress(key=AttemptKey(gang="ws-1", attempt=1), rank=0, progress=progress)])


def sums(loop: Loop) -> dict[TimeClass, int]:
    loop.restart()  # settles every account
    found = dict.fromkeys(TimeClass, 0)
    for entry in loop.entries:
        found[entry.time_class] += entry.unit_ms
    return found


def test_it_runs_once_its_program_answers() -> None:
    loop = Loop.of(a_report("n1"))
    workspace = make(loop)
    assert workspace.phase is WorkspacePhase.RUNNING
    assert [event.kind for event in loop.events if event.subject == "ws-1"] == [
        "workspace.created",
        "workspace.placed",
        "workspace.running",
        "workspace.ready",
    ]


def test_it_waits_for_its_environment_and_for_its_tools() -> None:
    loop = Loop.of(a_report("n1"))
    spec = a_spec(environment="env-a", tools="env-b")
    wanted = tuple(
        Environment(
            id=name,
            tenant="default",
            project="default",
            spec=EnvironmentSpec(kind=EnvironmentKind.UV),
            phase=EnvironmentPhase.BUILDING,
            created_ms=1,
        )
        for name in ("env-a", "env-b")
    )
    assert make(loop, spec, environments=wanted).phase is WorkspacePhase.RUNNING
    (running,) = loop.machines.attempts.values()
    assert running.launch.command[0] == "/environments/env-b/bin/python"
    assert running.launch.environment == "/environments/env-a"


def test_one_that_nobody_uses_is_suspended_and_holds_nothing() -> None:
    loop = Loop.of(a_report("n1"))
    make(loop)
    loop.later(IDLE_S * 1_000 - 1)
    measure(loop)
    assert kept(loop).phase is WorkspacePhase.RUNNING
    loop.later(1)
    loop.step()
    workspace = kept(loop)
    assert workspace.phase is WorkspacePhase.SUSPENDED
    assert workspace.message == "it was not used for 10 min"
    assert loop.machines.attempts == {}
    assert loop.unaccounted() == 0


@pytest.mark.parametrize(
    "figures",
    [{"desk_milli_cpu": 400}, {"desk_gpu_percent": 3}, {"desk_busy": 1}, {"desk_moved": 1}],
)
def test_every_measure_of_use_keeps_it(figures: dict[str, float]) -> None:
    loop = Loop.of(a_report("n1"))
    make(loop)
    loop.later(IDLE_S * 1_000 - 1)
    measure(loop, **figures)
    loop.later(IDLE_S * 1_000 - 1)
    loop.step()
    assert kept(loop).phase is WorkspacePhase.RUNNING
    loop.later(1)
    loop.step()
    assert kept(loop).phase is WorkspacePhase.SUSPENDED


def test_a_person_at_the_proxy_keeps_it_and_an_open_page_alone_does_not() -> None:
    loop = Loop.of(a_report("n1"))
    make(loop)
    loop.later(IDLE_S * 1_000 - 1)
    loop.step([WorkspaceTouched(at_ms=loop.now_ms, workspace="ws-1")])
    loop.later(IDLE_S * 1_000 - 1)
    measure(loop, desk_connections=3)
    assert kept(loop).phase is WorkspacePhase.RUNNING
    loop.later(1)
    loop.step()
    assert kept(loop).phase is WorkspacePhase.SUSPENDED


def test_used_time_is_told_from_idle_time_and_stays_useful() -> None:
    loop = Loop.of(a_report("n1", milli_cpu=500))
    make(loop)
    loop.later(60_000)
    measure(loop)  # the moment from which it counts as idle
    loop.later(40_000)
    measure(loop, desk_busy=1)
    loop.later(20_000)
    loop.ask(SuspendWorkspace(id="ws-1", by="me"))
    found = sums(loop)
    assert found[TimeClass.USEFUL] == 500 * 80_000
    assert found[TimeClass.WORKSPACE_IDLE] == 500 * 40_000
    assert found[TimeClass.USER_FAULT] == 0
    assert loop.unaccounted() == 0


def test_a_suspended_one_starts_again_as_the_next_attempt_with_a_lease_of_its_own() -> None:
    loop = Loop.of(a_report("n1"))
    make(loop, a_spec(lease_s=7_200))
    loop.ask(SuspendWorkspace(id="ws-1", by="me"))
    assert kept(loop).lease_end_ms == 0
    loop.later(HOUR_MS)
    loop.ask(StartWorkspace(id="ws-1", by="me"))
    workspace = kept(loop)
    assert workspace.phase is WorkspacePhase.RUNNING
    assert workspace.attempt is not None
    assert workspace.attempt.n == 2
    assert workspace.lease_end_ms == loop.now_ms + 7_200_000


def test_attempts_are_kept_within_a_limit_and_numbered_on() -> None:
    loop = Loop.of(a_report("n1"))
    make(loop)
    for _ in range(15):
        loop.ask(SuspendWorkspace(id="ws-1", by="me"))
        loop.ask(StartWorkspace(id="ws-1", by="me"))
    workspace = kept(loop)
    assert [attempt.n for attempt in workspace.attempts] == list(range(7, 17))


def test_the_end_of_a_lease_is_told_before_it_suspends_whatever_is_done() -> None:
    loop = Loop.of(a_report("n1"))
    make(loop, a_spec(lease_s=7_200))

    def work_until(end_ms: int) -> None:
        while loop.now_ms < end_ms:
            loop.later(min(300_000, end_ms - loop.now_ms))
            measure(loop, desk_busy=1)

    begun_ms = loop.now_ms
    work_until(begun_ms + 2 * HOUR_MS - 600_000)
    told = [event.message for event in loop.events if event.kind == "workspace.lease_ends"]
    assert told == ["its lease ends in 600 s; gw dev extend lab --by 2h"]
    work_until(begun_ms + 2 * HOUR_MS)
    assert kept(loop).phase is WorkspacePhase.SUSPENDED
    assert kept(loop).message == "its lease ended"


def test_an_extended_lease_ends_later_and_is_told_again() -> None:
    loop = Loop.of(a_report("n1"))
    make(loop, replace(a_spec(lease_s=1_000), idle_s=86_400))
    loop.later(950_000)
    loop.step()
    end_ms = kept(loop).lease_end_ms + HOUR_MS
    loop.ask(ExtendWorkspace(id="ws-1", by="me", lease_end_ms=end_ms))
    loop.later(60_000)
    loop.step()
    assert kept(loop).phase is WorkspacePhase.RUNNING
    loop.later(HOUR_MS)
    loop.step()
    assert kept(loop).phase is WorkspacePhase.SUSPENDED
    assert sum(event.kind == "workspace.lease_ends" for event in loop.events) == 1


def test_a_name_that_is_taken_is_refused() -> None:
    loop = Loop.of(a_report("n1"))
    make(loop)
    with pytest.raises(RefusalError, match="already there") as refused:
        make(loop)
    assert refused.value.code is RefusalCode.CONFLICT
    assert refused.value.hint == "gw dev start lab, or choose another name"


def test_deleting_keeps_the_home_unless_it_is_purged() -> None:
    loop = Loop.of(a_report("n1"))
    make(loop)
    loop.ask(DeleteWorkspace(id="ws-1", by="me"))
    assert kept(loop).phase is WorkspacePhase.DELETED
    assert loop.machines.removed == []
    assert loop.world.workspaces == {}
    make(loop)
    loop.ask(DeleteWorkspace(id="ws-1", by="me", purge=True))
    assert kept(loop).phase is WorkspacePhase.DELETED
    assert loop.machines.removed == ["/homes/default/default/lab"]


def test_a_purge_that_a_crash_cut_short_is_done_by_the_next_leader() -> None:
    loop = Loop.of(a_report("n1"))
    make(loop)
    loop.ask(SuspendWorkspace(id="ws-1", by="me"))
    loop.crash_before_acting(DeleteWorkspace(id="ws-1", by="me", purge=True))
    assert kept(loop).phase is WorkspacePhase.DELETED
    assert loop.machines.removed == ["/homes/default/default/lab"]


def test_one_on_a_lost_node_starts_again_elsewhere() -> None:
    loop = Loop.of(a_report("n1"), a_report("n2"))
    workspace = make(loop)
    assert workspace.attempt is not None
    loop.machines.lose(workspace.attempt.nodes[0])
    loop.step()
    assert kept(loop).phase is WorkspacePhase.RUNNING
    assert kept(loop).failures == 0


def test_a_program_that_fails_says_why_and_can_be_started_again() -> None:
    loop = Loop.of(a_report("n1"))
    loop.machines.replicas_become_ready = False
    make(loop)
    loop.machines.exit(AttemptKey(gang="ws-1", attempt=1), 0, code=3)
    loop.step()
    assert kept(loop).phase is WorkspacePhase.FAILED
    assert kept(loop).message == "exit code 3"
    loop.machines.replicas_become_ready = True
    loop.ask(StartWorkspace(id="ws-1", by="me"))
    assert kept(loop).phase is WorkspacePhase.RUNNING


def test_one_that_never_answers_has_failed() -> None:
    loop = Loop.of(a_report("n1"))
    loop.machines.replicas_become_ready = False
    workspace = make(loop)
    loop.later(workspace.spec.readiness.timeout_s * 1_000)
    loop.step()
    assert kept(loop).phase is WorkspacePhase.FAILED
    assert kept(loop).message == "its program did not answer in 120 s"


def test_the_infrastructure_may_fail_it_a_few_times_in_a_row() -> None:
    loop = Loop.of(a_report("n1"), a_report("n2"), a_report("n3"), a_report("n4"))
    loop.machines.replicas_become_ready = False
    make(loop)
    for n in range(1, FAILURES_MAX + 1):
        assert kept(loop).phase is WorkspacePhase.STARTING
        loop.machines.exit(AttemptKey(gang="ws-1", attempt=n), 0, signal=9)
        loop.step()
    assert kept(loop).phase is WorkspacePhase.FAILED
    assert len(loop.machines.starts) == FAILURES_MAX


def test_a_restart_adopts_it_and_begins_its_patience_anew() -> None:
    loop = Loop.of(a_report("n1"))
    make(loop)
    loop.later(IDLE_S * 1_000 - 1)
    loop.restart()
    assert kept(loop).phase is WorkspacePhase.RUNNING
    loop.later(IDLE_S * 1_000 - 1)
    loop.step()
    assert kept(loop).phase is WorkspacePhase.RUNNING
    loop.later(1)
    loop.step()
    assert kept(loop).phase is WorkspacePhase.SUSPENDED
    assert len(loop.machines.starts) == 1


def test_what_holds_nothing_has_no_lease_to_extend() -> None:
    loop = Loop.of(a_report("n1"))
    make(loop)
    loop.ask(SuspendWorkspace(id="ws-1", by="me"))
    with pytest.raises(RefusalError, match="suspended"):
        loop.ask(ExtendWorkspace(id="ws-1", by="me", lease_end_ms=loop.now_ms + 1))


def test_a_version_that_has_moved_on_is_refused() -> None:
    loop = Loop.of(a_report("n1"))
    workspace = make(loop)
    with pytest.raises(RefusalError) as refused:
        loop.ask(SuspendWorkspace(id="ws-1", by="me", if_version=workspace.version - 1))
    assert refused.value.code is RefusalCode.STALE_VERSION
