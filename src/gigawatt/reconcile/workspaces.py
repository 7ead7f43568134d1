"""Workspaces: made, started, suspended for want of use or at the end of a lease, started again, deleted."""

from gigawatt.model.action import RemoveHome
from gigawatt.model.attempt import Attempt, AttemptPhase, Evidence, Verdict
from gigawatt.model.command import (
    DeleteWorkspace,
    ExtendWorkspace,
    MakeWorkspace,
    OfWorkspace,
    StartWorkspace,
    SuspendWorkspace,
)
from gigawatt.model.environment import HOST, Environment, EnvironmentPhase
from gigawatt.model.observation import HomeRemoved, ReplicaReadiness
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.values import replace
from gigawatt.model.workspace import GOING, RESTING, Workspace, WorkspacePhase
from gigawatt.reconcile import attempts, budgets, environments, models, volumes
from gigawatt.reconcile import workspace_use as in_use
from gigawatt.reconcile.projects import check_project
from gigawatt.reconcile.turn import Turn

Asked = StartWorkspace | SuspendWorkspace | ExtendWorkspace | DeleteWorkspace

FAILURES_MAX = 3  # of the infrastructure in a row, before it has failed


def command(turn: Turn, asked: OfWorkspace) -> Workspace:
    """Do what a caller asked. Raises RefusalError, having changed nothing."""
    match asked:
        case MakeWorkspace():
            return _make(turn, asked)
        case StartWorkspace():
            return _start(turn, _found(turn, asked), f"by {asked.by}")
        case SuspendWorkspace():
            return _suspend(turn, _found(turn, asked), f"suspended by {asked.by}")
        case ExtendWorkspace():
            return _extend(turn, _found(turn, asked), asked)
        case DeleteWorkspace():
            return _delete(turn, _found(turn, asked), asked)


def environment_changed(turn: Turn, environment: Environment) -> None:
    """An environment that it may have waited for is ready, or cannot be built."""
    for workspace in tuple(turn.world.workspaces.values()):
        waits = workspace.phase is WorkspacePhase.PREPARING
        if waits and environment.id in workspace.environments:
            _settle(turn, workspace)


def readiness(turn: Turn, workspace: Workspace, attempt: Attempt, seen: ReplicaReadiness) -> None:
    """Its program answers, or has stopped answering."""
    if attempt.ready == seen.ready or attempt.phase is not AttemptPhase.RUNNING:
        return
    after = workspace.with_attempt(replace(attempt, ready=seen.ready))
    if not seen.ready or workspace.phase is not WorkspacePhase.STARTING:
        turn.put(after)
        return
    running = turn.put(
        replace(after.moved(WorkspacePhase.RUNNING), failures=0, active_ms=turn.now_ms, message="")
    )
    turn.emit("workspace.ready", running, f"on {attempt.nodes[0]}")
    in_use.begin(turn, running, attempt)


def attempt_ended(turn: Turn, workspace: Workspace, attempt: Attempt) -> None:
    """Where it goes from here follows from what it was asked, and from who ended it."""
    if workspace.phase is WorkspacePhase.DELETING:
        _gone(turn, workspace)
    elif workspace.phase is WorkspacePhase.SUSPENDING:
        _rest(turn, workspace, WorkspacePhase.SUSPENDED, workspace.message)
    elif attempt.verdict is Verdict.PREEMPTION:
        _again(turn, workspace)
    elif attempt.verdict is Verdict.INFRASTRUCTURE and workspace.failures + 1 < FAILURES_MAX:
        _again(turn, replace(workspace, failures=workspace.failures + 1))
    elif attempt.verdict is Verdict.SUCCESS:
        _rest(turn, workspace, WorkspacePhase.SUSPENDED, "its program ended")
    else:
        why = attempt.evidence[0].detail if attempt.evidence else "it ended"
        _rest(turn, workspace, WorkspacePhase.FAILED, why)


def due(turn: Turn, workspace: Workspace) -> None:
    """A timer of it has run out."""
    attempt = workspace.attempt
    if attempt is None or not attempt.live:
        return
    attempts.overdue(turn, workspace, attempt)
    if workspace.phase is WorkspacePhase.STARTING:
        _check_ready(turn, workspace, attempt)
    elif workspace.phase is WorkspacePhase.RUNNING and attempt.phase is AttemptPhase.RUNNING:
        _check_use(turn, workspace)


def home_removed(turn: Turn, seen: HomeRemoved) -> None:
    """Nothing of its home is left, or it cannot be removed; either way it is gone."""
    workspace = turn.world.workspaces.get(seen.workspace)
    if workspace is not None and workspace.phase is WorkspacePhase.DELETING:
        _deleted(turn, workspace, f"its home stays: {seen.error}" if seen.error else "")


