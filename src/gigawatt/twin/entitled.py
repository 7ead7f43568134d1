"""Who of a scenario is entitled to what, and which feeds carry its site; each checked as a person's change would be."""

from collections.abc import Sequence
from pathlib import Path

from gigawatt.model.power import Feed
from gigawatt.model.quota import NO_ENTITLEMENT, Entitlement
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.reconcile.entitlements import check_entitlement
from gigawatt.spec.faults import nearest
from gigawatt.spec.fields import Name
from gigawatt.spec.power import FeedRequest
from gigawatt.spec.quota import QuotaRequest


class ProjectForm(QuotaRequest):
    """A project and what it is entitled to; those that it is part of come before it."""

    name: Name


class FeedForm(FeedRequest):
    """A feed of the power tree; the one that carries it comes before it."""

    name: Name


def projects(file: Path, forms: Sequence[ProjectForm]) -> tuple[tuple[str, Entitlement], ...]:
    """Checked as a person's change would be: in a run nobody would see that it was refused."""
    known: dict[str, Entitlement] = {}
    for place, each in enumerate(forms):
        field = f"projects[{place}]"
        entitlement = each.changed(NO_ENTITLEMENT)
        if each.name in known:
            detail = f"{file}: project {each.name} is there twice"
            raise RefusalError(RefusalCode.INVALID, detail, field=f"{field}.name")
        if entitlement.parent and entitlement.parent not in known:
            detail = f"{file}: project {each.name} is part of {entitlement.parent}, which does not come before it"
            hint = nearest(entitlement.parent, known)
            raise RefusalError(RefusalCode.INVALID, detail, field=f"{field}.parent", hint=hint)
        try:
            check_entitlement(entitlement)
        except RefusalError as refused:
            detail = f"{file}: project {each.name}: {refused.detail}"
            raise RefusalError(
                refused.code, detail, field=f"{field}.{refused.field}", hint=refused.hint
            ) from refused
        known[each.name] = entitlement
    return tuple(known.items())


def feeds(file: Path, forms: Sequence[FeedForm]) -> tuple[Feed, ...]:
    known: dict[str, Feed] = {}
    for place, each in enumerate(forms):
        field = f"power[{place}]"
        parent, cap, supplies = each.changed(None)
        if each.name in known:
            detail = f"{file}: feed {each.name} is there twice"
            raise RefusalError(RefusalCode.INVALID, detail, field=f"{field}.name")
        if parent and parent not in known:
            detail = f"{file}: feed {each.name} is part of {parent}, which does not come before it"
            hint = nearest(parent, known)
            raise RefusalError(RefusalCode.INVALID, detail, field=f"{field}.parent", hint=hint)
        known[each.name] = Feed(
            id=each.name, created_ms=0, parent=parent, cap_milliwatts=cap, supplies=supplies
        )
    return tuple(known.values())
