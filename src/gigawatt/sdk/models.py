"""The model registry: names, versions, aliases, and pushing what was made elsewhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from gigawatt.sdk.artifacts import Artifacts, Progress
from gigawatt.sdk.paging import Listing
from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import ModelVersionView, ModelView, Page


class Models:
    """`client.models`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def push(
        self,
        name: str,
        directory: "str | Path",
        *,
        aliases: Sequence[str] = (),
        metrics: Mapping[str, float] | None = None,
        progress: Progress | None = None,
    ) -> ModelVersionView:
        """Store a directory's files and register them as the next version of `name`.

        Raises:
            RefusalError: the directory is missing, empty, or holds something that is not a plain file.
            ApiError, UnreachableError.
        """
        sent = Artifacts(self._transport).send_tree(Path(directory), progress=progress)
        return self.register(name, sent.digest, aliases=aliases, metrics=metrics)

    def register(
        self,
        name: str,
        digest: str,
        *,
        aliases: Sequence[str] = (),
        metrics: Mapping[str, float] | None = None,
        job: str = "",
    ) -> ModelVersionView:
        """Register what is stored under `digest` as the next version of `name`. Raises ApiError, UnreachableError."""
        body: dict[str, Any] = {
            "name": name,
            "digest": digest,
            "aliases": list(aliases),
            "metrics": dict(metrics or {}),
        }
        if job:
            body["job"] = job
        return cast(
            "ModelVersionView",
            self._transport.write("POST", "/v1/models", body, params=self._transport.place),
        )

    def find(self, name: str) -> ModelView:
        """A name with its versions, newest first. Raises ApiError, UnreachableError."""
        return cast("ModelView", self._transport.read(_path(name), self._transport.place))

    def alias(self, name: str, alias: str, number: int) -> ModelView:
        """Let `name@alias` mean version `number` from now on. Raises ApiError, UnreachableError."""
        path = f"{_path(name)}/aliases/{quote(alias, safe='')}"
        return cast(
            "ModelView",
            self._transport.write("PUT", path, {"number": number}, params=self._transport.place),
        )

    def unalias(self, name: str, alias: str) -> ModelView:
        """Take an alias away. Raises ApiError, UnreachableError."""
        path = f"{_path(name)}/aliases/{quote(alias, safe='')}"
        return cast(
            "ModelView", self._transport.write("DELETE", path, params=self._transport.place)
        )

    def page(self, **filters: Any) -> Page[ModelView]:
        """One page; filters as for jobs. Raises ApiError, UnreachableError."""
        return cast(
            "Page[ModelView]",
            self._transport.read("/v1/models", {**self._transport.place, **filters}),
        )

    def list(self, **filters: Any) -> Listing[ModelView]:
        """Every name that the filters let through. Raises ApiError, UnreachableError."""
        return Listing(self.page, filters)


def _path(name: str) -> str:
    return f"/v1/models/{quote(name, safe='')}"
