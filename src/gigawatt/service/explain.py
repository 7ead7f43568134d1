"""Why a job waits, what it is doing, or how it ended: one answer for all three."""

from gigawatt import clock
from gigawatt.ledger.intervals import advise
from gigawatt.model.attempt import Attempt, AttemptPhase
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.tenant import Caller
from gigawatt.service.jobs import live_view
from gigawatt.service.lookup import find_job
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services
from gigawatt.service.views.estimates import estimate_view
from gigawatt.service.views.explain import ExplanationView, advice_view, change_fields
from gigawatt.service.views.jobs import evidence_view, reason_view


@verb
async def explain(
    caller: Caller, services: Services, reference: str, *, project: str = ""
) -> ExplanationView:
    """The reason, the place in the line and the way out of it; or the verdict and its evidence."""
    job = await find_job(caller, services, reference, project)
    if job.deadline_ms and job.phase is JobPhase.QUEUED:
        await services.leader.estimate(job.id)
    view = live_view(services, job)
    leader, found, estimate, change = services.leader, None, None, None
    if job.phase is JobPhase.QUEUED and not job.barred:
        found = leader.explain(job.id)
        estimate = await leader.estimate(job.id)
        change = found.change if found and found.change else await leader.sooner(job.id)
    attempt = job.attempt
    ended = attempt is not None and not attempt.live
    judged = next((each for each in reversed(job.attempts) if each.verdict), None)
    advice = advise(job, now_ms=clock.now_ms())
    return ExplanationView(
        job=job.id,
        phase=job.phase.value,
        reason=reason_view(found.reason) if found else view.reason,
        position=found.position if found else view.position,
        estimate=estimate_view(estimate),
        deadline=view.deadline,
        cheapest_change=change_fields(change) if change else None,
        attempt=judged.n if judged else None,
        verdict=judged.verdict.value if judged and judged.verdict else None,
        charged_to=judged.charged_to if judged else "",
        evidence=tuple(
            evidence_view(fact)
            for each in ((judged,) if judged is attempt else (judged, attempt))
            if each is not None
            for fact in each.evidence
        ),
        checkpoint_advice=advice_view(advice) if advice else None,
        message=job.message or _message(job, ended=ended),
    )


def _message(job: Job, *, ended: bool) -> str:
    if job.phase is JobPhase.QUEUED and ended:
        return f"attempt {len(job.attempts)} has ended; the next one waits for nodes"
    attempt = job.attempt
    if attempt is not None and attempt.live:
        where = f"attempt {attempt.n} is {attempt.phase.value} on {', '.join(attempt.nodes)}"
        if attempt.resumed_from is not None:
            where += f", from the checkpoint of step {attempt.resumed_from.step}"
        if attempt.spares:
            where += f"; spare: {', '.join(spare.node for spare in attempt.spares)}"
        return where + _growth(job, attempt)
    return ""


def _growth(job: Job, attempt: Attempt) -> str:
    """Of an elastic job that runs on fewer nodes than it takes: what it is waiting for."""
    most = job.spec.shape.nodes_max
    if attempt.phase is not AttemptPhase.RUNNING or len(attempt.nodes) >= most or attempt.places:
        return ""
    saved = job.checkpoint
    if saved is None:
        waits = "once it has saved a checkpoint it may grow"
    elif attempt.grow_asked_ms > saved.at_ms:
        waits = "it was asked for a checkpoint, so as to grow"
    else:
        waits = (
            "it may grow when nodes are free that nobody who waits could use,"
            " once it has run for long enough to make a restart pay"
        )
    return f"; it takes up to {most} nodes: {waits}"
