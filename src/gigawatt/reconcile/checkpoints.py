"""A job's checkpoints: on record as they are reported, looked at again before a launch names one, let go by policy.

The ledger follows them. A checkpoint confirms the work before it, and its record says how much. When a launch finds
it broken and has to go back to an older one, exactly that much moves from `useful` to `redone`, by appended entries.
A checkpoint found broken while its work is still alive, in a running attempt or in a newer checkpoint, moves nothing.
"""

from collections.abc import Iterable, Mapping
from operator import attrgetter

from gigawatt.ledger.account import moved
from gigawatt.model.action import RemoveCheckpoints
from gigawatt.model.attempt import Attempt, Evidence
from gigawatt.model.checkpoint import (
    CHECKPOINTS_MAX,
    Candidate,
    Checkpoint,
    CheckpointState,
    Finding,
    Kept,
)
from gigawatt.model.job import Job, JobSpec
from gigawatt.model.ledger import TimeClass
from gigawatt.model.observation import CheckpointsFound, CheckpointsRemoved, ResumeChosen
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.values import replace
from gigawatt.reconcile import uses
from gigawatt.reconcile.retention import (
    added,
    age,
    by_step,
    newest_valid,
    to_remove,
    without,
    without_oldest,
)
from gigawatt.reconcile.turn import Site, Turn

PATH = attrgetter("path")


def checkpoint_dir(job: Job, site: Site, *, of: str = "") -> str:
    """Where a job's checkpoints are, from attempt to attempt; `of` is another job of its project."""
    return f"{site.work_dir}/{job.tenant}/{job.project}/{of or job.id}/checkpoints"


def candidates(job: Job, site: Site) -> tuple[Candidate, ...]:
    """What its next attempt may resume from, best first: its own, newest first, then the one it started from."""
    own = [each for each in job.history if each.state is not CheckpointState.REMOVING]
    found = [
        Candidate(checkpoint=_plain(each), within=checkpoint_dir(job, site)) for each in own[::-1]
    ]
    origin = job.spec.origin
    if origin is not None:
        within = checkpoint_dir(job, site, of=origin.job)
        found.append(Candidate(checkpoint=origin.checkpoint, within=within))
    return tuple(found)


def reported(turn: Turn, job: Job, attempt: Attempt, checkpoint: Checkpoint) -> None:
    """A rank has a checkpoint: the work up to it is kept, but not what was done since, if it is told late.

    Told again, it changes nothing.
    """
    if _is_known(job, checkpoint):
        return
    kept_ms = uses.provisional_ms(turn, job, attempt, to_ms=checkpoint.at_ms)
    record = replace(
        checkpoint,
        attempt=attempt.n,
        metrics=checkpoint.metrics or _last_metrics(job),
        kept=(Kept(attempt=attempt.n, ms=kept_ms),) if kept_ms else (),
    )
    after = turn.put(_with(job, _recorded(job.history, record)))
    uses.confirm(turn, after, attempt, to_ms=checkpoint.at_ms)
    turn.emit("job.checkpoint", after, f"step {record.step}")
    prune(turn, after)


def found(turn: Turn, seen: CheckpointsFound) -> None:
    """Checkpoints were looked at again. Nothing moves in the ledger: their work may be alive elsewhere."""
    job = turn.world.jobs.get(seen.job)
    if job is not None:
        _take(turn, job, seen.findings)


def chosen(turn: Turn, job: Job, attempt: Attempt, seen: ResumeChosen) -> None:
    """What an attempt resumes from is known: work that only broken checkpoints held is to be done again."""
    job = _take(turn, job, seen.findings)
    facts = tuple(
        Evidence(at_ms=seen.at_ms, what="checkpoint_invalid", detail=_said(job, finding))
        for finding in seen.findings
        if finding.fault
    )
    known = {fact.detail for fact in attempt.evidence}
    after = replace(
        attempt,
        resumed_from=_named(job, seen.path),
        evidence=(*attempt.evidence, *(fact for fact in facts if fact.detail not in known)),
    )
    _redo(turn, job.with_attempt(after), seen.path)


