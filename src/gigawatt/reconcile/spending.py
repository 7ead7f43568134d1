"""What is spent of budgets is looked at now and then: past a threshold it is told, and past the end nothing new starts.

Work that waits is barred, not refused: it keeps its place, and goes on as soon as there is room again.
"""

from gigawatt.model.action import NotifyAttempt
from gigawatt.model.attempt import AttemptPhase, Evidence, Verdict
from gigawatt.model.budget import Budget
from gigawatt.model.command import SuspendWorkspace
from gigawatt.model.job import Job
from gigawatt.model.money import RemoveBudget, SetBudget
from gigawatt.model.observation import BudgetsSeen
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.values import replace
from gigawatt.model.workspace import GOING, Workspace
from gigawatt.reconcile import attempts, budgets, workspaces
from gigawatt.reconcile.attempts import Owner
from gigawatt.reconcile.halt import live
from gigawatt.reconcile.projects import check_project
from gigawatt.reconcile.turn import Turn
from gigawatt.reconcile.versions import check_version

SUBJECT = "budget/"  # of timers, before the budget's id


def command(turn: Turn, asked: SetBudget | RemoveBudget) -> Budget:
    """Raises RefusalError, having changed nothing."""
    return put(turn, asked) if isinstance(asked, SetBudget) else remove(turn, asked)


def put(turn: Turn, asked: SetBudget) -> Budget:
    """Make or change a budget, with what was spent by now; what waited for more of it goes on at once."""
    wanted = asked.budget
    if wanted.tenant not in turn.world.tenants:
        raise RefusalError(
            RefusalCode.NOT_FOUND, f"there is no tenant {wanted.tenant}", field="tenant"
        )
    if wanted.project:
        check_project(turn, wanted.tenant, wanted.project)
    before = turn.world.budgets.get(wanted.id)
    if before is not None:
        check_version(f"budget {before.id}", before.version, asked.if_version)
        same = before.month == wanted.month
        wanted = replace(
            wanted,
            created_ms=before.created_ms,
            told=before.told if same else 0,
            spent_ms=before.spent_ms if same else 0,
            stopped=before.stopped and same,
            version=before.version,
        )
    after = _judged(turn, wanted)
    turn.emit("budget.set", after, f"{_amounts(after)} by {asked.by}")
    return after


def remove(turn: Turn, asked: RemoveBudget) -> Budget:
    """Nothing limits what is spent any more."""
    before = turn.world.budgets.get(asked.id)
    if before is None:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no budget {asked.id}")
    check_version(f"budget {before.id}", before.version, asked.if_version)
    after = turn.put(replace(before, deleted_ms=turn.now_ms))
    turn.emit("budget.removed", after, f"by {asked.by}")
    _let_through(turn, after)
    return after


def seen(turn: Turn, observed: BudgetsSeen) -> None:
    """What was spent by now. A new month begins with nothing told."""
    for name, spent, tokens in observed.spent:
        before = turn.world.budgets.get(name)
        if before is None:
            continue
        after = replace(before, month=observed.month, spent=spent, spent_tokens=tokens)
        if observed.month != before.month:
            after = replace(after, told=0, spent_ms=0, stopped=False)
        if after != before:
            _judged(turn, after, before=before)


def due(turn: Turn, name: str) -> None:
    """The grace of a spent budget may be over."""
    found = turn.world.budgets.get(name)
    if found is None or not _to_stop(turn, found):
        return
    after = turn.put(replace(found, stopped=True))
    turn.emit("budget.stopping", after, f"{_amounts(after)} is spent, and its grace is over")
    for owner in _running(turn, after):
        _stop(turn, owner, after)


def resume(turn: Turn) -> None:
    """After a restart: times of grace are set anew."""
    for each in tuple(turn.world.budgets.values()):
        if each.stops and each.spent_ms and not each.stopped:
            turn.due(each.spent_ms + each.grace_ms, f"{SUBJECT}{each.id}")


