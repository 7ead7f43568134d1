"""Notifications: webhooks and mailboxes that are told what happens."""

from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import quote

from gigawatt.sdk.standing_views import (
    DeliveryView,
    NotificationView,
    RedeliveryView,
    TrialView,
)
from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import Page


class Notifications:
    """`client.notifications`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self, name: str, *, on: Sequence[str], webhook: str = "", **more: Any
    ) -> NotificationView:
        """Tell `webhook` of events of the kinds `on`, or `email`, a list of addresses.

        `more`: email, format (json, slack), labels, jobs, secrets, per_minute.

        Raises ApiError, UnreachableError.
        """
        body = {"name": name, "on": list(on), **more}
        if webhook:
            body["webhook"] = webhook
        params = self._transport.place
        found = self._transport.write("POST", "/v1/notifications", body, params=params)
        return cast("NotificationView", found)

    def page(self, **filters: Any) -> Page[NotificationView]:
        """One page, newest first. Raises ApiError, UnreachableError."""
        params = {**self._transport.place, **filters}
        return cast("Page[NotificationView]", self._transport.read("/v1/notifications", params))

    def find(self, name: str) -> NotificationView:
        """Raises ApiError, UnreachableError."""
        return cast("NotificationView", self._transport.read(_path(name), self._transport.place))

    def deliveries(self, name: str, **filters: Any) -> Page[DeliveryView]:
        """One page of its messages, newest first. `phase`: pending, delivered, dead. Raises ApiError, UnreachableError."""
        params = {**self._transport.place, **filters}
        return cast("Page[DeliveryView]", self._transport.read(f"{_path(name)}/deliveries", params))

    def redeliver(self, name: str, messages: Sequence[str] = ()) -> RedeliveryView:
        """Send dead messages again: these, or all. Raises ApiError, UnreachableError."""
        path, body = f"{_path(name)}/redeliver", {"messages": list(messages)}
        found = self._transport.write("POST", path, body, params=self._transport.place)
        return cast("RedeliveryView", found)

    def test(self, name: str) -> TrialView:
        """Have a message sent now, and say how it went. Raises ApiError, UnreachableError."""
        path = f"{_path(name)}/test"
        return cast("TrialView", self._transport.write("POST", path, params=self._transport.place))

    def remove(self, name: str) -> None:
        """Raises ApiError, UnreachableError."""
        self._transport.write("DELETE", _path(name), params=self._transport.place)


def _path(name: str) -> str:
    return f"/v1/notifications/{quote(name, safe='')}"