def removed(turn: Turn, seen: CheckpointsRemoved) -> None:
    """Files are gone: so are their records. What could not be deleted stays, and says why."""
    job = turn.world.jobs.get(seen.job)
    if job is None:
        return
    faults = {finding.path: finding.fault for finding in seen.findings if finding.fault}
    gone = frozenset(finding.path for finding in seen.findings if not finding.fault)
    asked = frozenset(each.path for each in job.history if each.state is CheckpointState.REMOVING)
    if not asked & (gone | set(faults)):
        return
    steps = ", ".join(str(each.step) for each in job.history if each.path in gone & asked)
    left = tuple(_stays(each, faults) for each in without(job.history, gone & asked))
    after = turn.put(_with(job, left))
    if steps:
        turn.emit("job.checkpoints_removed", after, f"step {steps}")
    for path in sorted(asked & set(faults)):
        turn.emit("job.checkpoint_stays", after, f"{path}: {faults[path]}")


def prune(turn: Turn, job: Job) -> None:
    """Have deleted what its policy lets go of; asked for again until it is told."""
    gone = to_remove(job.history, job.spec.checkpoints, pinned=_pinned(turn, job))
    within = checkpoint_dir(job, turn.site)
    paths = tuple(dict.fromkeys(each.path for each in gone))
    if not paths:
        return
    going = tuple(
        replace(each, state=CheckpointState.REMOVING) if each.path in paths else each
        for each in job.history
    )
    turn.put(_with(job, going))
    turn.act(RemoveCheckpoints(job=job.id, within=within, paths=paths))


def check_origin(turn: Turn, spec: JobSpec) -> None:
    """Refuse to start from a checkpoint that has gone since it was looked up. An ended job's stay."""
    origin = spec.origin
    source = turn.world.jobs.get(origin.job) if origin else None
    if origin is None or source is None:
        return
    held = [each for each in source.history if each.path == origin.checkpoint.path]
    if not held or held[0].state is not CheckpointState.VALID:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"the checkpoint of step {origin.checkpoint.step} of job {origin.job} has gone",
            field="from",
            hint=f"gw checkpoints list {origin.job} shows those there are",
        )


def _is_known(job: Job, checkpoint: Checkpoint) -> bool:
    """Whether it was told before: an earlier report than the newest of its rank, or that one itself."""
    for each in reversed(job.history):  # which is in the order of the reports
        if each.at_ms < checkpoint.at_ms:
            return False
        if each.rank == checkpoint.rank and (
            each.at_ms > checkpoint.at_ms or each.path == checkpoint.path
        ):
            return True
    return False


def _recorded(history: tuple[Checkpoint, ...], record: Checkpoint) -> tuple[Checkpoint, ...]:
    """With one more. Written over another, it takes its place; over the limit, the oldest leaves the record."""
    others = history
    if record.path in map(PATH, history):
        others = tuple([each for each in history if each.path != record.path])
        for each in history:
            if each.path == record.path:
                record = replace(record, kept=added(each.kept, record.kept))
    after = (*others, record)
    if others and age(record) < age(others[-1]):
        after = tuple(sorted(after, key=age))
    extra = len(after) - CHECKPOINTS_MAX
    return without_oldest(after, extra) if extra > 0 else after


def _with(job: Job, checkpoints: tuple[Checkpoint, ...]) -> Job:
    return replace(job, checkpoint=newest_valid(checkpoints), checkpoints=checkpoints)


