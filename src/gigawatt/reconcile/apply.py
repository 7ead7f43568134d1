"""Inputs, one at a time: commands from callers, observations from outside, and timers that are due."""

from collections.abc import Iterable
from itertools import groupby

from gigawatt.model.accounts import OfAccounts
from gigawatt.model.action import ReleaseAttempt, StopAttempt
from gigawatt.model.change import Entity
from gigawatt.model.command import (
    AddArtifact,
    AddVolumeVersion,
    CancelArray,
    CancelJob,
    Command,
    CreateKey,
    CreateProject,
    CreateVolume,
    DeleteVolume,
    EnsureEnvironment,
    NoteAccess,
    OfWorkspace,
    PutEndpoint,
    RegisterModel,
    RemoveArtifact,
    RemoveEnvironment,
    RemoveJob,
    RetryArray,
    RetryJob,
    RevokeKey,
    SetAlias,
    SetCard,
    SetEntitlement,
    SetRetention,
    SetVolumeQuota,
    StopEndpoint,
    SubmitArray,
    SubmitJob,
)
from gigawatt.model.decision import Decision
from gigawatt.model.endpoint import Replica
from gigawatt.model.environment import Environment
from gigawatt.model.job import Job
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import (
    AttemptGone,
    Audited,
    BudgetsSeen,
    CheckpointSaved,
    CheckpointsFound,
    CheckpointsRemoved,
    DataCached,
    DeadlineUnlikely,
    DemandSeen,
    EnvironmentBuilt,
    EnvironmentDeleted,
    EnvironmentFailed,
    EnvironmentStage,
    HomeRemoved,
    LaunchAccepted,
    LaunchFailed,
    LaunchPreparing,
    LimitsSeen,
    ModelStored,
    NodeChecked,
    NodeLost,
    NodeSeen,
    Observation,
    RankExited,
    RankProgress,
    RankStarted,
    ReplicaReadiness,
    ResumeChosen,
    RetentionNoted,
    StacksSeen,
    TaskRecalled,
    WorkspaceTouched,
)
from gigawatt.model.rollout import SteerRollout
from gigawatt.model.tenant import ApiKey
from gigawatt.model.upkeep import ChangeNode, RunChecks
from gigawatt.model.workspace import Workspace
from gigawatt.reconcile import (
    accesses,
    accounts,
    arrays,
    attempts,
    caps,
    checkpoints,
    closures,
    drains,
    endpoints,
    entitlements,
    environments,
    growth,
    hangs,
    jobs,
    models,
    nodes,
    orders,
    plans,
    projects,
    removals,
    reservations,
    schedules,
    spending,
    volumes,
    workspace_use,
    workspaces,
)
from gigawatt.reconcile import replicas as replica_lives
from gigawatt.reconcile.attempts import Owner
from gigawatt.reconcile.turn import Turn

OfAttempt = (
    LaunchPreparing
    | LaunchAccepted
    | LaunchFailed
    | RankStarted
    | RankExited
    | RankProgress
    | CheckpointSaved
    | ResumeChosen
    | ReplicaReadiness
    | StacksSeen
    | AttemptGone
)


def command(turn: Turn, asked: Command) -> Entity:  # noqa: C901, PLR0911, PLR0912 - one flat table
    """Do what a caller asked; the changed or made object. Raises RefusalError, having changed nothing."""
    if isinstance(asked, OfWorkspace):
        return workspaces.command(turn, asked)
    if isinstance(asked, OfAccounts | CreateKey):
        return accounts.command(turn, asked)
    match asked:
        case SubmitJob():
            return jobs.submit(turn, asked)
        case CancelJob():
            return jobs.cancel(turn, asked)
        case RetryJob():
            return jobs.retry(turn, asked)
        case SubmitArray():
            return arrays.submit(turn, asked)
        case CancelArray():
            return arrays.cancel(turn, asked)
        case RetryArray():
            return arrays.retry(turn, asked)
        case EnsureEnvironment():
            projects.check_project(turn, asked.environment.tenant, asked.environment.project)
            return environments.ensure(turn, asked.environment)
        case RemoveEnvironment():
            return environments.remove(turn, asked)
        case AddArtifact():
            return models.add_artifact(turn, asked)
        case RegisterModel():
            return models.register(turn, asked)
        case SetAlias():
            return models.set_alias(turn, asked)
        case SetCard():
            return models.set_card(turn, asked)
        case CreateVolume() | AddVolumeVersion() | SetVolumeQuota() | DeleteVolume():
            return volumes.command(turn, asked)
        case PutEndpoint() | StopEndpoint() | SteerRollout():
            return endpoints.command(turn, asked)
        case ChangeNode() | RunChecks():
            return closures.command(turn, asked)
        case NoteAccess():
            return accesses.note(turn, asked)
        case CreateProject() | SetEntitlement():
            return entitlements.command(turn, asked)
        case SetRetention() | RemoveJob() | RemoveArtifact():
            return removals.command(turn, asked)
        case RevokeKey():
            return _key_revoked(turn, asked)
        case _:
            return orders.order(turn, asked)


