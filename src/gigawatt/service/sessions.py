"""Sessions: keys that a sign-in made. Who has one can see it, end it, and end all others of the same account."""

from dataclasses import dataclass

from gigawatt import clock
from gigawatt.model.command import RevokeKey
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import ApiKey, Caller
from gigawatt.service.key_sessions import CODE_MS
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services
from gigawatt.service.sign_in import BY, SignIn
from gigawatt.service.views.account import ConsoleCodeView
from gigawatt.store.base import Query

PAGE = 200
ENTRANCE = "/console/sign-in"  # where the console takes codes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderView:
    """An OpenID provider: where browsers begin (`start`), and as what a command line asks it (`client_id`)."""

    name: str
    issuer: str
    client_id: str
    scopes: tuple[str, ...]
    start: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvidersView:
    providers: tuple[ProviderView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """`csrf` goes into the header X-CSRF-Token of a browser's writes; `key` is there once, for command lines."""

    name: str
    role: str
    tenant: str
    project: str
    expires_ms: int
    csrf: str
    key: str


def providers(services: Services) -> ProvidersView:
    """Whom one can sign in by; nobody, where the operator has named none. Needs no caller."""
    signing = services.sign_in
    found = signing.providers.values() if signing else ()
    return ProvidersView(
        providers=tuple(
            ProviderView(
                name=each.form.name,
                issuer=each.form.issuer,
                client_id=each.audiences[1],
                scopes=tuple(dict.fromkeys(("openid", *each.form.scopes))),
                start=f"/v1/sign-in/{each.form.name}/start",
            )
            for each in found
        )
    )


def signing_in(services: Services) -> SignIn:
    """Raises RefusalError (not-found) where nobody can sign in so."""
    if services.sign_in is None:
        raise RefusalError(
            RefusalCode.NOT_FOUND,
            "this instance knows no OpenID provider",
            hint="use an API key; operators name providers by GIGAWATT_SIGN_IN",
        )
    return services.sign_in


def session_view(services: Services, key: ApiKey, secret: str = "") -> SessionView:
    """A session as its owner sees it; with its key, where that is shown."""
    return SessionView(
        name=key.name,
        role=key.role.value,
        tenant=key.tenant,
        project=key.project,
        expires_ms=key.expires_ms,
        csrf=services.sign_in.csrf(key.id) if services.sign_in else "",
        key=secret,
    )


@verb
async def show(caller: Caller, services: Services) -> SessionView:
    """The session that the caller has. Raises RefusalError (not-found) for who signed in by no provider."""
    return session_view(services, await _own(caller, services))


@verb
async def code(caller: Caller, services: Services) -> ConsoleCodeView:
    """A code that signs one browser in as the caller. Raises RefusalError (unsupported) for who has no key."""
    if not caller.key:
        raise RefusalError(RefusalCode.UNSUPPORTED, "only an API key can sign a browser in")
    made = services.key_sessions.code(caller.key)
    return ConsoleCodeView(path=f"{ENTRANCE}?code={made}", expires_ms=clock.now_ms() + CODE_MS)


@verb
async def end(caller: Caller, services: Services, *, everywhere: bool) -> None:
    """End the caller's session, and all that its account has, if so asked. Raises RefusalError as `show` does."""
    own = await _own(caller, services)
    ended = await _all_of(services, own) if everywhere else [own]
    for key in ended:
        command = RevokeKey(id=key.id, tenant=key.tenant, by=caller.name)
        await services.leader.submit(command, receipt=None)
        services.keyring.forget(key.id)
        services.doors.forget(key.id)
        services.revocations.tell(key.id)


async def _own(caller: Caller, services: Services) -> ApiKey:
    key = None
    if caller.key:
        key = await services.read(lambda: services.store.read(ApiKey, caller.key))
    if key is None or not key.created_by.startswith(BY):
        hint = "an API key is revoked by: gw keys revoke ID"
        raise RefusalError(RefusalCode.NOT_FOUND, "this key is no session of a sign-in", hint=hint)
    return key


async def _all_of(services: Services, own: ApiKey) -> list[ApiKey]:
    """All of the account that are not over yet."""
    found: list[ApiKey] = []
    now_ms, cursor = clock.now_ms(), ""
    while True:
        query = Query(tenant=own.tenant, limit=PAGE, cursor=cursor)
        page = await services.read(lambda query=query: services.store.page(ApiKey, query))
        found += [
            each
            for each in page.items
            if each.created_by == own.created_by
            and each.revoked_ms is None
            and each.expires_ms > now_ms
        ]
        if not page.next:
            return found
        cursor = page.next
