"""Token counts that gateways report, each taken in exactly once, and what keys and projects may have."""

from gigawatt.model.order import CountTokens, SetAllowance
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import ApiKey, Project
from gigawatt.model.tokens import TokenSpool
from gigawatt.model.values import replace
from gigawatt.reconcile.projects import project_id
from gigawatt.reconcile.turn import Turn


def command(turn: Turn, asked: CountTokens | SetAllowance) -> TokenSpool | ApiKey | Project:
    """What gateways tell and people ask. Raises RefusalError, having changed nothing."""
    return count(turn, asked) if isinstance(asked, CountTokens) else set_allowance(turn, asked)


def count(turn: Turn, asked: CountTokens) -> TokenSpool:
    """Keep the newest counts of a spool's rows. A report that is not newer than the last changes nothing."""
    before = turn.world.spools.get(asked.spool)
    if before is not None and asked.report <= before.report:
        return before
    if (before.report if before else 0) != asked.after:
        detail = f"another report of spool {asked.spool} was taken in meanwhile"
        raise RefusalError(RefusalCode.STALE_VERSION, detail, hint="tell it again")
    for use in asked.uses:
        turn.put(use)
    turn.meters.extend(asked.meters)
    spool = before or TokenSpool(id=asked.spool, created_ms=turn.now_ms, report=0)
    return turn.put(replace(spool, report=asked.report, closed=asked.closed))


def set_allowance(turn: Turn, asked: SetAllowance) -> ApiKey | Project:
    """Raises RefusalError, having changed nothing."""
    if asked.key:
        key = turn.world.keys.get(asked.key)
        if key is None or key.tenant != asked.tenant:
            raise RefusalError(RefusalCode.NOT_FOUND, f"there is no key {asked.key}")
        after = turn.put(replace(key, allowance=asked.allowance))
        turn.emit("key.limited", after, f"{key.name} by {asked.by}")
        return after
    project = turn.world.projects.get(project_id(asked.tenant, asked.project))
    if project is None:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no project {asked.project}")
    limited = turn.put(replace(project, allowance=asked.allowance))
    turn.emit("project.limited", limited, f"by {asked.by}")
    return limited
