"""The model registry: names, versions, aliases, and pushing what was made elsewhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from gigawatt.sdk.artifacts import Artifacts, Progress
from gigawatt.sdk.model_views import (
    AliasMoveView,
    LineageGraphView,
    ModelCardView,
    ModelVersionView,
    ModelView,
)
from gigawatt.sdk.paging import Listing
from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import Page


class Models:
    """`client.models`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def push(
        self,
        name: str,
        directory: "str | Path",
        *,
        allow_pickle: bool = False,
        aliases: Sequence[str] = (),
        metrics: Mapping[str, float] | None = None,
        progress: Progress | None = None,
    ) -> ModelVersionView:
        """Store a directory's files and register them as the next version of `name`.

        Raises:
            RefusalError: the directory is missing, empty, or holds something that is not a plain file, or pickles
                without `allow_pickle`.
            ApiError, UnreachableError.
        """
        if not allow_pickle:
            from gigawatt.weights.local import check_pickles  # loads the parsers

            check_pickles(Path(directory))
        sent = Artifacts(self._transport).send_tree(Path(directory), progress=progress)
        return self.register(name, sent.digest, aliases=aliases, metrics=metrics)

    def import_files(
        self,
        name: str,
        path: "str | Path",
        *,
        allow_pickle: bool = False,
        aliases: Sequence[str] = (),
        source: str = "",
        progress: Progress | None = None,
    ) -> ModelVersionView:
        """Check a directory in Hugging Face's layout, a safetensors or a GGUF file, and push it as `name`'s next version.

        `source` is what its lineage says of where it is from.

        Raises:
            RefusalError: it is damaged or its parts disagree (the file and the numbers are named), it holds nothing
                that is known, or pickles without `allow_pickle`.
            ApiError, UnreachableError.
        """
        from gigawatt.weights.local import check_import  # only those who import load the parsers

        place = Path(path)
        found = check_import(place, allow_pickle=allow_pickle)
        artifacts = Artifacts(self._transport)
        sent = artifacts.send_tree(place, progress=progress)
        here = f"{found.format} imported from {place.name or place.resolve().name}"
        return self.register(name, sent.digest, aliases=aliases, source=source or here)

    def export(
        self, reference: str, directory: "str | Path", *, progress: Progress | None = None
    ) -> ModelVersionView:
        """Put the files of "name", "name:3" or "name@alias" below `directory`, every byte checked against its digest.

        What an export before left there is taken up. Raises RefusalError, ApiError, UnreachableError.
        """
        from gigawatt.sdk.fetch import fetch_tree

        version = self.version(reference)
        fetch_tree(self._transport, version["digest"], Path(directory), progress=progress)
        return version

    def version(self, reference: str) -> ModelVersionView:
        """The version that "name", "name:3" or "name@alias" means. Raises ApiError, UnreachableError."""
        return cast(
            "ModelVersionView",
            self._transport.read(_version_path(reference), self._transport.place),
        )

    def register(  # noqa: PLR0913 - each is a field of the version
        self,
        name: str,
        digest: str,
        *,
        aliases: Sequence[str] = (),
        metrics: Mapping[str, float] | None = None,
        job: str = "",
        source: str = "",
        card: str = "",
    ) -> ModelVersionView:
        """Register what is stored under `digest` as the next version of `name`. Raises ApiError, UnreachableError."""
        body: dict[str, Any] = {
            "name": name,
            "digest": digest,
            "aliases": list(aliases),
            "metrics": dict(metrics or {}),
        }
        told = {"job": job, "source": source, "card": card}
        body.update({name: text for name, text in told.items() if text})
        return cast(
            "ModelVersionView",
            self._transport.write("POST", "/v1/models", body, params=self._transport.place),
        )

    def find(self, name: str) -> ModelView:
        """A name with its versions, newest first. Raises ApiError, UnreachableError."""
        return cast("ModelView", self._transport.read(_path(name), self._transport.place))

    def alias(self, name: str, alias: str, number: int, *, reason: str = "") -> ModelView:
        """Let `name@alias` mean version `number` from now on. Raises ApiError, UnreachableError."""
        path = f"{_path(name)}/aliases/{quote(alias, safe='')}"
        body: dict[str, Any] = {"number": number}
        if reason:
            body["reason"] = reason
        return cast(
            "ModelView", self._transport.write("PUT", path, body, params=self._transport.place)
        )

    def unalias(self, name: str, alias: str, *, reason: str = "") -> ModelView:
        """Take an alias away. Raises ApiError, UnreachableError."""
        path = f"{_path(name)}/aliases/{quote(alias, safe='')}"
        params = {**self._transport.place, "reason": reason}
        return cast("ModelView", self._transport.write("DELETE", path, params=params))

    def moves(self, name: str, *, alias: str = "") -> Listing[AliasMoveView]:
        """What the name's aliases meant, and who moved them when and why; newest first.

        Raises ApiError, UnreachableError.
        """

        def page(**filters: Any) -> Page[AliasMoveView]:
            params = {**self._transport.place, "alias": alias, **filters}
            return cast("Page[AliasMoveView]", self._transport.read(f"{_path(name)}/moves", params))

        return Listing(page, {})

    def card(self, reference: str) -> ModelCardView:
        """The card of "name", "name:3" or "name@alias". Raises ApiError, UnreachableError."""
        path = f"{_version_path(reference)}/card"
        return cast("ModelCardView", self._transport.read(path, self._transport.place))

    def set_card(self, reference: str, text: str) -> ModelCardView:
        """Give a version another card: Markdown, which may begin with metadata in YAML between lines of `---`.

        Raises ApiError, UnreachableError.
        """
        path = f"{_version_path(reference)}/card"
        return cast(
            "ModelCardView",
            self._transport.write("PUT", path, {"text": text}, params=self._transport.place),
        )

    def lineage(self, reference: str) -> LineageGraphView:
        """What "name", "name:3" or "name@alias" was made from, and what serves it. Raises ApiError, UnreachableError."""
        path = f"{_version_path(reference)}/lineage"
        return cast("LineageGraphView", self._transport.read(path, self._transport.place))

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


def _version_path(reference: str) -> str:
    for separator in ("@", ":"):
        name, found, selector = reference.partition(separator)
        if found:
            return f"{_path(name)}/versions/{quote(selector or separator, safe='')}"
    return f"{_path(reference)}/versions/latest"
