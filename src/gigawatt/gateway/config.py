"""What the control plane tells the gateway: keys, endpoints and replicas, parsed once into frozen values.

Unknown fields are let pass, so that a newer control plane can add some. Anything else that is not as expected is
refused as a whole, and the gateway goes on with the configuration it has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from gigawatt.model.endpoint import NO_NAMES, Names, Routing
from gigawatt.model.tokens import NO_ALLOWANCE, Allowance

NO_REVISION = -1


class ConfigError(ValueError):
    """A configuration that cannot be used; the text names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyConfig:
    sha256: str
    tenant: str
    project: str  # empty: every project of the tenant
    id: str
    role: str
    expires_ms: int  # 0 is never
    allowance: Allowance = NO_ALLOWANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaConfig:
    id: str
    host: str
    port: int
    ready: bool
    generation: int = 0  # the revision that it is of


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionConfig:
    """One of two revisions that are served at once."""

    generation: int
    weight: int  # its part of the requests
    concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    id: str
    tenant: str
    project: str
    name: str
    served_name: str
    concurrency: int
    queue_max: int
    queue_timeout_s: float
    routing: Routing
    phase: str
    message: str
    replicas: tuple[ReplicaConfig, ...]
    created_ms: int
    gauges_of: str = ""  # the runtime whose gauges the control plane wants to hear of
    start_ms: int = 0  # that a replica took to start when one last did; 0: not known
    starting_ms: int = 0  # since when one is starting; 0: none is
    names: Names = NO_NAMES
    revisions: tuple[RevisionConfig, ...] = ()  # while one takes the place of another


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    revision: int
    instance: str
    keys: Mapping[str, KeyConfig]  # by SHA-256 of the key, in hex
    endpoints: tuple[EndpointConfig, ...]  # by id
    served: Mapping[tuple[str, str], tuple[EndpointConfig, ...]]  # by tenant and any of its names
    projects: Mapping[str, Allowance]  # by tenant/name, those with any limit
    spent: frozenset[str] = frozenset()  # projects (tenant/name) and tenants whose budget is spent


def parse_config(document: object) -> Config:
    """Raises ConfigError."""
    root = _object(document, "configuration")
    keys = [_key(item, f"keys[{n}]") for n, item in enumerate(_items(root, "keys", ""))]
    endpoints = [
        _endpoint(item, f"endpoints[{n}]") for n, item in enumerate(_items(root, "endpoints", ""))
    ]
    endpoints.sort(key=lambda endpoint: endpoint.id)
    served: dict[tuple[str, str], tuple[EndpointConfig, ...]] = {}
    for endpoint in endpoints:
        for name in names_of(endpoint):
            at = (endpoint.tenant, name)
            served[at] = (*served.get(at, ()), endpoint)
    return Config(
        revision=_integer(root, "revision", ""),
        instance=_text(root, "instance", "", default=""),
        keys={key.sha256: key for key in keys},
        endpoints=tuple(endpoints),
        served=served,
        projects={
            _text(project, "id", f"projects[{n}]"): _allowance(project, f"projects[{n}]")
            for n, project in enumerate(_objects(root, "projects"))
        },
        spent=frozenset(
            _text(each, "id", f"spent[{n}]") for n, each in enumerate(_objects(root, "spent"))
        ),
    )


def names_of(endpoint: EndpointConfig) -> tuple[str, ...]:
    """Every name that it is served by, each once."""
    names = endpoint.names
    return tuple(dict.fromkeys((endpoint.served_name, *names.aliases, *names.adapters)))


def _key(item: object, at: str) -> KeyConfig:
    fields = _object(item, at)
    return KeyConfig(
        sha256=_text(fields, "sha256", at).lower(),
        tenant=_text(fields, "tenant", at),
        project=_text(fields, "project", at, default=""),
        id=_text(fields, "id", at),
        role=_text(fields, "role", at),
        expires_ms=_integer(fields, "expires_ms", at, default=0),
        allowance=_allowance(fields, at),
    )


def _allowance(fields: Mapping[str, object], at: str) -> Allowance:
    given = fields.get("allowance")
    if not given:
        return NO_ALLOWANCE
    at = f"{at}.allowance"
    amounts = _object(given, at)
    return Allowance(
        requests_per_s=_integer(amounts, "requests_per_s", at, default=0),
        tokens_per_min=_integer(amounts, "tokens_per_min", at, default=0),
        concurrent=_integer(amounts, "concurrent", at, default=0),
        tokens_per_month=_integer(amounts, "tokens_per_month", at, default=0),
    )