def resume(turn: Turn) -> None:
    """After a restart: ask again for what was under way, and begin patience anew, for nobody was measured."""
    for workspace in tuple(turn.world.workspaces.values()):
        attempt = workspace.attempt
        if workspace.phase is WorkspacePhase.DELETING and not (attempt and attempt.live):
            _gone(turn, workspace)
        elif workspace.phase is WorkspacePhase.RUNNING:
            in_use.look_again(turn, turn.touch(replace(workspace, active_ms=turn.now_ms)))
        elif workspace.phase is WorkspacePhase.PREPARING:
            _settle(turn, workspace)
        turn.due(turn.now_ms + attempts.STOP_OVERDUE_MS, workspace.id)


def _make(turn: Turn, asked: MakeWorkspace) -> Workspace:
    check_project(turn, asked.tenant, asked.project)
    budgets.check(turn, asked.tenant, asked.project)
    for other in turn.world.workspaces.values():
        here = (other.tenant, other.project) == (asked.tenant, asked.project)
        if here and other.spec.name == asked.spec.name:
            raise RefusalError(
                RefusalCode.CONFLICT,
                f"workspace {other.spec.name} is already there, and is {other.phase.value}",
                field="name",
                hint=f"gw dev start {other.spec.name}, or choose another name",
            )
    models.use_artifact(turn, asked.tenant, asked.spec.bundle)
    volumes.check_mounts(turn, asked.tenant, asked.project, asked.spec.volumes)
    for each in asked.environments:
        environments.ensure(turn, each)
    workspace = turn.put(
        Workspace(
            id=asked.id,
            tenant=asked.tenant,
            project=asked.project,
            spec=asked.spec,
            phase=WorkspacePhase.PREPARING,
            created_ms=turn.now_ms,
            queued_ms=turn.now_ms,
            created_by=asked.by,
            lease_end_ms=_lease_end_ms(turn, asked.spec.lease_s),
        )
    )
    turn.emit("workspace.created", workspace, f"by {asked.by}")
    return _settle(turn, workspace)


def _found(turn: Turn, asked: Asked) -> Workspace:
    """Raises RefusalError (not-found, conflict, stale-version)."""
    workspace = turn.world.workspaces.get(asked.id)
    if workspace is None:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no workspace {asked.id}")
    if asked.if_version not in {0, workspace.version}:
        detail = f"workspace {workspace.spec.name} has changed since it was read"
        raise RefusalError(RefusalCode.STALE_VERSION, detail, hint="read it again")
    if workspace.phase is WorkspacePhase.DELETING and not isinstance(asked, DeleteWorkspace):
        detail = f"workspace {workspace.spec.name} is being deleted"
        raise RefusalError(RefusalCode.CONFLICT, detail, hint="make another")
    return workspace


def _start(turn: Turn, workspace: Workspace, why: str) -> Workspace:
    """Into the line again; the lease begins anew. One that goes already goes on."""
    if workspace.phase in GOING:
        return workspace
    budgets.check(turn, workspace.tenant, workspace.project)
    attempt = workspace.attempt
    if attempt is not None and attempt.live:
        detail = f"workspace {workspace.spec.name} is still being suspended"
        raise RefusalError(RefusalCode.CONFLICT, detail, hint="try again in a moment")
    for each in workspace.environments:
        known = turn.world.environments.get(each)
        if known is not None:
            environments.ensure(turn, known)
    going = replace(
        workspace.moved(WorkspacePhase.PREPARING),
        queued_ms=turn.now_ms,
        ended_ms=None,
        failures=0,
        warned=False,
        message="",
        lease_end_ms=_lease_end_ms(turn, workspace.spec.lease_s),
    )
    turn.emit("workspace.started", going, why)
    return _settle(turn, turn.put(going))


def _suspend(turn: Turn, workspace: Workspace, why: str) -> Workspace:
    """Stop its program and give back its resources. Asking again is no error."""
    if workspace.phase not in GOING:
        return workspace
    attempt = workspace.attempt
    if attempt is None or not attempt.live:
        return _rest(turn, workspace, WorkspacePhase.SUSPENDED, why)
    suspending = turn.put(replace(workspace.moved(WorkspacePhase.SUSPENDING), message=why))
    turn.emit("workspace.suspending", suspending, why)
    return _stopped(turn, suspending, attempt)


def _extend(turn: Turn, workspace: Workspace, asked: ExtendWorkspace) -> Workspace:
    if workspace.phase not in GOING:
        detail = f"workspace {workspace.spec.name} is {workspace.phase.value}, and holds nothing"
        hint = f"gw dev start {workspace.spec.name} begins a new lease"
        raise RefusalError(RefusalCode.CONFLICT, detail, hint=hint)
    after = turn.put(replace(workspace, lease_end_ms=asked.lease_end_ms, warned=False))
    turn.emit("workspace.extended", after, f"by {asked.by}")
    in_use.look_again(turn, after)
    return after


