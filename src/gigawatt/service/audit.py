"""The audit record: what writes do is put on it with them; what is refused before, and who signs in, a moment later."""

from collections.abc import Awaitable
from dataclasses import replace

from gigawatt import clock
from gigawatt.model.audit import AuditNote, AuditOutcome
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller, Role
from gigawatt.service.acting import ACTING, note_of, recorded
from gigawatt.service.permissions import verb, within
from gigawatt.service.services import Services
from gigawatt.service.sign_in import Session
from gigawatt.service.users import forget_keys
from gigawatt.service.views.audit import AuditCheckView, AuditView, audit_view, check_view
from gigawatt.service.views.text import PageView
from gigawatt.store.base import AuditQuery


@verb
async def page(caller: Caller, services: Services, query: AuditQuery) -> PageView[AuditView]:
    """Records that the caller can see, newest first: its tenant's, for operators all."""
    tenant, project = within(caller, query.tenant, query.project)
    asked = replace(query, tenant=tenant, project=project)
    found = await services.read(lambda: services.store.audit(asked))
    more = len(found) == asked.limit
    return PageView(
        items=[audit_view(each) for each in found], next=str(found[-1].seq) if more else ""
    )


@verb
async def check(caller: Caller, services: Services) -> AuditCheckView:
    """Whether the record is whole and as it was written. How long it is only operators are told."""
    found = await services.read(services.store.check_audit)
    return check_view(found, whole=caller.role is Role.OPERATOR)


async def signed_in(services: Services, authorization: str, *, address: str) -> Caller:
    """The caller behind an Authorization header. Raises RefusalError, and has it put on record."""
    try:
        caller = await services.keyring.authenticate(authorization, address=address)
    except RefusalError as error:
        if authorization:
            services.audit.record(
                AuditNote(
                    at_ms=clock.now_ms(),
                    verb="keys.authenticate",
                    outcome=AuditOutcome.REFUSED,
                    address=address,
                    detail=error.code.value,
                )
            )
        raise
    for key, new in services.keyring.uses.moves():
        if key == caller.key:
            services.audit.record(
                AuditNote(
                    at_ms=clock.now_ms(),
                    verb="keys.used_from_new_address",
                    outcome=AuditOutcome.DONE,
                    tenant=caller.tenant,
                    project=caller.project,
                    actor=caller.name,
                    role=caller.role.value,
                    user=caller.user,
                    key=key,
                    address=new,
                    target=f"apikey:{key}",
                )
            )
    return caller


async def session_begun(
    services: Services, session: Awaitable[Session], *, address: str
) -> Session:
    """The session that a sign-in asks for; made or refused, that is put on record. Raises RefusalError."""
    note = AuditNote(
        at_ms=clock.now_ms(), verb="sessions.begin", outcome=AuditOutcome.DONE, address=address
    )
    try:
        made = await session
    except RefusalError as error:
        services.audit.record(replace(note, outcome=AuditOutcome.REFUSED, detail=error.code.value))
        raise
    finally:
        for user in services.sign_in.changed() if services.sign_in else ():
            forget_keys(services, user)
    key = made.key
    services.audit.record(
        replace(
            note,
            tenant=key.tenant,
            project=key.project,
            actor=key.name,
            role=key.role.value,
            user=key.user,
            key=key.id,
            target=f"apikey:{key.id}",
        )
    )
    return made


def refused(services: Services, error: RefusalError) -> None:
    """Put on record that the one who acts was not allowed to."""
    acting = ACTING.get()
    if error.code is RefusalCode.FORBIDDEN and acting is not None and recorded(acting):
        note = note_of(
            acting, at_ms=clock.now_ms(), outcome=AuditOutcome.REFUSED, detail=error.code.value
        )
        services.audit.record(note)
