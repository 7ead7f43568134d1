"""What was used and what it cost, by whom and of what: for those who want to know before the invoice comes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from gigawatt import clock
from gigawatt.ledger.calendar import day_of, month_of, month_start_ms
from gigawatt.ledger.charges import Quantity
from gigawatt.ledger.invoice import exact_cost, unpriced
from gigawatt.ledger.rates import Rates, currency_of
from gigawatt.ledger.wording import shown_units
from gigawatt.model.endpoint import Endpoint, Replica
from gigawatt.model.job import Job
from gigawatt.model.ledger import DAY_MS
from gigawatt.model.prices import TOKEN_METERS, Meter
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.retention import RemovedJob
from gigawatt.model.tenant import Caller
from gigawatt.model.workspace import Workspace
from gigawatt.service.billing import quantities, read_rates
from gigawatt.service.permissions import verb, within
from gigawatt.service.prices import unpriced_views
from gigawatt.service.services import Services
from gigawatt.service.views.money import CostsView, CostView, SubjectView, plain
from gigawatt.spec.faults import nearest
from gigawatt.store.base import MeterQuery, Store

OF_QUANTITIES = ("tenant", "project", "meter", "sku", "plan", "use", "reservation", "day", "key")
OF_GANGS = ("gang", "kind", "name", "user", "job", "endpoint", "workspace", "volume")
SUBJECTS = OF_QUANTITIES + OF_GANGS
LABEL = "label:"  # and the name of one
GANGS_MAX = 20_000  # looked up for one answer
ROWS_MAX = 50_000
PLACES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFilter:
    """By what it is summed, whose, and when: whole days of UTC in which any of the span lies. No time is this month."""

    by: tuple[str, ...] = ("project",)
    tenant: str = ""
    project: str = ""
    since_ms: int = 0
    until_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gang:
    """What a quantity was used by, for people."""

    kind: str = ""  # job, endpoint, workspace, volume
    name: str = ""
    user: str = ""
    id: str = ""  # of the endpoint rather than of its replica
    labels: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True, kw_only=True)
class _Sum:
    cost: Fraction = Fraction(0)
    amounts: dict[Meter, int] = field(default_factory=dict[Meter, int])


@verb
async def totals(caller: Caller, services: Services, wanted: CostFilter) -> CostsView:
    """Use and cost that the caller can see, by what it asks for. Raises RefusalError."""
    by = tuple(dict.fromkeys(wanted.by))
    for name in by:
        if name not in SUBJECTS and not (name.startswith(LABEL) and name != LABEL):
            known = (*SUBJECTS, "label:NAME")
            detail = f"costs are not kept by {name}; there are: {', '.join(known)}"
            raise RefusalError(RefusalCode.INVALID, detail, field="by", hint=nearest(name, known))
    tenant, project = within(caller, wanted.tenant, wanted.project)
    now_ms = clock.now_ms()
    since_ms = wanted.since_ms or (0 if wanted.until_ms else month_start_ms(month_of(now_ms)))
    since_ms = since_ms // DAY_MS * DAY_MS
    until_ms = -(-(wanted.until_ms or now_ms) // DAY_MS) * DAY_MS
    asked = tuple(
        name for name, needs in (("gang", _needs_gangs(by)), ("key", "key" in by)) if needs
    )
    query = MeterQuery(
        tenant=tenant, project=project, since_ms=since_ms, until_ms=until_ms, by=asked
    )

    def read() -> CostsView:
        rates = read_rates(services.store)
        used = quantities(services.store, query, now_ms=now_ms)
        mine = tuple(each for each in used if each.tenant)
        return _view(services.store, mine, rates, by, (since_ms, until_ms))

    return await services.read(read)


def _view(
    store: Store,
    used: tuple[Quantity, ...],
    rates: Rates,
    by: tuple[str, ...],
    span_ms: tuple[int, int],
) -> CostsView:
    gangs = _gangs(store, used) if _needs_gangs(by) else {}
    sums: dict[tuple[str, ...], _Sum] = {}
    for each in used:
        gang = gangs.get(each.gang, Gang())
        subject = tuple(_value(each, gang, name) for name in by)
        found = sums.setdefault(subject, _Sum())
        found.cost += exact_cost(each, rates)
        found.amounts[each.meter] = found.amounts.get(each.meter, 0) + each.quantity
    if len(sums) > ROWS_MAX:
        detail = f"that is {len(sums)} sums; at most {ROWS_MAX} are told at once"
        raise RefusalError(RefusalCode.LIMIT, detail, hint="ask for a project, or for less time")
    return CostsView(
        by=by,
        since_ms=span_ms[0],
        until_ms=span_ms[1],
        currency=currency_of(rates, span_ms[1] - 1),
        cost=_shown(sum((each.cost for each in sums.values()), Fraction(0))),
        items=tuple(_item(by, subject, sums[subject]) for subject in sorted(sums)),
        unpriced=unpriced_views(unpriced(used, rates)),
    )


def _item(by: tuple[str, ...], subject: tuple[str, ...], found: _Sum) -> CostView:
    amounts = found.amounts
    return CostView(
        subjects=tuple(
            SubjectView(name=name, value=value) for name, value in zip(by, subject, strict=True)
        ),
        gpu_hours=plain(shown_units(amounts.get(Meter.GPU, 0), Meter.GPU)),
        core_hours=plain(shown_units(amounts.get(Meter.CPU, 0), Meter.CPU)),
        gib_months=plain(shown_units(amounts.get(Meter.STORAGE, 0), Meter.STORAGE)),
        tokens=sum(amounts.get(meter, 0) for meter in TOKEN_METERS),
        cost=_shown(found.cost),
    )


def _shown(amount: Fraction) -> str:
    """To so many places that sums of what is shown agree with the sum that is shown, to the coin."""
    scaled = round(amount * 10**PLACES)
    return plain(Decimal(scaled).scaleb(-PLACES))


def _needs_gangs(by: tuple[str, ...]) -> bool:
    return any(name in OF_GANGS or name.startswith(LABEL) for name in by)


def _value(each: Quantity, gang: Gang, name: str) -> str:
    if name.startswith(LABEL):
        return gang.labels.get(name.removeprefix(LABEL), "")
    match name:
        case "day":
            return day_of(each.day * DAY_MS)
        case "meter":
            return each.meter.value
        case "kind" | "name" | "user":
            return str(getattr(gang, name))
        case "job" | "endpoint" | "workspace" | "volume":
            return gang.name if gang.kind == name else ""
        case _:
            return str(getattr(each, name))


def _gangs(store: Store, used: Iterable[Quantity]) -> dict[str, Gang]:
    """Each gang, endpoint and volume that is named, looked up once."""
    kinds = {each.gang: each.meter for each in used if each.gang}
    if len(kinds) > GANGS_MAX:
        detail = f"{len(kinds)} jobs, replicas and workspaces used something; at most {GANGS_MAX} are looked up at once"
        raise RefusalError(RefusalCode.LIMIT, detail, hint="ask for a project, or for less time")
    endpoints: dict[str, Gang] = {}
    return {each: _gang(store, each, kinds[each], endpoints) for each in sorted(kinds)}


def _gang(store: Store, id: str, meter: Meter, endpoints: dict[str, Gang]) -> Gang:
    if meter is Meter.STORAGE:
        return Gang(kind="volume", name=id.rpartition("/")[2], id=id)
    if meter in TOKEN_METERS:
        return _endpoint(store, id, endpoints)
    job = store.read(Job, id)
    if job is not None:
        labels = dict(job.spec.labels)
        return Gang(kind="job", name=job.spec.name, user=job.submitted_by, id=id, labels=labels)
    replica = store.read(Replica, id)
    if replica is not None:
        return _endpoint(store, replica.endpoint, endpoints)
    workspace = store.read(Workspace, id)
    if workspace is not None:
        labels = dict(workspace.spec.labels)
        by = workspace.created_by
        return Gang(kind="workspace", name=workspace.spec.name, user=by, id=id, labels=labels)
    removed = store.read(RemovedJob, id)
    if removed is not None:
        labels = dict(removed.labels)
        return Gang(kind="job", name=removed.name, user=removed.submitted_by, id=id, labels=labels)
    return Gang(id=id)


def _endpoint(store: Store, id: str, known: dict[str, Gang]) -> Gang:
    if id not in known:
        found = store.read(Endpoint, id)
        known[id] = (
            Gang(kind="endpoint", name=id, id=id)
            if found is None
            else Gang(
                kind="endpoint",
                name=found.spec.name,
                user=found.created_by,
                id=id,
                labels=dict(found.spec.labels),
            )
        )
    return known[id]
