"""Whether a budget is in the way of new work: what every admission asks."""

from gigawatt.model.budget import Budget
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.reconcile.turn import Turn


def check(turn: Turn, tenant: str, project: str) -> None:
    """Refuse new work of a project whose budget, or whose tenant's, is spent."""
    found = bar(turn, tenant, project)
    if found is None:
        return
    whose = f"project {found.project}" if found.project else f"tenant {found.tenant}"
    raise RefusalError(
        RefusalCode.BUDGET_SPENT,
        f"the budget of {whose} for {found.month} is spent: {used(found)}",
        field="project",
        hint="wait for the next month, or have it raised: gw budget set",
    )


def bar(turn: Turn, tenant: str, project: str) -> Budget | None:
    """The budget that lets nothing new of a project start now, if one does: its own, or its tenant's."""
    for name in (f"{tenant}/{project}", tenant):
        found = turn.world.budgets.get(name)
        if found is not None and found.bars:
            return found
    return None


def replicas_allowed(turn: Turn, tenant: str, project: str, *, wanted: int, current: int) -> int:
    """How many replicas an endpoint may have: no more than it has where a budget is spent, none where its grace is over."""
    found = bar(turn, tenant, project)
    if found is None:
        return wanted
    return 0 if found.stopped else min(wanted, current)


def used(budget: Budget) -> str:
    """What is spent of what there is, in words."""
    told = [f"{budget.spent} of {budget.amount}"] if budget.amount is not None else []
    told += [f"{budget.spent_tokens} of {budget.tokens} tokens"] if budget.tokens else []
    return ", ".join(told)
