"""A policy as people name it to the twin: by what is in POLICIES, and how places are chosen, if in another way than it says."""

from dataclasses import dataclass, replace

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.scheduler.policy import POLICIES, Fit, Policy
from gigawatt.spec.faults import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A policy, and what a report calls it."""

    policy: Policy
    name: str


def named_policy(policy: str, placement: str = "", *, where: str = "") -> Named:
    """Raises RefusalError for a name that there is not; `where` is what it was read from."""
    if policy not in POLICIES:
        raise _unknown("policy", policy, tuple(POLICIES), where)
    if placement and placement not in set(Fit):
        raise _unknown("placement", placement, tuple(Fit), where)
    if not placement:
        return Named(policy=POLICIES[policy], name=policy)
    chosen = replace(POLICIES[policy], fit=Fit(placement))
    return Named(policy=chosen, name=f"{policy} {placement}")


def _unknown(field: str, name: str, known: tuple[str, ...], where: str) -> RefusalError:
    detail = f"{where}: there is no {field} {name}" if where else f"there is no {field} {name}"
    hint = nearest(name, known) or f"allowed: {', '.join(known)}"
    return RefusalError(RefusalCode.INVALID, detail, field=field, hint=hint)