def observations(turn: Turn, seen: Iterable[Observation]) -> None:
    """Take in what was seen, in order. What ranks of one attempt did together is taken together."""
    for (kind, key), together in groupby(seen, key=_of_ranks):
        found = attempts.find(turn, key) if key is not None else None
        if found is None:
            for each in together:
                observation(turn, each)
        elif kind is RankStarted:
            attempts.ranks_started(
                turn, *found, [each for each in together if isinstance(each, RankStarted)]
            )
        else:
            attempts.ranks_exited(
                turn, *found, [each for each in together if isinstance(each, RankExited)]
            )


def observation(turn: Turn, seen: Observation) -> None:  # noqa: C901, PLR0912 - one flat table
    """Take in what was seen. Seen again, it changes nothing."""
    match seen:
        case NodeSeen():
            closures.seen(turn, seen)
        case NodeLost():
            nodes.lost(turn, seen)
        case NodeChecked():
            nodes.checked(turn, seen)
        case DataCached():
            nodes.cached(turn, seen)
        case EnvironmentStage():
            environments.stage(turn, seen)
        case EnvironmentBuilt():
            _environment_changed(turn, environments.built(turn, seen))
        case EnvironmentFailed():
            _environment_changed(turn, environments.failed(turn, seen))
        case EnvironmentDeleted():
            environments.deleted(turn, seen)
        case CheckpointsFound():
            checkpoints.found(turn, seen)
        case CheckpointsRemoved():
            checkpoints.removed(turn, seen)
        case ModelStored() | DeadlineUnlikely():
            jobs.seen(turn, seen)
        case RetentionNoted() | BudgetsSeen() | LimitsSeen() | Audited():
            _noted(turn, seen)
        case TaskRecalled():
            arrays.recalled(turn, seen)
        case DemandSeen():
            endpoint = turn.world.endpoints.get(seen.endpoint)
            if endpoint is not None:
                endpoints.scale(turn, replica_lives.demand(turn, endpoint, seen))
        case WorkspaceTouched():
            workspace = turn.world.workspaces.get(seen.workspace)
            if workspace is not None:
                workspace_use.touched(turn, workspace)
        case HomeRemoved():
            workspaces.home_removed(turn, seen)
        case _:
            _of_attempt(turn, seen)


def due(turn: Turn, subject: str) -> None:
    """A timer has run out; what it was for may be over already."""
    world = turn.world
    if subject.startswith(reservations.SUBJECT):
        reservations.due(turn, subject.removeprefix(reservations.SUBJECT))
    elif subject.startswith(spending.SUBJECT):
        spending.due(turn, subject.removeprefix(spending.SUBJECT))
    elif job := world.jobs.get(subject):
        jobs.due(turn, job)
    elif replica := world.replicas.get(subject):
        replica_lives.due(turn, replica)
    elif endpoint := world.endpoints.get(subject):
        endpoints.due(turn, endpoint)
    elif schedule := world.schedules.get(subject):
        schedules.due(turn, schedule)
    elif workspace := world.workspaces.get(subject):
        workspaces.due(turn, workspace)
    elif node := world.nodes.get(subject):
        nodes.due(turn, node)


