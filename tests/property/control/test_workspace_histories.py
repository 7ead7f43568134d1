"""Any history of workspaces among jobs, with use, failures, lost nodes and crashes, keeps what must always hold."""

import hypothesis.strategies as st
from hypothesis import given, settings

from gigawatt.model.attempt import Progress
from gigawatt.model.command import (
    DeleteWorkspace,
    ExtendWorkspace,
    MakeWorkspace,
    OfWorkspace,
    StartWorkspace,
    SubmitJob,
    SuspendWorkspace,
)
from gigawatt.model.gang import Shape
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import RankProgress, WorkspaceTouched
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.resources import Resources
from gigawatt.model.workspace import (
    ATTEMPTS_KEPT_MAX,
    RESTING,
    Workspace,
    WorkspacePhase,
    WorkspaceProgram,
    WorkspaceSpec,
)
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.record import dump
from tests.loop import Loop, a_spec
from tests.machines import a_report

NODES = ("n1", "n2")
HOLDING = {WorkspacePhase.STARTING, WorkspacePhase.RUNNING, WorkspacePhase.SUSPENDING}
NAMES = ("a", "b", "c")

VERBS = ("make", "start", "suspend", "extend", "delete", "touch")
STEP = st.one_of(
    st.tuples(st.sampled_from(VERBS), st.integers(0, 2), st.integers(60, 3_000)),
    st.tuples(st.just("measure"), st.integers(0, 9), st.integers(0, 1)),
    st.tuples(st.just("exit"), st.integers(0, 9), st.integers(0, 2)),
    st.tuples(st.just("kill"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("job"), st.integers(100, 2_000), st.just(0)),
    st.tuples(st.just("lose"), st.integers(0, 1), st.just(0)),
    st.tuples(st.just("back"), st.integers(0, 1), st.just(0)),
    st.tuples(st.just("ready"), st.integers(0, 1), st.just(0)),
    st.tuples(st.just("restart"), st.just(0), st.just(0)),
    st.tuples(st.just("later"), st.integers(0, 2_000_000), st.just(0)),
)


def take(loop: Loop, step: tuple[str, int, int]) -> None:
    what, a, b = step
    match what:
        case "measure" | "exit" | "kill":
            happen(loop, what, a, b)
        case "job":
            number = sum(kind == "Job" for kind, _ in loop.kept)
            job = SubmitJob(
                id=f"job-{number}",
                tenant="default",
                project="default",
                by="me",
                spec=a_spec(milli_cpu=a),
            )
            loop.ask(job)
        case "lose":
            loop.machines.lose(NODES[a])
        case "back":
            loop.machines.back(NODES[a])
        case "ready":
            loop.machines.replicas_become_ready = bool(a)
        case "restart":
            loop.restart()
        case "later":
            loop.later(a)
        case _:
            ask(loop, what, NAMES[a], b)
    loop.step()


def ask(loop: Loop, what: str, name: str, amount: int) -> None:
    there = [each for each in loop.world.workspaces.values() if each.spec.name == name]
    try:
        if what == "make":
            loop.ask(making(loop, name, amount))
        elif there:
            asked = command(loop, what, there[0], amount)
            if isinstance(asked, WorkspaceTouched):
                loop.step([asked])
            else:
                loop.ask(asked)
    except RefusalError as refusal:
        assert refusal.code is RefusalCode.CONFLICT, refusal.detail


def making(loop: Loop, name: str, amount: int) -> MakeWorkspace:
    number = sum(kind == "Workspace" for kind, _ in loop.kept)
    spec = WorkspaceSpec(
        name=name,
        program=WorkspaceProgram.SHELL,
        shape=Shape(per_node=Resources(milli_cpu=min(amount, 2_000))),
        environment="host",
        home=f"/homes/{name}",
        idle_s=amount,
        lease_s=amount * 2 if amount % 2 else 0,
    )
    return MakeWorkspace(id=f"ws-{number}", tenant="default", project="default", by="me", spec=spec)


def command(
    loop: Loop, what: str, workspace: Workspace, amount: int
) -> OfWorkspace | WorkspaceTouched:
    match what:
        case "start":
            return StartWorkspace(id=workspace.id, by="me")
        case "suspend":
            return SuspendWorkspace(id=workspace.id, by="me")
        case "extend":
            end_ms = max(workspace.lease_end_ms, loop.now_ms) + amount * 1_000
            return ExtendWorkspace(id=workspace.id, by="me", lease_end_ms=end_ms)
        case "delete":
            return DeleteWorkspace(id=workspace.id, by="me", purge=amount % 2 == 0)
        case _:
            return WorkspaceTouched(at_ms=loop.now_ms, workspace=workspace.id)


def happen(loop: Loop, what: str, a: int, b: int) -> None:
    attempts = sorted(loop.machines.attempts, key=str)
    if not attempts:
        return
    key = attempts[a % len(attempts)]
    if what == "measure":
        progress = Progress(
            at_ms=loop.now_ms, metrics=(("desk_busy", float(b)), ("desk_milli_cpu", 0.0))
        )
        loop.step([RankProgress(key=key, rank=0, progress=progress)])
    else:
        loop.machines.exit(key, 0, code=b, signal=9 if what == "kill" else None)


def check(loop: Loop) -> None:
    assert loop.unaccounted() == 0
    names = [each.spec.name for each in loop.world.workspaces.values()]
    assert len(names) == len(set(names))
    for workspace in loop.world.workspaces.values():
        check_workspace(loop, workspace)
    state = loop.state
    warm = state.encoder.snapshot(loop.now_ms, resume=state.resume)
    cold = encode_cold(loop.world, loop.now_ms, resume=state.resume)
    assert dump(warm, state.policy) == dump(cold, state.policy)


def check_workspace(loop: Loop, workspace: Workspace) -> None:
    attempt = workspace.attempt
    live = attempt is not None and attempt.live
    if workspace.phase is not WorkspacePhase.DELETING:
        assert live == (workspace.phase in HOLDING)
    assert all(not earlier.live for earlier in workspace.attempts[:-1])
    assert len(workspace.attempts) <= ATTEMPTS_KEPT_MAX
    uses = [use for a in loop.world.accounts.values() for use in a.uses if use.gang == workspace.id]
    assert len(uses) == int(live)
    if workspace.phase in RESTING:
        assert workspace.message
        assert workspace.lease_end_ms == 0
    if workspace.phase is WorkspacePhase.RUNNING and attempt and not attempt.stopping_ms:
        assert attempt.ready
        assert loop.now_ms < workspace.active_ms + workspace.spec.idle_s * 1_000
        assert not workspace.lease_end_ms or loop.now_ms < workspace.lease_end_ms
    if workspace.phase is WorkspacePhase.QUEUED:
        assert workspace.id in loop.state.waits


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
def test_whatever_was_before_everything_can_be_deleted_and_leaves_nothing(
    steps: list[tuple[str, int, int]],
) -> None:
    loop = Loop.of(*(a_report(name) for name in NODES))
    for step in steps:
        take(loop, step)
    for workspace in tuple(loop.world.workspaces.values()):
        loop.ask(DeleteWorkspace(id=workspace.id, by="me"))
    for _ in range(3):
        loop.later(60_000)
        loop.step()
    assert loop.world.workspaces == {}
    gangs: set[str] = {key.gang for key in loop.machines.attempts if is_workspaces(key)}
    assert gangs == set()


def is_workspaces(key: AttemptKey) -> bool:
    return key.gang.startswith("ws-")
