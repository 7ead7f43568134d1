"""Everything that goes wrong, as problems by RFC 9457: refusals, bad queries, unknown paths, and our own mistakes."""

import json
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.spec.faults import query_faults, refusal

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:gigawatt:problem:"

TITLES = {
    RefusalCode.INVALID: "The request is not valid",
    RefusalCode.UNKNOWN_FIELD: "The request has an unknown field",
    RefusalCode.NOT_FOUND: "Not found",
    RefusalCode.GONE: "It was there and was removed",
    RefusalCode.CONFLICT: "The request conflicts with what is",
    RefusalCode.IMPOSSIBLE: "No cluster of this size could ever do it",
    RefusalCode.UNAUTHENTICATED: "The request has no valid key",
    RefusalCode.FORBIDDEN: "This key may not do that",
    RefusalCode.TOO_LARGE: "Too large",
    RefusalCode.DIGEST_MISMATCH: "The content does not have this digest",
    RefusalCode.UNSUPPORTED: "Not supported here",
    RefusalCode.KEY_REUSED: "The idempotency key was used for another request",
    RefusalCode.STALE_VERSION: "The object has changed",
    RefusalCode.LIMIT: "A limit is reached",
    RefusalCode.BUDGET_SPENT: "The budget is spent",
    RefusalCode.DISK_FULL: "The disk is full",
    RefusalCode.UNAVAILABLE: "Not available now",
}
_OF_STATUS = {
    400: ("bad-request", "The request cannot be read"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "This path does not have that method"),
}


def problem_fields(error: RefusalError) -> dict[str, Any]:
    """A refusal as a problem's members."""
    return {
        "type": TYPE_PREFIX + error.code.value,
        "title": TITLES[error.code],
        "status": error.status,
        "detail": error.detail,
        "hint": error.hint,
        "field": error.field,
        "faults": [
            {"field": fault.field, "detail": fault.detail, "hint": fault.hint}
            for fault in error.faults
        ],
    }


def problem(error: RefusalError) -> Response:
    """The response to a refused request."""
    headers: dict[str, str] = {}
    if error.code is RefusalCode.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = 'Bearer realm="gigawatt"'
    if error.code in {RefusalCode.UNAVAILABLE, RefusalCode.LIMIT}:
        headers["Retry-After"] = str(error.retry_after_s)
    return _response(problem_fields(error), headers)


def internal_problem(request_id: str) -> Response:
    """The response to a request on which we failed: only an id, under which the log has the rest."""
    return _response(internal_fields(request_id), {})


def internal_fields(request_id: str) -> dict[str, Any]:
    """Our own failure as a problem's members."""
    return {
        "type": TYPE_PREFIX + "internal",
        "title": "The control plane made a mistake",
        "status": 500,
        "detail": f"this is a defect of gigawatt; its log has it under {request_id}",
        "hint": "report it with the lines of logs/control-plane.log that have this id",
        "field": "",
        "faults": [],
    }


async def refused(_request: Request, error: Exception) -> Response:
    """For RefusalError."""
    assert isinstance(error, RefusalError)
    return problem(error)


async def bad_query(_request: Request, error: Exception) -> Response:
    """For query and path parameters that are not valid."""
    assert isinstance(error, RequestValidationError)
    return problem(refusal(query_faults(error.errors())))


async def http_error(request: Request, error: Exception) -> Response:
    """For paths and methods that are not there."""
    assert isinstance(error, HTTPException)
    code, title = _OF_STATUS.get(error.status_code, ("http", str(error.detail)))
    fields: dict[str, Any] = {
        "type": TYPE_PREFIX + code,
        "title": title,
        "status": error.status_code,
        "detail": f"{request.method} {request.url.path}: {error.detail}",
        "hint": "GET /openapi.json describes every path",
        "field": "",
        "faults": [],
    }
    return _response(fields, dict(error.headers or {}))


def _response(fields: dict[str, Any], headers: dict[str, str]) -> Response:
    body = json.dumps(fields).encode()
    return Response(
        body, status_code=fields["status"], media_type=MEDIA_TYPE, headers=headers or None
    )
