"""How long a project's things are kept, and removing what need not be."""

from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import quote

from gigawatt.sdk.retention_views import PruneView, RetentionView
from gigawatt.sdk.transport import Transport

DEFAULT_PROJECT = "default"


class Retention:
    """`client.retention`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def find(self) -> RetentionView:
        """The policies of the client's project. Raises ApiError, UnreachableError."""
        return cast("RetentionView", self._transport.read(self._path()))

    def change(self, **keep: str | int) -> RetentionView:
        """Set how long kinds are kept after their last use: jobs, logs, checkpoints, environments, artifacts.

        Each is a duration like "30d" (a number counts seconds), "forever", or "default" for what the instance says.
        Raises ApiError, UnreachableError.
        """
        return cast("RetentionView", self._transport.write("PUT", self._path(), keep))

    def prune(
        self,
        kinds: Sequence[str] = (),
        *,
        older_than: str | int | None = None,
        dry_run: bool = False,
    ) -> PruneView:
        """Remove what need not be kept any more, by the projects' policies or by age; with `dry_run`, only say what.

        No `kinds` are all but caches. Raises ApiError, UnreachableError.
        """
        body: dict[str, Any] = {"kinds": list(kinds)}
        if older_than is not None:
            body["older_than"] = older_than
        params = {**self._transport.place, "dry_run": "true" if dry_run else "false"}
        return cast("PruneView", self._transport.write("POST", "/v1/prune", body, params=params))

    def _path(self) -> str:
        project = self._transport.place.get("project") or DEFAULT_PROJECT
        return f"/v1/projects/{quote(str(project), safe='')}/retention"
