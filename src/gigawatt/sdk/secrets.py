"""Secrets of a project, by name."""

from typing import cast
from urllib.parse import quote

from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import Page, RotationView, SecretView


class Secrets:
    """`client.secrets`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def put(self, name: str, value: str, *, url: str = "") -> SecretView:
        """Keep `value`: for ranks; or, `user:password` or a token, to be sent below `url` alone.

        Raises ApiError, UnreachableError.
        """
        body = {"value": value, "url": url}
        params = self._transport.place
        return cast("SecretView", self._transport.write("PUT", _path(name), body, params=params))

    def page(self) -> Page[SecretView]:
        """All of a project, without their values. Raises ApiError, UnreachableError."""
        found = self._transport.read("/v1/secrets", self._transport.place)
        return cast("Page[SecretView]", found)

    def rotate(self) -> RotationView:
        """New keys for all secrets of the instance. Raises ApiError, UnreachableError."""
        return cast("RotationView", self._transport.write("POST", "/v1/secret-keys/rotate"))

    def remove(self, name: str) -> None:
        """Raises ApiError, UnreachableError."""
        self._transport.write("DELETE", _path(name), params=self._transport.place)


def _path(name: str) -> str:
    return f"/v1/secrets/{quote(name, safe='')}"
