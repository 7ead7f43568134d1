"""Who may call what: an API key's holder, and the endpoints that it may see."""

from hashlib import sha256

from gigawatt.gateway.config import Config, EndpointConfig, KeyConfig, names_of
from gigawatt.gateway.errors import ErrorReply, forbidden, model_not_found, unauthenticated
from gigawatt.model.endpoint import EndpointPhase
from gigawatt.model.tenant import Role
from gigawatt.routing.split import pick

CALLERS = frozenset(
    {Role.DEVELOPER, Role.PROJECT_ADMIN, Role.TENANT_ADMIN, Role.OPERATOR, Role.RANK}
)
LISTERS = CALLERS | {Role.VIEWER}
GONE = frozenset({EndpointPhase.STOPPING, EndpointPhase.STOPPED})

COMPARED_CHARS_MAX = 128  # longer names are not worth the time a spelling hint takes


def authenticate(config: Config, authorization: bytes, *, now_ms: int) -> KeyConfig | ErrorReply:
    """The holder of the key in an Authorization header; an error for none, a wrong or an expired one.

    The key is hashed and the hash looked up, whatever was sent: the time taken tells nothing about keys there are.
    """
    scheme, _, token = authorization.partition(b" ")
    key = config.keys.get(sha256(token.strip()).hexdigest())
    if not authorization:
        return unauthenticated("No API key. Send it as `Authorization: Bearer KEY`.")
    if scheme.lower() != b"bearer":
        return unauthenticated("The API key must be sent as `Authorization: Bearer KEY`.")
    if key is None:
        return unauthenticated("The API key is not valid here.")
    if key.expires_ms and key.expires_ms <= now_ms:
        return unauthenticated("The API key has expired.")
    return key


def may_call(key: KeyConfig) -> ErrorReply | None:
    if key.role in CALLERS:
        return None
    return forbidden(f"A key with the role {key.role} may not call models.")


def may_list(key: KeyConfig) -> ErrorReply | None:
    if key.role in LISTERS:
        return None
    return forbidden(f"A key with the role {key.role} may not list models.")


def visible(config: Config, key: KeyConfig) -> list[EndpointConfig]:
    """The endpoints of the key's tenant (and project, if it has one), by served name."""
    seen = [endpoint for endpoint in config.endpoints if _sees(key, endpoint)]
    return sorted(seen, key=lambda endpoint: (endpoint.served_name, endpoint.id))


def find_endpoint(
    config: Config, key: KeyConfig, model: str, *, point: float = 0.0
) -> EndpointConfig | ErrorReply:
    """The endpoint that serves `model` to this key; where several share it by weight, the one at `point` in [0, 1)."""
    found = [each for each in config.served.get((key.tenant, model), ()) if _sees(key, each)]
    if len(found) == 1:
        return found[0]
    if found:
        return found[pick([each.names.weight for each in found], point)]
    names = [name for endpoint in visible(config, key) for name in names_of(endpoint)]
    return model_not_found(model[:COMPARED_CHARS_MAX], near=_nearest(model, names), models=names)


def _sees(key: KeyConfig, endpoint: EndpointConfig) -> bool:
    return (
        endpoint.tenant == key.tenant
        and (not key.project or endpoint.project == key.project)
        and endpoint.phase not in GONE
    )


def _nearest(model: str, names: list[str]) -> str | None:
    if len(model) > COMPARED_CHARS_MAX:
        return None
    from difflib import get_close_matches  # only mistakes need it

    near = get_close_matches(model, names, n=1)
    return near[0] if near else None