def _judged(turn: Turn, budget: Budget, *, before: Budget | None = None) -> Budget:
    """The budget as what was spent of it leaves it, and all that follows."""
    barred_before = before is not None and before.bars
    percent = 0 if budget.off else budget.percent
    reached = max((each for each in budget.thresholds if each <= percent), default=0)
    news: list[tuple[str, str]] = []
    if reached > budget.told:
        news.append(("budget.threshold", f"{percent} % of {_amounts(budget)}"))
    if budget.exhausted and not budget.spent_ms:
        budget = replace(budget, spent_ms=turn.now_ms)
        news.append(("budget.spent", _consequence(budget)))
    elif not budget.exhausted and budget.spent_ms:
        budget = replace(budget, spent_ms=0, stopped=False)
        news.append(("budget.open", f"{percent} % of {_amounts(budget)}"))
    after = turn.put(replace(budget, told=reached))
    for kind, message in news:
        turn.emit(kind, after, message, (("percent", str(percent)),))
        if kind == "budget.spent" and after.stops:
            _announce(turn, after)
    if after.bars and not barred_before:
        _hold_back(turn, after)
    elif not after.bars:
        _let_through(turn, after)
    return after


def _announce(turn: Turn, budget: Budget) -> None:
    """What runs is told to save by the end of the grace."""
    stop_ms = budget.spent_ms + budget.grace_ms
    turn.due(stop_ms, f"{SUBJECT}{budget.id}")
    for owner in _running(turn, budget):
        attempt = owner.attempt
        if isinstance(owner, Job) and attempt and attempt.phase is AttemptPhase.RUNNING:
            key = attempts.key_of(owner, attempt)
            turn.act(NotifyAttempt(key=key, checkpoint_by_ms=stop_ms))


def _hold_back(turn: Turn, budget: Budget) -> None:
    for job in _jobs(turn, budget):
        if not job.barred:
            turn.put(replace(job, barred=True))


def _let_through(turn: Turn, budget: Budget) -> None:
    """Unless another budget is in the way. Endpoints look by themselves, at a timer that is due now."""
    for job in _jobs(turn, budget):
        if job.barred and budgets.bar(turn, job.tenant, job.project) is None:
            turn.put(replace(job, barred=False))
    for endpoint in tuple(turn.world.endpoints.values()):
        if _covers(budget, endpoint.tenant, endpoint.project):
            turn.due(turn.now_ms, endpoint.id)


def _stop(turn: Turn, owner: Owner, budget: Budget) -> None:
    attempt = owner.attempt
    if attempt is None or attempt.phase not in attempts.STOPPABLE:
        return
    if isinstance(owner, Workspace):
        if owner.phase not in GOING:
            return
        asked = SuspendWorkspace(id=owner.id, by="its budget, which is spent")
        workspaces.command(turn, asked)
        return
    detail = f"the budget of {budget.id} is spent: {budgets.used(budget)}"
    fact = Evidence(at_ms=turn.now_ms, what="budget", detail=detail)
    told = replace(attempt, evidence=(*attempt.evidence, fact))
    attempts.stop(turn, owner, told, cause=Verdict.PREEMPTION)


def _to_stop(turn: Turn, budget: Budget) -> bool:
    over = budget.stops and budget.exhausted and not budget.stopped and budget.spent_ms
    return bool(over) and turn.now_ms >= budget.spent_ms + budget.grace_ms


def _running(turn: Turn, budget: Budget) -> list[Owner]:
    return [each for each in live(turn.world) if _covers(budget, each.tenant, each.project)]


def _jobs(turn: Turn, budget: Budget) -> list[Job]:
    found = turn.world.jobs.values()
    return [job for job in found if _covers(budget, job.tenant, job.project)]


def _covers(budget: Budget, tenant: str, project: str) -> bool:
    return budget.tenant == tenant and budget.project in {"", project}


def _consequence(budget: Budget) -> str:
    said = f"{budgets.used(budget)}: "
    if budget.stops:
        return f"{said}what runs is stopped in {budget.grace_ms // 1_000} s, and nothing new starts"
    return said + ("nothing new starts" if budget.refuses else "it only tells")


def _amounts(budget: Budget) -> str:
    told = [f"{budget.amount} a month"] if budget.amount is not None else []
    told += [f"{budget.tokens} tokens a month"] if budget.tokens else []
    return ", ".join(told) or "no limit"
