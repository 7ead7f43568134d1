"""What of a request goes on to a workspace, and what of its answer comes back. Pure.

A browser's cookies belong to whoever set them: a workspace's are kept apart by a prefix to their name and by its path,
and it is shown no others. Neither keys nor our own cookie ever go on.
"""

from collections.abc import Iterable

RawHeaders = list[tuple[bytes, bytes]]

COOKIE = b"gigawatt-workspace"  # ours: what `service.doors` gives out
COOKIE_PREFIX = b"gw-"  # of the names of a workspace's own
TOKEN_HEADER = b"x-gigawatt-desk"
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
NEVER_ON = frozenset({b"authorization", b"cookie", b"forwarded", TOKEN_HEADER})
NEVER_BACK = frozenset(
    {
        b"clear-site-data",  # would sign a person out of other workspaces
        b"service-worker-allowed",  # would let a worker see other workspaces' paths
        b"set-cookie",
        b"strict-transport-security",
    }
)


def value(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """The first of that (lower-case) name; empty where there is none."""
    return next((each.decode("latin-1") for key, each in headers if key.lower() == name), "")


def own_cookie(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The value of our cookie; empty where there is none."""
    return next((each.decode("latin-1") for name, each in _cookies(headers) if name == COOKIE), "")


def onward(headers: RawHeaders, *, token: str, scheme: str) -> RawHeaders:
    """What goes on to the workspace."""
    dropped = HOP_BY_HOP | NEVER_ON | _named_in_connection(headers)
    kept = [
        (name, each)
        for name, each in headers
        if name not in dropped and not name.startswith((b"x-forwarded-", b"sec-websocket-"))
    ]
    theirs = [
        name.removeprefix(COOKIE_PREFIX) + b"=" + each
        for name, each in _cookies(headers)
        if name.startswith(COOKIE_PREFIX)
    ]
    if theirs:
        kept.append((b"cookie", b"; ".join(theirs)))
    kept.append((b"x-forwarded-proto", scheme.encode()))
    kept.append((TOKEN_HEADER, token.encode()))
    return kept


def back(headers: Iterable[tuple[bytes, bytes]], *, base: str) -> RawHeaders:
    """What of an answer comes back to the browser."""
    raw = [(name.lower(), each) for name, each in headers]
    dropped = HOP_BY_HOP | NEVER_BACK | _named_in_connection(raw)
    kept = [(name, each) for name, each in raw if name not in dropped]
    kept += [
        (b"set-cookie", kept_apart(each, base=base)) for name, each in raw if name == b"set-cookie"
    ]
    return kept


def kept_apart(cookie: bytes, *, base: str) -> bytes:
    """A workspace's cookie under a name and below a path of its own, for this host alone."""
    named, *attributes = cookie.split(b";")
    path = base.encode()
    kept: list[bytes] = []
    for each in attributes:
        name, _, given = each.strip().partition(b"=")
        if name.lower() == b"path" and given.startswith(base.encode()):
            path = given
        elif name.lower() not in {b"path", b"domain"}:
            kept.append(each.strip())
    return b"; ".join([COOKIE_PREFIX + named.strip(), b"Path=" + path, *kept])


def session_cookie(session: str, *, base: str, secure: bool) -> bytes:
    """Our cookie for a browser that has come in: no script reads it, and no other path gets it."""
    parts = [COOKIE + b"=" + session.encode(), b"Path=" + base.encode()]
    parts += [b"HttpOnly", b"SameSite=Lax"]
    return b"; ".join([*parts, b"Secure"] if secure else parts)


def _cookies(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    found: list[tuple[bytes, bytes]] = []
    for name, each in headers:
        if name.lower() == b"cookie":
            for pair in each.split(b";"):
                key, _, given = pair.strip().partition(b"=")
                found.append((key, given))
    return found


def _named_in_connection(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    return frozenset(
        word.strip().lower()
        for name, each in headers
        if name.lower() == b"connection"
        for word in each.split(b",")
    )
