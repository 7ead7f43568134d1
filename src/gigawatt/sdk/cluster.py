"""The cluster as an operator sees it: nodes, events, the ledger."""

import json
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import quote

from gigawatt.sdk.fleet_views import FleetView
from gigawatt.sdk.paging import pages
from gigawatt.sdk.transport import Params, Transport
from gigawatt.sdk.views import EventView, LedgerView, NodeView, Page
from gigawatt.sdk.watch import events


class Nodes:
    """`client.nodes`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def find(self, id: str) -> NodeView:
        """Raises ApiError, UnreachableError."""
        return cast("NodeView", self._transport.read(_node_path(id)))

    def change(self, id: str, state: str, *, reason: str = "", within: str | int = 0) -> NodeView:
        """Make a node `ready`, `cordoned` (takes no new gangs), `draining` (and is emptied within that time), or take
        it out: `repair`, `retired`.

        Raises ApiError, UnreachableError.
        """
        body = {"state": state, "reason": reason, "within": within}
        return cast("NodeView", self._transport.write("PUT", f"{_node_path(id)}/state", body))

    def check(self, id: str, level: str = "quick") -> NodeView:
        """Have checks run on a node: `watch`, `quick` or `full`. Raises ApiError, UnreachableError."""
        body = {"level": level}
        return cast("NodeView", self._transport.write("POST", f"{_node_path(id)}/check", body))

    def page(self, **filters: Any) -> Page[NodeView]:
        """One page. Raises ApiError, UnreachableError."""
        return cast("Page[NodeView]", self._transport.read("/v1/nodes", filters))

    def list(self, **filters: Any) -> Iterator[NodeView]:
        """Every node. Raises ApiError, UnreachableError."""
        return pages(self.page, filters)


class Fleet:
    """`client.fleet`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def show(self, *at: str) -> FleetView:
        """The whole site, or the part that these domains name from the site down: counts, and what it is made of.

        Raises ApiError, UnreachableError.
        """
        return cast("FleetView", self._transport.read("/v1/fleet", {"at": at}))


class Events:
    """`client.events`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(self, **filters: Any) -> Page[EventView]:
        """Events, oldest first. Filters: after (a seq), subject, kind, limit. Raises ApiError, UnreachableError."""
        return cast(
            "Page[EventView]",
            self._transport.read("/v1/events", {**self._transport.place, **filters}),
        )

    def newest(self, count: int, **filters: Any) -> Page[EventView]:
        """The last `count` events that the filters let through, oldest first. Raises ApiError, UnreachableError.

        The API pages forward alone, so the place to begin is searched for: how many events come after a number only
        falls as the number grows.
        """
        query = {**filters, "limit": count + 1}
        page = self.page(**query)
        low, high = 0, count
        while len(page["items"]) > count:  # too many after `low`: gallop
            low, high = page["items"][0]["seq"], high * 2
            page = self.page(**query, after=high)
        while high - low > 1 and len(page["items"]) < count:
            middle = (low + high) // 2
            nearer = self.page(**query, after=middle)
            if len(nearer["items"]) > count:
                low = middle
            else:
                high, page = middle, nearer
        return page

    def watch(self, *, after: int | None = None, **filters: Any) -> Iterator[EventView]:
        """Events as they happen, from the one after `after` (default: from now) on, without end or gap.

        Raises ApiError, UnreachableError.
        """

        def params(last_id: str) -> Params:
            return {**self._transport.place, **filters, "after": last_id or after}

        for event in events(self._transport, "/v1/events/watch", params):
            yield cast("EventView", json.loads(event.data))


class Ledger:
    """`client.ledger`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def totals(self, **filters: Any) -> LedgerView:
        """Installed device time by class. Filters: unit, tenant, project, node. Raises ApiError, UnreachableError."""
        return cast(
            "LedgerView", self._transport.read("/v1/ledger", {**self._transport.place, **filters})
        )


def _node_path(id: str) -> str:
    return f"/v1/nodes/{quote(id, safe='')}"
