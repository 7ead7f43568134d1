"""What the gateway answers itself: the models a key may see, and how the gateway is."""

import json

from gigawatt.gateway.access import find_endpoint, may_list, visible
from gigawatt.gateway.config import Config, EndpointConfig, KeyConfig, names_of
from gigawatt.gateway.errors import ErrorReply

JSON = b"content-type: application/json\r\n"
METRICS = b"content-type: text/plain; version=0.0.4; charset=utf-8\r\n"


def models_body(config: Config, key: KeyConfig) -> bytes | ErrorReply:
    """The body of `GET /v1/models`."""
    refusal = may_list(key)
    if refusal is not None:
        return refusal
    return json.dumps(
        {
            "object": "list",
            "data": [
                _model(endpoint, name)
                for endpoint in visible(config, key)
                for name in names_of(endpoint)
            ],
        }
    ).encode()


def model_body(config: Config, key: KeyConfig, model: str) -> bytes | ErrorReply:
    """The body of `GET /v1/models/{model}`."""
    refusal = may_list(key)
    if refusal is not None:
        return refusal
    endpoint = find_endpoint(config, key, model)
    if isinstance(endpoint, ErrorReply):
        return endpoint
    return json.dumps(_model(endpoint, model)).encode()


def health_body(gateway_id: str) -> bytes:
    return json.dumps({"status": "ok", "gateway": gateway_id}).encode()


def ready_body(config: Config, *, control_up: bool) -> bytes:
    return json.dumps(
        {
            "status": "ready",
            "instance": config.instance,
            "revision": config.revision,
            "control_plane": "up" if control_up else "down",
        }
    ).encode()


def _model(endpoint: EndpointConfig, name: str) -> dict[str, object]:
    return {
        "id": name,
        "object": "model",
        "created": endpoint.created_ms // 1000,
        "owned_by": endpoint.project or endpoint.tenant,
        "endpoint": endpoint.name,
        "phase": endpoint.phase,
        "replicas_ready": sum(replica.ready for replica in endpoint.replicas),
    }
