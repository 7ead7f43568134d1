"""One page of the console: its place in the navigation, and the routes that it serves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter

Handler = Callable[..., Any]


@dataclass(slots=True, kw_only=True)
class Page:
    """`name` is that of its entry in the navigation; empty for a page that has none. Paths are below /console."""

    name: str = ""
    router: APIRouter = field(default_factory=APIRouter)

    def shows(self, path: str) -> Callable[[Handler], Handler]:
        """Serve GET of `path` with the decorated handler, which returns a Response."""
        return self._on("GET", path)

    def does(self, path: str) -> Callable[[Handler], Handler]:
        """Serve POST of `path` so. What it returns leads to another page."""
        return self._on("POST", path)

    def _on(self, method: str, path: str) -> Callable[[Handler], Handler]:
        def registered(handler: Handler) -> Handler:
            self.router.add_api_route(path, handler, methods=[method], response_model=None)
            return handler

        return registered
