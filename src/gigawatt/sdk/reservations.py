"""Nodes that are set aside for a time."""

from collections.abc import Sequence
from typing import Any, TypedDict, cast
from urllib.parse import quote

from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import Page

PATH = "/v1/reservations"


class ReservationView(TypedDict):
    """`holder` is a tenant, tenant/project, or empty for nobody."""

    name: str
    phase: str
    nodes: list[str]
    start_ms: int
    end_ms: int
    holder: str
    reason: str
    notice_s: int
    lead_s: int
    plan: str
    by: str
    created_ms: int
    version: int


class Reservations:
    """`client.reservations`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(self, **filters: Any) -> Page[ReservationView]:
        """One page of those that are not over. Raises ApiError, UnreachableError."""
        return cast("Page[ReservationView]", self._transport.read(PATH, filters))

    def find(self, name: str) -> ReservationView:
        """Raises ApiError, UnreachableError."""
        return cast("ReservationView", self._transport.read(_path(name)))

    def make(
        self, name: str, nodes: Sequence[str] = (), *, parts: Sequence[str] = (), **terms: Any
    ) -> ReservationView:
        """Set nodes aside, by name or by parts of the site ("rack=r7").

        `start` and `end` are times, or `duration` is; `holder`, `reason`, `notice`, `lead`, `plan`. Raises ApiError,
        UnreachableError.
        """
        body = {"name": name, "nodes": list(nodes), "parts": list(parts), **terms}
        return cast("ReservationView", self._transport.write("POST", PATH, body))

    def end(self, name: str) -> ReservationView:
        """Give its nodes back before its time. Raises ApiError, UnreachableError."""
        return cast("ReservationView", self._transport.write("DELETE", _path(name)))


def _path(name: str) -> str:
    return f"{PATH}/{quote(name, safe='')}"
