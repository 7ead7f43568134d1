"""The instance looks at itself, for who must vouch for it."""

import asyncio
from typing import TypeVar

from gigawatt import clock
from gigawatt.model.tenant import ApiKey, Caller, Project, Tenant
from gigawatt.service.permissions import verb
from gigawatt.service.posture import Result, Seen, findings
from gigawatt.service.services import Services
from gigawatt.service.views.self_audit import FindingView, SelfAuditView
from gigawatt.store.base import Query

PAGE = 200

E = TypeVar("E", ApiKey, Project, Tenant)


@verb
async def report(caller: Caller, services: Services) -> SelfAuditView:
    """Every check, with what it saw."""
    seen = await _seen(services)
    now_ms = clock.now_ms()
    found = await asyncio.to_thread(findings, services.posture, seen, now_ms=now_ms)
    results = [each.result for each in found]
    return SelfAuditView(
        at_ms=now_ms,
        passed=results.count(Result.PASS),
        failed=results.count(Result.FAIL),
        findings=tuple(
            FindingView(
                check=each.check,
                result=each.result.value,
                evidence=each.evidence,
                hint=each.hint,
            )
            for each in found
        ),
    )


async def _seen(services: Services) -> Seen:
    able = services.engine.capabilities()
    secrets, faults = await asyncio.to_thread(services.secrets.tried)
    signing = services.sign_in
    providers = (each.form.issuer for each in signing.providers.values()) if signing else ()
    return Seen(
        keys=await _all(services, ApiKey),
        projects=await _all(services, Project),
        tenants=len(await _all(services, Tenant)),
        classes=able.isolation,
        least=able.least,
        providers=tuple(providers),
        secrets=secrets,
        faults=faults,
    )


async def _all(services: Services, kind: type[E]) -> tuple[E, ...]:
    found: list[E] = []
    cursor = ""
    while True:
        query = Query(limit=PAGE, cursor=cursor)
        page = await services.read(lambda query=query: services.store.page(kind, query))
        found += page.items
        if not page.next:
            return tuple(found)
        cursor = page.next
