"""Tokens: what gateways report, each report taken in exactly once, and what callers ask of the sum."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gigawatt.ledger.tokens import SUBJECTS, more, total
from gigawatt.model.order import CountTokens
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.model.tokens import TokenSpool, TokenUse
from gigawatt.service.permissions import verb, within
from gigawatt.service.services import Services
from gigawatt.service.views.usage import SpendingView, SpentView, TokensView, UsageView
from gigawatt.spec.faults import nearest
from gigawatt.spec.usage import TokenReport
from gigawatt.store.base import Query, Store

PAGE_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFilter:
    """Whose, when, and by what; an hour counts where it began."""

    by: tuple[str, ...] = ()
    tenant: str = ""
    project: str = ""
    since_ms: int = 0
    until_ms: int = 0


@verb
async def totals(caller: Caller, services: Services, wanted: UsageFilter) -> UsageView:
    """Requests and tokens that the caller can see, by what it asks for. Raises RefusalError."""
    for name in wanted.by:
        if name not in SUBJECTS:
            detail = f"usage is not kept by {name}; there are: {', '.join(SUBJECTS)}"
            hint = nearest(name, SUBJECTS)
            raise RefusalError(RefusalCode.INVALID, detail, field="by", hint=hint)
    tenant, project = within(caller, wanted.tenant, wanted.project)
    query = Query(
        tenant=tenant, project=project, since_ms=wanted.since_ms, until_ms=wanted.until_ms
    )
    by = tuple(dict.fromkeys(wanted.by))
    sums = await services.read(lambda: total(_uses(services.store, query), by))
    nothing = dict.fromkeys(SUBJECTS, "")
    items = tuple(
        TokensView(
            **{**nothing, **_named(by, subject)},
            requests=requests,
            prompt_tokens=prompt,
            cached_tokens=cached,
            completion_tokens=completion,
        )
        for subject, (requests, prompt, cached, completion) in sums.items()
    )
    return UsageView(by=by, items=items)


@verb
async def count(caller: Caller, services: Services, report: TokenReport) -> None:
    """Take a gateway's report in; it is on record when this returns. One that was taken in before changes nothing."""
    before = await services.read(lambda: services.store.read(TokenSpool, report.spool))
    if before is not None and report.report <= before.report:
        return
    uses = tuple(
        TokenUse(
            id=f"{report.spool}/{row.row}",
            created_ms=row.hour_ms,
            tenant=row.tenant,
            project=row.project,
            key=row.key,
            model=row.model,
            endpoint=row.endpoint,
            requests=row.requests,
            prompt_tokens=row.prompt_tokens,
            cached_tokens=row.cached_tokens,
            completion_tokens=row.completion_tokens,
        )
        for row in report.rows
    )
    known = await services.read(
        lambda: {each.id: services.store.read(TokenUse, each.id) for each in uses}
    )
    command = CountTokens(
        spool=report.spool,
        report=report.report,
        uses=uses,
        closed=report.closed,
        after=before.report if before else 0,
        meters=tuple(entry for each in uses for entry in more(each, known[each.id])),
    )
    await services.leader.submit(command, receipt=None)


@verb
async def spent(
    caller: Caller, services: Services, *, since_ms: int, others: tuple[str, ...]
) -> SpendingView:
    """Tokens since then by key and by project, without what the spools `others` counted: their gateway knows better."""
    sums: dict[str, int] = {}

    def read() -> None:
        for use in _uses(services.store, Query(since_ms=since_ms)):
            if use.id.partition("/")[0] in others:
                continue
            for subject in (use.key, f"{use.tenant}/{use.project}"):
                tokens = use.prompt_tokens + use.completion_tokens
                sums[subject] = sums.get(subject, 0) + tokens

    await services.read(read)
    items = tuple(SpentView(subject=name, tokens=sums[name]) for name in sorted(sums))
    return SpendingView(since_ms=since_ms, items=items)


def _named(by: tuple[str, ...], subject: tuple[str, ...]) -> dict[str, str]:
    named = dict(zip(by, subject, strict=True))
    if "hour" in named:
        began = datetime.fromtimestamp(int(named["hour"]) // 1000, UTC)
        named["hour"] = began.strftime("%Y-%m-%dT%H:%M:%SZ")
    return named


def _uses(store: Store, query: Query) -> Iterator[TokenUse]:
    query = replace(query, limit=PAGE_LIMIT)
    while True:
        page = store.page(TokenUse, query)
        yield from page.items
        if not page.next:
            return
        query = replace(query, cursor=page.next)
