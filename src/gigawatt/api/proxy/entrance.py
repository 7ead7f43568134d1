"""Who may come in: a link's code is exchanged for a cookie, a cookie is looked at, and other origins are kept out."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.types import Scope

from gigawatt.api.proxy.heads import own_cookie, value
from gigawatt.model.workspace import Workspace
from gigawatt.service.services import Services

PREFIX = "/workspaces/"
CODE = "gigawatt-code"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request by its place: the workspace's name, and what of the query is not for us."""

    name: str
    code: str
    rest: str  # of the query

    @property
    def base(self) -> str:
        return f"{PREFIX}{self.name}/"


def visit_of(scope: Scope) -> Visit | None:
    """None for a path that is below no workspace."""
    path: str = scope["path"]
    name, slash, _ = path.removeprefix(PREFIX).partition("/")
    if not path.startswith(PREFIX) or not name or not slash:
        return None
    query = scope["query_string"].decode("latin-1")
    if CODE not in query:
        return Visit(name=name, code="", rest=query)
    pairs = parse_qsl(query, keep_blank_values=True)
    code = next((given for key, given in pairs if key == CODE), "")
    rest = urlencode([(key, given) for key, given in pairs if key != CODE])
    return Visit(name=name, code=code, rest=rest)


async def workspace_of(
    services: Services, scope: Scope, visit: Visit
) -> tuple[Workspace | None, str]:
    """The workspace that the browser's cookie opens, and for which key; None where it opens none, or not this one."""
    cookie = own_cookie(scope["headers"])
    found = await services.doors.entered(cookie, visit.name) if cookie else None
    if found is None:
        return None, ""
    return services.leader.workspace(found.workspace), found.key


def is_navigation(scope: Scope) -> bool:
    """A person opens a page, as far as a browser tells; programs that poll ask for other things."""
    mode = value(scope["headers"], b"sec-fetch-mode")
    if mode:
        return mode == "navigate" and scope["method"] == "GET"
    return scope["method"] == "GET" and "text/html" in value(scope["headers"], b"accept")


def is_from_elsewhere(scope: Scope) -> bool:
    """Another origin's page asks, in a way that its person did not see. What opens a page is let through."""
    headers = scope["headers"]
    origin = value(headers, b"origin")
    if origin and urlsplit(origin).netloc != value(headers, b"host"):
        return True
    site = value(headers, b"sec-fetch-site")
    if site in {"", "none", "same-origin"}:
        return False
    top = value(headers, b"sec-fetch-dest") in {"document", ""}
    return not (scope["type"] == "http" and is_navigation(scope) and top)