def _delete(turn: Turn, workspace: Workspace, asked: DeleteWorkspace) -> Workspace:
    """Stop it, remove its home if that is asked, and forget it. Asking again can add the home."""
    if workspace.phase is WorkspacePhase.DELETING:
        return turn.put(replace(workspace, purge=True)) if asked.purge else workspace
    leaving = turn.put(replace(workspace.moved(WorkspacePhase.DELETING), purge=asked.purge))
    home = "with its home" if asked.purge else "its home stays"
    turn.emit("workspace.deleting", leaving, f"by {asked.by}, {home}")
    attempt = leaving.attempt
    if attempt is None or not attempt.live:
        return _gone(turn, leaving)
    return _stopped(turn, leaving, attempt)


def _stopped(turn: Turn, workspace: Workspace, attempt: Attempt) -> Workspace:
    if attempt.phase not in attempts.STOPPABLE:
        return workspace
    after = attempts.stop(turn, workspace, attempt, cause=Verdict.CANCELLED)
    assert isinstance(after, Workspace)
    return after


def _settle(turn: Turn, workspace: Workspace) -> Workspace:
    """Of one that is being prepared: into the line once its environments are there."""
    for each in workspace.environments:
        if each == HOST:
            continue
        environment = turn.world.environments.get(each)
        if environment is None or environment.phase is EnvironmentPhase.BUILDING:
            return workspace
        if environment.phase is not EnvironmentPhase.READY:
            what = "its tools" if each == workspace.spec.tools else "its environment"
            why = f"{what} cannot be built: {environment.failure or environment.phase.value}"
            return _rest(turn, workspace, WorkspacePhase.FAILED, why)
    return turn.put(workspace.moved(WorkspacePhase.QUEUED))


def _again(turn: Turn, workspace: Workspace) -> None:
    """Into the line, because it was no doing of its own."""
    if workspace.phase is not WorkspacePhase.QUEUED:
        turn.put(workspace.moved(WorkspacePhase.QUEUED))


def _rest(turn: Turn, workspace: Workspace, phase: WorkspacePhase, why: str) -> Workspace:
    assert phase in RESTING
    resting = replace(
        workspace.moved(phase), ended_ms=turn.now_ms, lease_end_ms=0, use=None, message=why
    )
    for each in workspace.environments:
        environments.used(turn, each)
    turn.emit(f"workspace.{phase.value}", resting, why)
    return turn.put(resting)


def _gone(turn: Turn, workspace: Workspace) -> Workspace:
    if workspace.purge:
        turn.act(RemoveHome(workspace=workspace.id, path=workspace.spec.home))
        return workspace
    return _deleted(turn, workspace, "")


def _deleted(turn: Turn, workspace: Workspace, message: str) -> Workspace:
    gone = turn.put(
        replace(
            workspace.moved(WorkspacePhase.DELETED),
            ended_ms=turn.now_ms,
            lease_end_ms=0,
            use=None,
            message=message,
        )
    )
    turn.emit("workspace.deleted", gone, message)
    return gone


def _check_ready(turn: Turn, workspace: Workspace, attempt: Attempt) -> None:
    timeout_s = workspace.spec.readiness.timeout_s
    if attempt.phase is not AttemptPhase.RUNNING or attempt.running_ms is None:
        return
    if turn.now_ms - attempt.running_ms >= timeout_s * 1000:
        detail = f"its program did not answer in {timeout_s} s"
        fact = Evidence(at_ms=turn.now_ms, what="not_ready", detail=detail)
        slow = replace(attempt, evidence=(*attempt.evidence, fact))
        attempts.stop(turn, workspace, slow, cause=Verdict.USER)
    else:
        turn.due(attempt.running_ms + timeout_s * 1000, workspace.id)


def _check_use(turn: Turn, workspace: Workspace) -> None:
    """Suspend it, tell of the end of its lease, or look again later."""
    end = in_use.end_of(workspace)
    if turn.now_ms >= end.at_ms:
        _suspend(turn, workspace, end.why)
        return
    warning_ms = in_use.warn_ms(workspace)
    if 0 < warning_ms <= turn.now_ms:
        left_s = (workspace.lease_end_ms - turn.now_ms) // 1000
        workspace = turn.put(replace(workspace, warned=True))
        hint = f"its lease ends in {left_s} s; gw dev extend {workspace.spec.name} --by 2h"
        turn.emit("workspace.lease_ends", workspace, hint)
    in_use.look_again(turn, workspace)


def _lease_end_ms(turn: Turn, lease_s: int) -> int:
    return turn.now_ms + lease_s * 1000 if lease_s else 0
