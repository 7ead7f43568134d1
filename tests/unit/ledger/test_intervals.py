"""How often a job should save: against the published figures, and from a job's own record."""

from dataclasses import replace

import pytest

from gigawatt.ledger.intervals import DAY_MS, PER_GPU_DAY, advise, expected_ms, waste
from gigawatt.model.attempt import Attempt, AttemptPhase, Verdict
from gigawatt.model.checkpoint import Checkpoint
from gigawatt.model.gang import Shape
from gigawatt.model.job import Job, JobPhase, JobSpec
from gigawatt.model.resources import Resources

HOUR_MS = 3_600_000


def a_job(*, nodes: int, gpus: int, every_ms: int = 0, cost_ms: int = 0) -> Job:
    shape = Shape(
        nodes_min=nodes, nodes_max=nodes, per_node=Resources(milli_gpu=1_000 * gpus, milli_cpu=1)
    )
    saved = tuple(
        Checkpoint(step=n, path=f"{n}", at_ms=n * every_ms, attempt=1, cost_ms=cost_ms)
        for n in range(1, 6 if every_ms else 1)
    )
    return Job(
        id="job-1",
        tenant="default",
        project="default",
        spec=JobSpec(name="job", command=("true",), shape=shape, environment="host"),
        phase=JobPhase.RUNNING,
        created_ms=0,
        queued_ms=0,
        submitted_by="me",
        attempts=(an_attempt(1, ran_ms=0),),
        checkpoints=saved,
    )


def an_attempt(n: int, *, ran_ms: int, verdict: Verdict | None = None) -> Attempt:
    return Attempt(
        n=n,
        phase=AttemptPhase.ENDED if verdict else AttemptPhase.RUNNING,
        nodes=("n1",),
        ranks=(),
        epoch=1,
        placed_ms=1,
        running_ms=1,
        ended_ms=1 + ran_ms if verdict else None,
        first_step_ms=300_001,
        verdict=verdict,
    )


@pytest.mark.parametrize(
    ("gpus", "hours"), [(1_024, 49.5), (8_192, 6.2), (16_384, 3.1), (100_000, 0.51)]
)
def test_a_new_job_is_expected_to_fail_as_others_of_its_size(gpus: int, hours: float) -> None:
    job = a_job(nodes=gpus // 8, gpus=8)
    assert expected_ms(job, now_ms=1) / HOUR_MS == pytest.approx(hours, rel=0.02)


@pytest.mark.parametrize(
    ("gpus", "cost_s", "best_minutes", "wasted"),
    [
        (1_024, 5, 22, 0.009),
        (8_192, 30, 19, 0.065),
        (16_384, 30, 14, 0.10),
        (16_384, 120, 27, 0.17),
    ],
)
def test_the_best_interval_is_youngs_and_dalys(
    gpus: int, cost_s: int, best_minutes: float, wasted: float
) -> None:
    job = a_job(nodes=gpus // 8, gpus=8, every_ms=60_000, cost_ms=cost_s * 1_000)
    found = advise(job, now_ms=1)
    assert found is not None
    assert found.best_ms / 60_000 == pytest.approx(best_minutes, rel=0.05)
    assert found.best_waste == pytest.approx(wasted, abs=0.006)
    assert (found.interval_ms, found.cost_ms) == (60_000, cost_s * 1_000)


def test_no_other_interval_wastes_less() -> None:
    job = a_job(nodes=16, gpus=8, every_ms=60_000, cost_ms=5_000)
    found = advise(job, now_ms=1)
    assert found is not None
    for factor in (0.5, 0.9, 1.1, 2.0):
        other = waste(
            found.best_ms * factor,
            cost_ms=found.cost_ms,
            mttf_ms=found.mttf_ms,
            restart_ms=found.restart_ms,
        )
        assert other >= found.best_waste


def test_its_own_failures_weigh_more_the_longer_it_has_run() -> None:
    job = a_job(nodes=1, gpus=8)
    prior_ms = DAY_MS / (8 * PER_GPU_DAY)
    failed = tuple(
        an_attempt(n, ran_ms=HOUR_MS, verdict=Verdict.INFRASTRUCTURE) for n in range(1, 10)
    )
    after_ms = expected_ms(replace(job, attempts=failed), now_ms=1)
    assert after_ms == pytest.approx((prior_ms + 9 * HOUR_MS) / 10)
    by_users = tuple(replace(each, verdict=Verdict.USER) for each in failed)
    assert expected_ms(replace(job, attempts=by_users), now_ms=1) > prior_ms


def test_a_job_that_hardly_ever_saved_is_given_no_advice() -> None:
    assert advise(a_job(nodes=1, gpus=8), now_ms=1) is None
    assert advise(a_job(nodes=1, gpus=8, every_ms=60_000, cost_ms=10), now_ms=1) is None
