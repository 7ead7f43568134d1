"""Routes with what OpenAPI says of them. Replies are written by hand, so what they are is declared here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

Handler = Callable[..., Any]

PUBLIC = ""  # the verb of routes that need no key
IF_MATCH_PATTERN = r'^(?:\*|(?:W/)?"([0-9]{1,18})")$'  # a version, or whichever there is


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route: its verb (none for public ones), what it takes, and what it answers with when all is well."""

    verb: str
    summary: str
    responds: Any = None  # a view; None for none, or for what is not JSON
    status: int = 200
    also: Mapping[int, Any] = field(default_factory=dict[int, Any])  # other good answers by status
    accepts: type[BaseModel] | None = None
    media_type: str = "application/json"  # of the answer
    dry_run: str = ""  # the verb of a try-out, where the route has one
    uploads: bool = False  # the body is a stream of bytes
    writes: bool = False  # honours Idempotency-Key
    versioned: bool = False  # honours If-Match


@dataclass(slots=True, kw_only=True)
class Routes:
    """The routes of one module, in order."""

    router: APIRouter = field(default_factory=APIRouter)
    operations: dict[tuple[str, str], Operation] = field(
        default_factory=dict[tuple[str, str], Operation]
    )

    def add(self, method: str, path: str, operation: Operation) -> Callable[[Handler], Handler]:
        """Serve `path` with the decorated handler, which returns a Response."""

        def registered(handler: Handler) -> Handler:
            self.router.add_api_route(
                path,
                handler,
                methods=[method],
                operation_id=f"{method.lower()}_{handler.__name__}",
                summary=operation.summary,
                status_code=operation.status,
                response_model=None,
            )
            self.operations[method, path] = operation
            return handler

        return registered
