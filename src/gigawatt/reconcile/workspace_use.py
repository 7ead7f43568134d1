"""Whether a workspace is in use, by what was measured; what its time counts as; and when it is to be suspended."""

from dataclasses import dataclass

from gigawatt.model.attempt import Attempt, AttemptPhase
from gigawatt.model.ledger import TimeClass
from gigawatt.model.observation import RankProgress
from gigawatt.model.values import replace
from gigawatt.model.workspace import Use, Workspace, WorkspacePhase
from gigawatt.reconcile import uses
from gigawatt.reconcile.turn import Turn

BUSY_MILLI_CPU = 100  # of all its processes: JupyterLab with nobody at it takes 10 to 30
BUSY_GPU_PERCENT = 1
ACTIVE_FOR_MS = 60_000  # after it was last in use, its time still counts as used
SAVED_EVERY_MS = 60_000  # what was measured is live in memory; this much may be lost in a crash
WARNED_BEFORE_MS = 600_000  # the end of a lease; a tenth of a short one


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """When a running workspace is suspended unless something happens, and why."""

    at_ms: int
    why: str


def measured(turn: Turn, workspace: Workspace, attempt: Attempt, seen: RankProgress) -> None:
    """What the desk beside its program measured, every few seconds."""
    figures = dict(seen.progress.metrics)
    use = Use(
        at_ms=turn.now_ms,
        milli_cpu=int(figures.get("desk_milli_cpu", 0)),
        gpu_percent=int(figures.get("desk_gpu_percent", 0)),
        busy=int(figures.get("desk_busy", 0)),
        connections=int(figures.get("desk_connections", 0)),
    )
    told = "desk_milli_cpu" not in figures  # a report of the person's own program
    active = (
        told
        or use.milli_cpu >= BUSY_MILLI_CPU
        or use.gpu_percent >= BUSY_GPU_PERCENT
        or use.busy > 0
        or figures.get("desk_moved", 0) > 0
    )
    after = workspace if told else replace(workspace, use=use)
    _noted(turn, after, attempt, active=active)


def touched(turn: Turn, workspace: Workspace) -> None:
    """A person is at it."""
    if workspace.attempt is not None:
        _noted(turn, workspace, workspace.attempt, active=True)


def begin(turn: Turn, workspace: Workspace, attempt: Attempt) -> None:
    """It is ready: its time counts, and what is to end it is looked at in time."""
    uses.reclass(turn, workspace, attempt, TimeClass.USEFUL)
    look_again(turn, workspace)


def end_of(workspace: Workspace) -> End:
    """What comes first: the end of its lease, or of its patience with nobody using it."""
    idle_ms = workspace.active_ms + workspace.spec.idle_s * 1000
    if 0 < workspace.lease_end_ms <= idle_ms:
        return End(at_ms=workspace.lease_end_ms, why="its lease ended")
    return End(at_ms=idle_ms, why=f"it was not used for {_span(workspace.spec.idle_s)}")


def warn_ms(workspace: Workspace) -> int:
    """When the end of its lease is told; 0 where it is told already, or has none."""
    if not workspace.lease_end_ms or workspace.warned:
        return 0
    span_ms = workspace.spec.lease_s * 1000
    return workspace.lease_end_ms - min(WARNED_BEFORE_MS, span_ms // 10)


def look_again(turn: Turn, workspace: Workspace) -> None:
    """Set the timer for whatever is next."""
    turn.due(end_of(workspace).at_ms, workspace.id)
    warning_ms = warn_ms(workspace)
    if warning_ms:
        turn.due(warning_ms, workspace.id)


def _span(seconds: int) -> str:
    """As people say it."""
    for unit, size in (("h", 3_600), ("min", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _noted(turn: Turn, workspace: Workspace, attempt: Attempt, *, active: bool) -> None:
    """Live figures, saved now and then; the ledger is told when use begins and ends."""
    if workspace.phase is not WorkspacePhase.RUNNING or attempt.phase is not AttemptPhase.RUNNING:
        turn.touch(workspace)
        return
    if active:
        workspace = replace(workspace, active_ms=turn.now_ms)
    in_use = turn.now_ms - workspace.active_ms < ACTIVE_FOR_MS
    wanted = TimeClass.USEFUL if in_use else TimeClass.WORKSPACE_IDLE
    if uses.time_class_of(turn, workspace, attempt) in _SWITCHED - {wanted}:
        uses.reclass(turn, workspace, attempt, wanted)
    saved_ms = turn.world.saved_ms.get(workspace.id, 0)
    if active and turn.now_ms - saved_ms >= SAVED_EVERY_MS:
        turn.world.saved_ms[workspace.id] = turn.now_ms
        turn.put(workspace)
    else:
        turn.touch(workspace)


_SWITCHED = frozenset({TimeClass.USEFUL, TimeClass.WORKSPACE_IDLE})
