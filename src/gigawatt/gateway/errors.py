"""The errors that callers of models see: values, in OpenAI's shape, each with its HTTP status."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

INVALID_REQUEST = "invalid_request_error"
RATE_LIMIT = "rate_limit_error"
SERVER = "server_error"

MODELS_NAMED_MAX = 20
STARTING_RETRY_S = 5
BUSY_RETRY_S = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReply:
    status: int
    code: str
    message: str
    type: str = INVALID_REQUEST
    param: str | None = None
    retry_after_s: int | None = None
    allow: str = ""  # of a 405: the methods there are

    def payload(self) -> dict[str, dict[str, str | None]]:
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }

    def body(self) -> bytes:
        return json.dumps(self.payload()).encode()

    def event(self) -> bytes:
        """The same as a server-sent event, for a stream that has begun."""
        return b"event: error\ndata: " + self.body() + b"\n\n"


def malformed(
    detail: str, *, code: str = "malformed_request", param: str | None = None
) -> ErrorReply:
    return ErrorReply(status=400, code=code, message=detail, param=param)


def unauthenticated(detail: str) -> ErrorReply:
    return ErrorReply(status=401, code="invalid_api_key", message=detail)


def forbidden(detail: str) -> ErrorReply:
    return ErrorReply(status=403, code="insufficient_permissions", message=detail)


def unknown_url(method: str, path: str) -> ErrorReply:
    return ErrorReply(
        status=404,
        code="unknown_url",
        message=f"There is nothing at {method} {path}. This gateway answers /v1/chat/completions, "
        "/v1/completions, /v1/embeddings, /v1/responses, /v1/files, /v1/batches and /v1/models.",
    )


def wrong_method(method: str, path: str, allow: str) -> ErrorReply:
    return ErrorReply(
        status=405,
        code="method_not_allowed",
        message=f"{method} is not possible on {path}; use {allow}.",
        allow=allow,
    )


def model_not_found(model: str, *, near: str | None, models: Sequence[str]) -> ErrorReply:
    """`models` are those that the caller may see; `near` is the one it may have meant."""
    if not models:
        known = "No models are served for this API key yet."
    elif len(models) <= MODELS_NAMED_MAX:
        known = f"There are: {', '.join(models)}."
    else:
        more = len(models) - MODELS_NAMED_MAX
        known = f"There are: {', '.join(models[:MODELS_NAMED_MAX])} and {more} more."
    hint = f" Did you mean `{near}`?" if near else ""
    return ErrorReply(
        status=404,
        code="model_not_found",
        message=f"The model `{model}` does not exist.{hint} {known}",
        param="model",
    )


def endpoint_deleted(model: str) -> ErrorReply:
    return ErrorReply(
        status=404,
        code="model_not_found",
        message=f"The endpoint of `{model}` was deleted.",
        param="model",
    )


def too_large(detail: str, *, code: str = "request_too_large") -> ErrorReply:
    return ErrorReply(status=413, code=code, message=detail)


def encoded(encoding: bytes) -> ErrorReply:
    name = encoding[:32].decode("ascii", "replace")
    return ErrorReply(
        status=415,
        code="unsupported_encoding",
        message=f"The body must be sent as it is, not as {name}.",
    )


def not_json(content_type: bytes) -> ErrorReply:
    name = content_type[:64].decode("ascii", "replace")
    return ErrorReply(
        status=415,
        code="unsupported_media_type",
        message=f"The body must be JSON, and its content-type says {name}: send "
        "`content-type: application/json` (curl: -H 'content-type: application/json').",
    )


def timed_out_request(detail: str) -> ErrorReply:
    return ErrorReply(status=408, code="request_timeout", message=detail)


def queue_full(model: str, *, limit: int, ready: int) -> ErrorReply:
    return ErrorReply(
        status=429,
        code="queue_full",
        message=f"The queue of `{model}` is full: {limit} requests wait already.",
        type=RATE_LIMIT,
        retry_after_s=BUSY_RETRY_S if ready else STARTING_RETRY_S,
    )


def shed(model: str) -> ErrorReply:
    return ErrorReply(
        status=429,
        code="gave_way",
        message=f"The queue of `{model}` is full, and a more urgent request took this one's place.",
        type=RATE_LIMIT,
        retry_after_s=STARTING_RETRY_S,
    )


def queue_timeout(model: str, *, waited_s: float, ready: int) -> ErrorReply:
    why = "all its replicas are busy" if ready else "no replica of it has become ready"
    return ErrorReply(
        status=503,
        code="queue_timeout",
        message=f"The request waited {waited_s:.0f} s for `{model}`: {why}.",
        type=SERVER,
        retry_after_s=BUSY_RETRY_S if ready else STARTING_RETRY_S,
    )


def starts_too_late(model: str, *, expected_s: float, deadline_s: float) -> ErrorReply:
    return ErrorReply(
        status=503,
        code="starting",
        message=f"A replica of `{model}` is expected in {expected_s:.0f} s, and a request may wait for "
        f"{deadline_s:.0f} s.",
        type=SERVER,
        retry_after_s=max(math.ceil(expected_s), 1),
    )


def endpoint_failed(model: str, detail: str) -> ErrorReply:
    because = f": {detail}" if detail else ""
    return ErrorReply(
        status=503,
        code="endpoint_failed",
        message=f"`{model}` has failed and has no replica{because}",
        type=SERVER,
    )


def unavailable(code: str, detail: str, *, retry_after_s: int = BUSY_RETRY_S) -> ErrorReply:
    return ErrorReply(
        status=503, code=code, message=detail, type=SERVER, retry_after_s=retry_after_s
    )


def upstream_failed(detail: str) -> ErrorReply:
    return ErrorReply(status=502, code="upstream_failed", message=detail, type=SERVER)


def upstream_timeout(detail: str) -> ErrorReply:
    return ErrorReply(status=504, code="upstream_timeout", message=detail, type=SERVER)


def rate_limited(what: str, holder: str, *, limit: int, wait_s: float | None) -> ErrorReply:
    """`wait_s` is None where waiting does not help: the request alone is more than may be."""
    too_large = " This request alone needs more." if wait_s is None else ""
    return ErrorReply(
        status=429,
        code="rate_limit_exceeded",
        message=f"`{holder}` may have {limit} {what}.{too_large}",
        type=RATE_LIMIT,
        retry_after_s=None if wait_s is None else max(ceil(wait_s), 1),
    )


def money_spent(holder: str) -> ErrorReply:
    """A budget of money, or of tokens of a whole project or tenant, is used up."""
    return ErrorReply(
        status=429,
        code="insufficient_quota",
        message=f"`{holder}` has spent its budget of this month.",
        type="insufficient_quota",
    )


def budget_spent(holder: str, *, limit: int) -> ErrorReply:
    return ErrorReply(
        status=429,
        code="insufficient_quota",
        message=f"`{holder}` has used its {limit} tokens of this month.",
        type="insufficient_quota",
    )
