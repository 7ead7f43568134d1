"""Checkpoints through the production cycle: on record, let go by policy, passed over when they are broken."""

from dataclasses import replace

import pytest

from gigawatt.model.attempt import Verdict
from gigawatt.model.checkpoint import (
    Checkpoint,
    CheckpointState,
    Finding,
    KeepBest,
    KeepPolicy,
    Origin,
)
from gigawatt.model.job import PAUSE_MS, Job, JobPhase, JobSpec
from gigawatt.model.launch import AttemptKey
from gigawatt.model.ledger import TimeClass
from gigawatt.model.observation import (
    CheckpointSaved,
    CheckpointsFound,
    CheckpointsRemoved,
    ResumeChosen,
)
from gigawatt.model.refusal import RefusalCode, RefusalError
from tests.loop import SITE, Loop, a_spec
from tests.machines import a_report

WITHIN = f"{SITE.work_dir}/default/default/job-1/checkpoints"


def first(gang: str = "job-1", attempt: int = 1) -> AttemptKey:
    return AttemptKey(gang=gang, attempt=attempt)


def running(spec: JobSpec | None = None) -> Loop:
    loop = Loop.of(a_report("n1", milli_cpu=1_000), a_report("n2", milli_cpu=1_000))
    loop.submit(spec or a_spec(milli_cpu=1_000))
    return loop


def save(loop: Loop, *steps: int, attempt: int = 1, each_ms: int = 1_000) -> None:
    """A second of work before each."""
    for step in steps:
        loop.later(each_ms)
        loop.machines.checkpoint(first(attempt=attempt), step)
        loop.step()


def steps(loop: Loop) -> list[int]:
    return [each.step for each in loop.job().checkpoints]


def useful_and_redone(loop: Loop, attempt: int) -> tuple[int, int]:
    sums = dict.fromkeys(TimeClass, 0)
    for entry in loop.entries:
        if entry.attempt == attempt:
            sums[entry.time_class] += entry.unit_ms
    return sums[TimeClass.USEFUL], sums[TimeClass.REDONE]


def test_all_checkpoints_are_on_record_and_without_a_policy_none_is_deleted() -> None:
    loop = running()
    save(loop, *range(1, 8))
    assert steps(loop) == [1, 2, 3, 4, 5, 6, 7]
    assert loop.machines.removed == []
    assert loop.job().checkpoint == loop.job().checkpoints[-1]


def test_the_last_ones_and_the_best_are_kept() -> None:
    policy = KeepPolicy(keep_last=2, keep_best=KeepBest(metric="val_loss"))
    loop = running(replace(a_spec(milli_cpu=1_000), checkpoints=policy))
    for step, loss in ((1, 0.9), (2, 0.2), (3, 0.5), (4, 0.4), (5, 0.6)):
        loop.later(1_000)
        saved = Checkpoint(
            step=step,
            path=f"{WITHIN}/step-{step}",
            at_ms=loop.now_ms,
            metrics=(("val_loss", loss),),
        )
        loop.step([CheckpointSaved(key=first(), rank=0, checkpoint=saved)])
    assert steps(loop) == [2, 4, 5]
    assert loop.machines.removed == [f"{WITHIN}/step-1", f"{WITHIN}/step-3"]


def test_a_broken_checkpoint_is_passed_over_said_and_its_work_is_redone() -> None:
    loop = running()
    save(loop, 1, 2, 3, each_ms=2_000)
    loop.machines.broken["step-3"] = "shard has 3 bytes, and had 4096 when it was reported"
    loop.later(500)
    loop.machines.exit(first(), 0, signal=9)
    loop.step()
    again = loop.job().attempts[1]
    assert again.resumed_from is not None
    assert again.resumed_from.step == 2
    (fact,) = again.evidence
    assert fact.what == "checkpoint_invalid"
    assert "step 3" in fact.detail
    assert "shard has 3 bytes" in fact.detail
    assert useful_and_redone(loop, 1) == (4_000 * 1_000, 2_500 * 1_000)
    assert loop.unaccounted() == 0
    assert [each.state.value for each in loop.job().checkpoints] == ["valid", "valid", "invalid"]
    assert "job.checkpoint_invalid" in [event.kind for event in loop.events]


def test_work_is_redone_once_however_often_the_launch_is_told() -> None:
    loop = running()
    save(loop, 1, 2)
    loop.machines.broken["step-2"] = "it is not there"
    loop.machines.exit(first(), 0, signal=9)
    loop.step()
    before = useful_and_redone(loop, 1)
    loop.restart()
    loop.machines.exit(first(attempt=2), 0, signal=9)
    loop.step()
    assert useful_and_redone(loop, 1) == before == (1_000 * 1_000, 1_000 * 1_000)
    assert loop.unaccounted() == 0


def test_with_every_checkpoint_broken_the_job_starts_over_and_all_its_work_is_redone() -> None:
    loop = running()
    save(loop, 1, 2)
    loop.machines.broken.update({"step-1": "gone", "step-2": "gone"})
    loop.machines.exit(first(), 0, signal=9)
    loop.step()
    job = loop.job()
    assert job.phase is JobPhase.RUNNING
    assert job.attempts[1].resumed_from is None
    assert job.checkpoint is None
    assert useful_and_redone(loop, 1) == (0, 2_000 * 1_000)


def test_the_work_of_a_pruned_checkpoint_is_lost_with_the_newer_one_that_held_it() -> None:
    loop = running(replace(a_spec(milli_cpu=1_000), checkpoints=KeepPolicy(keep_last=1)))
    save(loop, 1, 2, 3)
    assert steps(loop) == [3]
    loop.machines.broken["step-3"] = "gone"
    loop.machines.exit(first(), 0, signal=9)
    loop.step()
    assert useful_and_redone(loop, 1) == (0, 3_000 * 1_000)
    assert loop.unaccounted() == 0


