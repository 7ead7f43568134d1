"""What a method and a path ask for."""

from dataclasses import dataclass
from enum import StrEnum

from gigawatt.gateway.errors import ErrorReply, malformed, unknown_url, wrong_method


class Action(StrEnum):
    CALL = "call"  # pass on to a replica of the model that the body names
    MODELS = "models"
    MODEL = "model"
    HEALTH = "health"
    READY = "ready"
    METRICS = "metrics"
    OPTIONS = "options"
    DESK = "desk"  # files and batches


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    action: Action
    path: str
    model: str = ""  # of MODEL
    streams: bool = False  # of CALL: the reply can be a stream, with usage in its last chunk
    states_usage: bool = False  # of CALL: its streams do so unasked
    allow: str = ""  # of OPTIONS


CALLS = {
    "/v1/chat/completions": Route(action=Action.CALL, path="/v1/chat/completions", streams=True),
    "/v1/completions": Route(action=Action.CALL, path="/v1/completions", streams=True),
    "/v1/embeddings": Route(action=Action.CALL, path="/v1/embeddings"),
    "/v1/responses": Route(
        action=Action.CALL, path="/v1/responses", streams=True, states_usage=True
    ),
}
READS = {
    "/v1/models": Route(action=Action.MODELS, path="/v1/models"),
    "/health": Route(action=Action.HEALTH, path="/health"),
    "/readyz": Route(action=Action.READY, path="/readyz"),
    "/metrics": Route(action=Action.METRICS, path="/metrics"),
}
MODEL_PREFIX = "/v1/models/"
DESK: dict[tuple[str, ...], str] = {  # words of the path below /v1, * for an id
    ("files",): "GET, HEAD, POST, OPTIONS",
    ("files", "*"): "GET, HEAD, DELETE, OPTIONS",
    ("files", "*", "content"): "GET, HEAD, OPTIONS",
    ("batches",): "GET, HEAD, POST, OPTIONS",
    ("batches", "*"): "GET, HEAD, OPTIONS",
    ("batches", "*", "cancel"): "POST, OPTIONS",
}
CALL_METHODS = "POST, OPTIONS"
READ_METHODS = "GET, HEAD, OPTIONS"

# The one lookup that most requests need.
_DIRECT = {(b"POST", path.encode()): route for path, route in CALLS.items()}


def find_route(method: bytes, target: bytes) -> Route | ErrorReply:
    """`target` as it stands in the request line: a path with its query, an absolute URL, or `*`."""
    direct = _DIRECT.get((method, target))
    if direct is not None:
        return direct
    verb = method.decode("ascii", "replace")
    path = _path(target)
    if path is None:
        return malformed("The path of the request is neither a path nor a URL in UTF-8.")
    if verb == "OPTIONS" and path == "*":
        return Route(action=Action.OPTIONS, path=path, allow="GET, HEAD, POST, OPTIONS")
    known, allow = _known(path)
    if known is None:
        return unknown_url(verb, path)
    if verb == "OPTIONS":
        return Route(action=Action.OPTIONS, path=path, allow=allow)
    if verb not in allow.split(", "):
        return wrong_method(verb, path, allow)
    return known


def origin_form(target: bytes) -> bytes:
    """A request target without scheme and host, as a replica is asked for it."""
    if target.startswith(b"/"):
        return target
    for scheme in (b"http://", b"https://"):
        if target[: len(scheme)].lower() == scheme:
            slash = target.find(b"/", len(scheme))
            return b"/" if slash < 0 else target[slash:]
    return target


def _known(path: str) -> tuple[Route | None, str]:
    if path in CALLS:
        return CALLS[path], CALL_METHODS
    if path in READS:
        return READS[path], READ_METHODS
    if path.startswith(MODEL_PREFIX) and len(path) > len(MODEL_PREFIX):
        model = path.removeprefix(MODEL_PREFIX)
        return Route(action=Action.MODEL, path=path, model=model), READ_METHODS
    return _desk(path)


def _desk(path: str) -> tuple[Route | None, str]:
    """Of files and batches."""
    words = (
        path.removeprefix("/v1/").split("/")
        if path.startswith(("/v1/files", "/v1/batches"))
        else []
    )
    if "" in words:
        return None, ""
    named = tuple("*" if n == 1 else word for n, word in enumerate(words))
    allow = DESK.get(named, "")
    return (Route(action=Action.DESK, path=path) if allow else None), allow


def _path(target: bytes) -> str | None:
    """The path alone, percent-decoded; None if it is not text."""
    raw = origin_form(target).partition(b"?")[0].partition(b"#")[0]
    try:
        return _unquoted(raw).decode()
    except UnicodeDecodeError:
        return None


def _unquoted(raw: bytes) -> bytes:
    if b"%" not in raw:
        return raw
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(raw)