def _take(turn: Turn, job: Job, findings: tuple[Finding, ...]) -> Job:
    """The job with what was found on record."""
    by_path = {finding.path: finding for finding in findings}
    after = tuple(_judged(each, by_path.get(each.path)) for each in job.history)
    if after == job.history:
        return job
    changed = turn.put(_with(job, after))
    for before, each in zip(job.history, after, strict=True):
        if each.why and each.why != before.why:
            detail = f"step {each.step} at {each.path} is not valid: {each.why}"
            turn.emit("job.checkpoint_invalid", changed, detail)
    return changed


def _judged(checkpoint: Checkpoint, finding: Finding | None) -> Checkpoint:
    if finding is None or checkpoint.state is CheckpointState.REMOVING:
        return checkpoint
    state = CheckpointState.INVALID if finding.fault else CheckpointState.VALID
    digest = checkpoint.digest or finding.digest
    return replace(checkpoint, state=state, why=finding.fault, digest=digest)


def _redo(turn: Turn, job: Job, path: str) -> None:
    """Move the work of every own step newer than the one with `path` out of `useful`."""
    saved = by_step(job.history)
    since = [at for at, one in enumerate(saved) if any(part.path == path for part in one.parts)]
    newer = [part for one in saved[max(since, default=-1) + 1 :] for part in one.parts]
    lost: tuple[Kept, ...] = ()
    for each in newer:
        lost = added(lost, each.kept)
    for each in lost:
        _move(turn, job, job.attempts[each.attempt - 1], each.ms)
    after = tuple(replace(each, kept=()) if each in newer else each for each in job.history)
    changed = _with(job, after) if lost else job
    if changed != turn.world.jobs.get(job.id):
        turn.put(changed)


def _move(turn: Turn, job: Job, attempt: Attempt, ms: int) -> None:
    for node in attempt.nodes:
        account = turn.world.accounts.get(node)
        if account is not None:
            use = uses.use_of(job, attempt, account)
            turn.entries.extend(
                moved(account, use, ms * use.units, into=TimeClass.REDONE, now_ms=turn.now_ms)
            )


def _pinned(turn: Turn, job: Job) -> frozenset[str]:
    """Paths that something still needs: the live attempt, and jobs that have not ended and start from here."""
    attempt = job.attempt
    resumed = attempt.resumed_from if attempt and attempt.live else None
    paths = {resumed.path} if resumed else set[str]()
    if job.spec.checkpoints is not None:
        paths |= {
            other.spec.origin.checkpoint.path
            for other in turn.world.jobs.values()
            if other.spec.origin is not None and other.spec.origin.job == job.id
        }
    return frozenset(paths)


def _named(job: Job, path: str) -> Checkpoint | None:
    origin = (job.spec.origin.checkpoint,) if job.spec.origin else ()
    return next((each for each in (*job.history, *origin) if path and each.path == path), None)


def _said(job: Job, finding: Finding) -> str:
    record = _named(job, finding.path)
    which = f"the checkpoint of step {record.step}" if record else "a checkpoint"
    return f"{which} at {finding.path} was passed over: {finding.fault}"


def _stays(checkpoint: Checkpoint, faults: Mapping[str, str]) -> Checkpoint:
    if checkpoint.state is not CheckpointState.REMOVING or checkpoint.path not in faults:
        return checkpoint
    return replace(checkpoint, state=CheckpointState.VALID, why_stays=faults[checkpoint.path])


def _last_metrics(job: Job) -> tuple[tuple[str, float], ...]:
    """What was last reported, where the checkpoint itself says nothing: the policy's metric alone."""
    best = job.spec.checkpoints.keep_best if job.spec.checkpoints else None
    if best is None or job.progress is None:
        return ()
    said: Iterable[tuple[str, float | None]] = (
        *job.progress.metrics,
        ("loss", job.progress.loss),
    )
    return tuple((name, value) for name, value in said if name == best.metric and value is not None)


def _plain(checkpoint: Checkpoint) -> Checkpoint:
    """What an engine needs of it: the ledger's part is not its business."""
    return replace(checkpoint, kept=(), metrics=())
