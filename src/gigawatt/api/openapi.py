"""The OpenAPI document: FastAPI's paths and parameters, and from the declared operations bodies, answers and problems."""

from collections.abc import Iterable
from typing import Any, get_args, get_origin

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from gigawatt.api.operations import IF_MATCH_PATTERN, Operation, Routes
from gigawatt.api.problems import MEDIA_TYPE
from gigawatt.service.views.text import PageView

REF = "#/components/schemas/{model}"
DESCRIPTION = "Build, train and serve AI on shared accelerators. Every list pages by `cursor`."

_STRING = {"type": "string"}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong, by RFC 9457.",
    "properties": {
        "type": {"type": "string", "pattern": "^urn:gigawatt:problem:"},
        "title": _STRING,
        "status": {"type": "integer"},
        "detail": _STRING,
        "hint": {"type": "string", "description": "What to do about it."},
        "field": {"type": "string", "description": "The dotted path of what is wrong."},
        "faults": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": _STRING, "detail": _STRING, "hint": _STRING},
                "required": ["field", "detail", "hint"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "hint", "field", "faults"],
}
IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key again gets the first answer and changes nothing.",
    "schema": {"type": "string", "maxLength": 255},
}
IF_MATCH: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag that was read: refused with 412 if the object has changed since.",
    "schema": {"type": "string", "pattern": IF_MATCH_PATTERN},
}


def document(app: FastAPI, groups: Iterable[Routes]) -> dict[str, Any]:
    """The whole document."""
    described = get_openapi(
        title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes
    )
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    for routes in groups:
        for (method, path), operation in routes.operations.items():
            _complete(described["paths"][path][method.lower()], operation, schemas)
    described["components"] = {
        "schemas": dict(sorted(schemas.items())),
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
    }
    described["security"] = [{"key": []}]
    return described


def _complete(entry: dict[str, Any], operation: Operation, schemas: dict[str, Any]) -> None:
    entry["tags"] = [operation.verb.partition(".")[0] or "health"]
    if not operation.verb:
        entry["security"] = []
    if operation.accepts is not None:
        schema = _schema(operation.accepts, "validation", schemas)
        content = {"application/json": {"schema": schema}}
        entry["requestBody"] = {"required": True, "content": content}
    if operation.uploads:
        content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
        entry["requestBody"] = {"required": True, "content": content}
    headers = [IDEMPOTENCY_KEY] if operation.writes else []
    headers += [IF_MATCH] if operation.versioned else []
    if headers:
        entry["parameters"] = [*entry.get("parameters", []), *headers]
    entry["responses"] = _responses(operation, schemas)


def _responses(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    good = {operation.status: operation.responds, **operation.also}
    responses = {
        str(status): _response(operation, view, schemas) for status, view in sorted(good.items())
    }
    ref = {"$ref": REF.format(model="Problem")}
    refused = {"description": "Refused, or failed", "content": {MEDIA_TYPE: {"schema": ref}}}
    return {**responses, "default": refused}


def _response(operation: Operation, view: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if view is not None:
        schema = _schema(view, "serialization", schemas)
        return {"description": "Done", "content": {"application/json": {"schema": schema}}}
    if operation.media_type == "application/json":
        return {"description": "Done"}
    return {"description": "Done", "content": {operation.media_type: {"schema": _STRING}}}


def _schema(kind: Any, mode: JsonSchemaMode, schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to the schema of a form or view, which is put among `schemas` with all that it holds."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    schema = adapter.json_schema(mode=mode, ref_template=REF)
    schemas |= schema.pop("$defs", {})
    name = _name(kind)
    if not name:
        return schema
    schemas[name] = {**schema, "title": name}
    return {"$ref": REF.format(model=name)}


def _name(kind: Any) -> str:
    """The component's name; empty for what is none, like a mapping."""
    if get_origin(kind) is PageView:
        return f"{get_args(kind)[0].__name__.removesuffix('View')}Page"
    return kind.__name__ if isinstance(kind, type) and get_origin(kind) is None else ""
