"""What a person writes for a gateway that stands alone: keys with what they may have, and models with their servers."""

import re
from hashlib import sha256
from typing import Annotated, Any

from pydantic import BaseModel, Field

from gigawatt.model.endpoint import EndpointPhase, Routing
from gigawatt.model.refusal import Fault
from gigawatt.model.tenant import DEFAULT_PROJECT, DEFAULT_TENANT, Role
from gigawatt.spec import limits
from gigawatt.spec.faults import refusal
from gigawatt.spec.fields import FORM, Count, Name, ServedName, SomeSeconds, Text
from gigawatt.spec.requests import Amount

MODELS_MAX = 1_000
HTTP_PORT = 80
PORT_MAX = 65_535
SERVER = re.compile(
    r"http://(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<host>[^/:@\[\]\s?#]+))(?::(?P<port>[0-9]{1,5}))?/?"
)
KEYS_MAX = 100_000


class GatewayKeyForm(BaseModel):
    """A key, and what it may have; 0 is without a limit."""

    model_config = FORM
    name: Name
    key: Annotated[str, Field(min_length=8, max_length=limits.SECRET_CHARS_MAX)]
    requests_per_s: Amount = 0
    tokens_per_min: Amount = 0
    concurrent: Amount = 0
    tokens_per_month: Amount = 0


class ServerHealthForm(BaseModel):
    """A server that does not answer GET `path` so often in a row gets no requests until it does. "" asks none."""

    model_config = FORM
    path: Annotated[str, Field(max_length=limits.PATH_CHARS_MAX, pattern="^(/[!-~]*)?$")] = (
        "/health"
    )
    every: SomeSeconds = 5
    failures: Annotated[int, Field(ge=1, le=100)] = 3


class GatewayModelForm(BaseModel):
    """A model, and the OpenAI servers that answer for it."""

    model_config = FORM
    name: ServedName
    servers: Annotated[list[Text], Field(min_length=1, max_length=limits.REPLICAS_MAX)]
    concurrency: Annotated[Count, Field(le=limits.CONCURRENCY_MAX)] = 256
    queue: Annotated[int, Field(ge=0, le=limits.QUEUE_MAX)] = 256
    timeout: SomeSeconds = 300
    routing: Routing = Routing.LEAST
    aliases: Annotated[list[ServedName], Field(max_length=limits.NAMES_MAX)] = []
    adapters: Annotated[list[ServedName], Field(max_length=limits.NAMES_MAX)] = []
    weight: Annotated[int, Field(ge=0, le=limits.WEIGHT_MAX)] = 0
    fallback: ServedName | None = None
    health: ServerHealthForm = Field(default_factory=ServerHealthForm)


class GatewayForm(BaseModel):
    """A whole gateway."""

    model_config = FORM
    keys: Annotated[list[GatewayKeyForm], Field(min_length=1, max_length=KEYS_MAX)]
    models: Annotated[list[GatewayModelForm], Field(min_length=1, max_length=MODELS_MAX)]


def gateway_document(form: GatewayForm, *, revision: int) -> dict[str, Any]:
    """The configuration as a control plane would tell it. Raises RefusalError."""
    return {
        "revision": revision,
        "instance": "",
        "keys": [_key(key) for key in form.keys],
        "endpoints": [_endpoint(model, number) for number, model in enumerate(form.models)],
    }


def server(url: str, number: int) -> tuple[str, int]:
    """Host and port of a server of the model of that number. Raises RefusalError."""
    found = SERVER.fullmatch(url)
    port = int(found["port"] or HTTP_PORT) if found else 0
    if found is None or not 0 < port <= PORT_MAX:
        raise refusal(
            [
                Fault(
                    field=f"models[{number}].servers",
                    detail=f"is not the address of a server: {url}",
                    hint="write http://HOST:PORT",
                )
            ]
        )
    return found["address"] or found["host"], port


def _key(key: GatewayKeyForm) -> dict[str, Any]:
    amounts = key.model_dump(exclude={"name", "key"})
    return {
        "sha256": sha256(key.key.encode()).hexdigest(),
        "tenant": DEFAULT_TENANT,
        "project": "",
        "id": key.name,
        "role": Role.DEVELOPER.value,
        "allowance": amounts if any(amounts.values()) else {},
    }


def _endpoint(model: GatewayModelForm, number: int) -> dict[str, Any]:
    servers = [server(each, number) for each in model.servers]
    return {
        "id": f"{model.name}.{number}",
        "tenant": DEFAULT_TENANT,
        "project": DEFAULT_PROJECT,
        "name": model.name,
        "served_name": model.name,
        "concurrency": model.concurrency,
        "queue_max": model.queue,
        "queue_timeout_s": model.timeout,
        "routing": model.routing.value,
        "aliases": model.aliases,
        "adapters": model.adapters,
        "weight": model.weight,
        "fallback": model.fallback or "",
        "phase": EndpointPhase.READY.value,
        "health": {
            "path": model.health.path,
            "every_s": model.health.every,
            "failures": model.health.failures,
        },
        "replicas": [
            {"id": f"{host}:{port}", "host": host, "port": port, "ready": True}
            for host, port in servers
        ],
    }
