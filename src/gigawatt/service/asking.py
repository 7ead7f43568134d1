"""What would happen to a gang: asked of the next decision, with nothing submitted."""

from gigawatt import clock
from gigawatt.model.gang import Gang, GangKind
from gigawatt.model.refusal import Fault, RefusalCode
from gigawatt.model.tenant import Caller
from gigawatt.service.permissions import home, verb
from gigawatt.service.services import Services
from gigawatt.service.views.asking import AskView, Starts
from gigawatt.service.views.estimates import estimate_view
from gigawatt.service.views.explain import change_fields
from gigawatt.service.views.jobs import reason_view
from gigawatt.spec.asking import Question
from gigawatt.spec.faults import refusal
from gigawatt.spec.units import shown

KINDS_SHOWN_MAX = 16


@verb
async def ask(caller: Caller, services: Services, question: Question, *, project: str) -> AskView:
    """Whether and where it would start now as the caller's own, or why not. Raises RefusalError for a kind of GPU that
    no node has.
    """
    tenant, project = home(caller, project)
    _check_kinds(question.shape.gpu_kinds, services.leader.gpu_kinds())
    gang = Gang(
        id="",
        kind=GangKind.JOB,
        tenant=tenant,
        project=project,
        shape=question.shape,
        priority=question.priority,
        queued_ms=clock.now_ms(),
        duration_ms=question.timeout_s * 1_000,
    )
    never, told = services.leader.feasible(gang), services.leader.ask(gang)
    found = told.explanation
    if found is None:
        return AskView(starts=Starts.NOW, nodes=told.nodes, domains=dict(told.domains))
    estimate = None if never else await services.leader.estimate_asked(gang, user=caller.name)
    return AskView(
        starts=Starts.NEVER if never else Starts.LATER,
        domains={},
        position=None if never else found.position,
        reason=reason_view(never or found.reason),
        cheapest_change=change_fields(found.change) if found.change else None,
        estimate=estimate_view(estimate),
    )


def _check_kinds(wanted: tuple[str, ...], there: tuple[str, ...]) -> None:
    """Where there is no GPU at all, the answer says so; a kind beside those that there are is a slip of the pen."""
    unknown = [kind for kind in wanted if kind not in there]
    if not unknown or not there:
        return
    listed = ", ".join(there[:KINDS_SHOWN_MAX])
    more = f" and {len(there) - KINDS_SHOWN_MAX} more" if len(there) > KINDS_SHOWN_MAX else ""
    faults = [
        Fault(
            field="gang.gpu_kinds",
            detail=f"gang.gpu_kinds names {shown(kind)}, which no node has",
            hint=f"there is: {listed}{more}",
        )
        for kind in unknown
    ]
    raise refusal(faults, code=RefusalCode.INVALID)