def _endpoint(item: object, at: str) -> EndpointConfig:
    fields = _object(item, at)
    replicas = [
        _replica(replica, f"{at}.replicas[{n}]")
        for n, replica in enumerate(_items(fields, "replicas", at))
    ]
    return EndpointConfig(
        id=_text(fields, "id", at),
        tenant=_text(fields, "tenant", at),
        project=_text(fields, "project", at),
        name=_text(fields, "name", at),
        served_name=_text(fields, "served_name", at),
        concurrency=_integer(fields, "concurrency", at, least=1),
        queue_max=_integer(fields, "queue_max", at),
        queue_timeout_s=_number(fields, "queue_timeout_s", at),
        routing=_routing(fields, at),
        phase=_text(fields, "phase", at, default=""),
        message=_text(fields, "message", at, default=""),
        replicas=tuple(sorted(replicas, key=lambda replica: replica.id)),
        created_ms=_integer(fields, "created_ms", at, default=0),
        gauges_of=_text(fields, "gauges_of", at, default=""),
        start_ms=_integer(fields, "start_ms", at, default=0),
        starting_ms=_integer(fields, "starting_ms", at, default=0),
        names=Names(
            aliases=_texts(fields, "aliases", at),
            adapters=_texts(fields, "adapters", at),
            weight=_integer(fields, "weight", at, default=0),
            fallback=_text(fields, "fallback", at, default=""),
        ),
        revisions=tuple(
            _revision(each, f"{at}.revisions[{n}]")
            for n, each in enumerate(_objects(fields, "revisions"))
        ),
    )


def _revision(fields: Mapping[str, object], at: str) -> RevisionConfig:
    return RevisionConfig(
        generation=_integer(fields, "generation", at),
        weight=_integer(fields, "weight", at),
        concurrency=_integer(fields, "concurrency", at, least=1),
    )


def _replica(item: object, at: str) -> ReplicaConfig:
    fields = _object(item, at)
    return ReplicaConfig(
        id=_text(fields, "id", at),
        host=_text(fields, "host", at),
        port=_integer(fields, "port", at, least=1),
        ready=fields.get("ready") is True,
        generation=_integer(fields, "generation", at, default=0),
    )


def _routing(fields: Mapping[str, object], at: str) -> Routing:
    """One that is not known here is a newer control plane's: any replica will do."""
    name = _text(fields, "routing", at, default=Routing.LEAST.value)
    return next((each for each in Routing if each.value == name), Routing.LEAST)


def _object(value: object, at: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ConfigError(f"{at}: an object is needed, not {type(value).__name__}")
    return cast("Mapping[str, object]", value)


def _items(fields: Mapping[str, object], name: str, at: str) -> list[object]:
    value = fields.get(name)
    if not isinstance(value, list):
        raise ConfigError(f"{_path(at, name)}: a list is needed, not {type(value).__name__}")
    return cast("list[object]", value)


def _objects(fields: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    """Of a list that may be left out."""
    items = _items(fields, name, "") if fields.get(name) is not None else []
    return [_object(item, f"{name}[{n}]") for n, item in enumerate(items)]


def _texts(fields: Mapping[str, object], name: str, at: str) -> tuple[str, ...]:
    """Of a list that may be left out."""
    items = _items(fields, name, at) if fields.get(name) is not None else []
    for item in items:
        if not isinstance(item, str):
            raise ConfigError(f"{_path(at, name)}: texts are needed, not {item!r}")
    return tuple(cast("list[str]", items))


def _text(fields: Mapping[str, object], name: str, at: str, *, default: str | None = None) -> str:
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise ConfigError(f"{_path(at, name)}: a text is needed, not {value!r}")
    return value


def _integer(
    fields: Mapping[str, object], name: str, at: str, *, least: int = 0, default: int | None = None
) -> int:
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(
            f"{_path(at, name)}: an integer of at least {least} is needed, not {value!r}"
        )
    return value


def _number(fields: Mapping[str, object], name: str, at: str) -> float:
    value = fields.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:
        raise ConfigError(f"{_path(at, name)}: a number of at least 0 is needed, not {value!r}")
    return float(value)


def _path(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name