def test_one_found_broken_while_its_work_lives_on_moves_nothing() -> None:
    loop = running()
    save(loop, 1, 2)
    found = Finding(path="step-2", fault="the content of step-2 is not what it was")
    loop.step([CheckpointsFound(at_ms=loop.now_ms, job="job-1", findings=(found,))])
    assert loop.job().checkpoints[1].state is CheckpointState.INVALID
    assert loop.job().checkpoint == loop.job().checkpoints[0]
    save(loop, 3)
    loop.machines.exit(first(), 0)
    loop.step()
    assert useful_and_redone(loop, 1) == (3_000 * 1_000, 0)


def test_what_the_running_attempt_resumed_from_is_not_deleted() -> None:
    loop = running(replace(a_spec(milli_cpu=1_000), checkpoints=KeepPolicy(keep_last=1)))
    save(loop, 1)
    loop.machines.exit(first(), 0, signal=9)
    loop.step()
    save(loop, 2, 3, attempt=2)
    assert steps(loop) == [1, 3]
    loop.machines.exit(first(attempt=2), 0, signal=9)
    loop.step()
    loop.later(PAUSE_MS)
    loop.step()
    save(loop, 4, 5, attempt=3)
    assert steps(loop) == [3, 5]


def test_a_refused_deletion_is_said() -> None:
    loop = running()
    save(loop, 1, 2)
    job = loop.job()
    removing = tuple(
        replace(each, state=CheckpointState.REMOVING) if each.step == 1 else each
        for each in job.checkpoints
    )
    loop.world.put(replace(job, checkpoints=removing))
    fault = Finding(path="step-1", fault="a link leads there; links are not followed")
    loop.step([CheckpointsRemoved(at_ms=loop.now_ms, job="job-1", findings=(fault,))])
    record = loop.job().checkpoints[0]
    assert (record.state, record.why_stays) == (CheckpointState.VALID, fault.fault)
    assert loop.events[-1].kind == "job.checkpoint_stays"


def test_a_checkpoint_written_over_takes_the_place_of_the_one_before() -> None:
    loop = running()
    for step in (1, 2):
        loop.later(1_000)
        saved = Checkpoint(step=step, path="last.pt", at_ms=loop.now_ms)
        loop.step([CheckpointSaved(key=first(), rank=0, checkpoint=saved)])
    assert steps(loop) == [2]
    assert sum(kept.ms for kept in loop.job().checkpoints[0].kept) == 2_000


def test_two_reports_of_one_millisecond_are_both_on_record() -> None:
    loop = running()
    save(loop, 1, 2, 3, each_ms=0)
    assert steps(loop) == [1, 2, 3]
    loop.machines.broken["step-3"] = "gone"
    loop.machines.exit(first(), 0, signal=9)
    loop.step()
    resumed = loop.job().attempts[1].resumed_from
    assert resumed is not None
    assert resumed.step == 2


def test_a_later_part_of_the_step_that_is_resumed_is_not_redone() -> None:
    loop = running(a_spec(nodes=2, milli_cpu=1_000))
    for rank in (0, 1):
        loop.later(1_000)
        part = Checkpoint(step=1, path=f"step-1/{rank}", at_ms=loop.now_ms, rank=rank)
        loop.step([CheckpointSaved(key=first(), rank=rank, checkpoint=part)])
    loop.machines.exit(first(), 0, signal=9)
    loop.machines.exit(first(), 1, signal=9)
    loop.step()
    again = first(attempt=2)
    loop.step([ResumeChosen(at_ms=loop.now_ms, key=again, path="step-1/0")])
    assert useful_and_redone(loop, 1) == (2 * 2_000 * 1_000, 0)


def started_from(loop: Loop, step: int = 0) -> Job:
    source = loop.job()
    chosen = source.checkpoints[step]
    origin = Origin(job=source.id, checkpoint=replace(chosen, kept=()))
    return loop.submit(replace(a_spec("second", milli_cpu=1_000), origin=origin), id="job-2")


def test_a_job_starts_from_anothers_checkpoint_which_is_kept_while_it_may_need_it() -> None:
    loop = running(replace(a_spec(milli_cpu=1_000), checkpoints=KeepPolicy(keep_last=1)))
    save(loop, 1)
    started_from(loop)
    resumed = loop.job("job-2").attempts[0].resumed_from
    assert resumed is not None
    assert resumed.step == 1
    save(loop, 2, 3)
    assert steps(loop) == [1, 3]
    loop.machines.exit(first("job-2"), 0)
    loop.step()
    save(loop, 4)
    assert steps(loop) == [4]


def test_a_checkpoint_that_is_going_cannot_be_started_from() -> None:
    loop = running()
    save(loop, 1, 2)
    job = loop.job()
    going = replace(job.checkpoints[0], state=CheckpointState.REMOVING)
    loop.world.put(replace(job, checkpoints=(going, job.checkpoints[1])))
    origin = Origin(job="job-1", checkpoint=replace(job.checkpoints[0], kept=()))
    with pytest.raises(RefusalError) as refused:
        loop.submit(replace(a_spec("second"), origin=origin), id="job-2")
    assert refused.value.code is RefusalCode.CONFLICT
    assert refused.value.field == "from"


def test_evidence_of_a_broken_checkpoint_is_no_verdict() -> None:
    loop = running()
    save(loop, 1)
    loop.machines.broken["step-1"] = "gone"
    loop.machines.exit(first(), 0, signal=9)
    loop.step()
    loop.later(60_000)
    loop.machines.exit(first(attempt=2), 0, code=3)
    loop.step()
    job = loop.job()
    assert job.attempts[1].verdict is Verdict.USER
    assert "exit code 3" in job.message
