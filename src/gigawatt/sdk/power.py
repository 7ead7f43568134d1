"""The power tree: feeds, their caps, and what gangs draw."""

from typing import Any, TypedDict, cast
from urllib.parse import quote

from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import Page


class FeedView(TypedDict):
    """Watts. `cap` is null where there is none."""

    name: str
    parent: str
    cap: float | None
    drawn: float
    supplies: list[str]
    version: int


class Power:
    """`client.power`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(self, **filters: Any) -> Page[FeedView]:
        """One page of feeds. Raises ApiError, UnreachableError."""
        return cast("Page[FeedView]", self._transport.read("/v1/power", filters))

    def find(self, name: str) -> FeedView:
        """Raises ApiError, UnreachableError."""
        return cast("FeedView", self._transport.read(_path(name)))

    def change(self, name: str, **terms: Any) -> FeedView:
        """Make a feed or change it; what is not named stays as it is.

        `cap` in watts or as text ("120kW"), None for no cap; `parent`, empty for the top; `supplies`, a list of
        LEVEL=NAME. Raises ApiError, UnreachableError.
        """
        return cast("FeedView", self._transport.write("PUT", _path(name), terms))

    def remove(self, name: str) -> FeedView:
        """Raises ApiError, UnreachableError."""
        return cast("FeedView", self._transport.write("DELETE", _path(name)))


def _path(name: str) -> str:
    return f"/v1/power/{quote(name, safe='')}"