def decision(turn: Turn, decided: Decision) -> None:
    """Start what the scheduler placed, and carry out its plans."""
    for lapsed in decided.lapses:
        plans.lapse(turn, lapsed)
    for start in decided.starts:
        owner = attempts.owner_of(turn, start.gang)
        assert owner is not None, f"{start.gang} was placed and is not there"
        attempts.start(turn, owner, start)
    for plan in decided.plans:
        plans.carry_out(turn, plan)
    if decided.growth is not None:
        growth.carry_out(turn, decided.growth)


def _key_revoked(turn: Turn, asked: RevokeKey) -> ApiKey:
    key = projects.revoke_key(turn, asked)
    schedules.key_revoked(turn, key.id)
    return key


def _of_ranks(seen: Observation) -> tuple[type[Observation] | None, AttemptKey | None]:
    """What observations are taken together by: what ranks did, and of which attempt."""
    return (type(seen), seen.key) if isinstance(seen, RankStarted | RankExited) else (None, None)


def _noted(turn: Turn, seen: RetentionNoted | BudgetsSeen | LimitsSeen | Audited) -> None:
    """What works beside the loop has seen."""
    if isinstance(seen, RetentionNoted):
        removals.noted(turn, seen)
    elif isinstance(seen, Audited):
        turn.audits.extend(seen.notes)
    elif isinstance(seen, LimitsSeen):
        caps.seen(turn, seen)
    else:
        spending.seen(turn, seen)


def _of_attempt(turn: Turn, seen: OfAttempt) -> None:  # noqa: C901, PLR0912 - one flat table
    found = attempts.find(turn, seen.key)
    if found is None:
        _disown(turn, seen)
        return
    owner, attempt = found
    match seen:
        case LaunchPreparing():
            attempts.preparing(turn, owner, attempt, seen)
        case LaunchAccepted():
            attempts.accepted(turn, owner, attempt, seen)
        case RankStarted():
            attempts.ranks_started(turn, owner, attempt, (seen,))
        case RankExited():
            attempts.ranks_exited(turn, owner, attempt, (seen,))
        case LaunchFailed():
            _ended(turn, attempts.launch_failed(turn, owner, attempt, seen))
        case AttemptGone():
            _ended(turn, attempts.finish(turn, owner, attempt))
        case ReplicaReadiness():
            if isinstance(owner, Replica):
                replica_lives.readiness(turn, owner, attempt, seen)
                endpoints.scale(turn, turn.world.endpoints[owner.endpoint])
            elif isinstance(owner, Workspace):
                workspaces.readiness(turn, owner, attempt, seen)
        case RankProgress():
            if isinstance(owner, Job):
                hangs.progressed(turn, owner, attempt, seen)
                jobs.progressed(turn, owner, attempt, seen)
            elif isinstance(owner, Workspace):
                workspace_use.measured(turn, owner, attempt, seen)
        case CheckpointSaved():
            if isinstance(owner, Job):
                saved = hangs.timed(turn, owner, attempt, seen.checkpoint)
                checkpoints.reported(turn, owner, attempt, saved)
                drains.saved(turn, owner.id)
        case StacksSeen():
            if isinstance(owner, Job):
                hangs.stacks_seen(turn, owner, attempt, seen)
        case ResumeChosen():
            if isinstance(owner, Job):
                checkpoints.chosen(turn, owner, attempt, seen)


def _ended(turn: Turn, owner: Owner) -> None:
    attempt = owner.attempt
    assert attempt is not None
    if isinstance(owner, Job):
        jobs.attempt_ended(turn, owner, attempt)
    elif isinstance(owner, Workspace):
        workspaces.attempt_ended(turn, owner, attempt)
    else:
        replica_lives.attempt_ended(turn, owner, attempt)
        endpoints.scale(turn, turn.world.endpoints[owner.endpoint])


def _disown(turn: Turn, seen: OfAttempt) -> None:
    """Something of an attempt that is not on record as live: stop what runs, forget what has ended."""
    if isinstance(seen, RankStarted | LaunchAccepted):
        turn.act(StopAttempt(key=seen.key, grace_s=0))
    elif isinstance(seen, AttemptGone | LaunchFailed):
        turn.act(ReleaseAttempt(key=seen.key))


def _environment_changed(turn: Turn, environment: Environment | None) -> None:
    if environment is not None:
        jobs.environment_changed(turn, environment)
        endpoints.environment_changed(turn, environment)
        workspaces.environment_changed(turn, environment)
