"""What is submitted and comes to an end, a job or an array: what both can do from outside."""

import json
from collections.abc import Generator
from typing import ClassVar, Generic, Self, TypeVar, cast
from urllib.parse import quote

from gigawatt import clock
from gigawatt.sdk.array_views import ArrayView
from gigawatt.sdk.errors import JobFailedError
from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import JobView
from gigawatt.sdk.watch import events

ENDED = frozenset({"succeeded", "failed", "cancelled"})

View = TypeVar("View", JobView, ArrayView)


class Work(Generic[View]):
    """One as the API last described it. `view` is the API's JSON; methods that ask again replace it."""

    kind: ClassVar[str]

    def __init__(self, transport: Transport, view: View) -> None:
        self._transport = transport
        self.view = view
        self._path = f"/v1/{self.kind}s/{quote(view['id'], safe='')}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.id} {self.phase}>"

    @property
    def id(self) -> str:
        return self.view["id"]

    @property
    def name(self) -> str:
        return self.view["name"]

    @property
    def phase(self) -> str:
        return self.view["phase"]

    @property
    def ended(self) -> bool:
        return self.phase in ENDED

    def refresh(self) -> Self:
        """Ask again. Raises ApiError, UnreachableError."""
        self.view = cast("View", self._transport.read(self._path))
        return self

    def watch(self, *, until_s: float | None = None) -> Generator[View]:
        """The view now and at each change, until the end.

        Raises:
            TimeoutError: it is later than `until_s` of the monotonic clock.
            ApiError, UnreachableError.
        """
        for event in events(self._transport, f"{self._path}/watch", lambda _: {}, until_s=until_s):
            if event.event == self.kind:
                self.view = cast("View", json.loads(event.data))
                yield self.view
            if event.event == "end" or (event.event == self.kind and self.ended):
                return

    def wait(self, *, timeout_s: float | None = None, check: bool = True) -> Self:
        """Wait until it has ended, an array with every task.

        Raises:
            TimeoutError: it has not ended after `timeout_s`.
            JobFailedError: it failed or was cancelled, or a task of it, unless `check` is false.
            ApiError, UnreachableError.
        """
        until_s = None if timeout_s is None else clock.monotonic_s() + timeout_s
        if not self.ended:
            for _ in self.watch(until_s=until_s):
                pass
        if check and self.phase != "succeeded":
            raise JobFailedError(
                job_id=self.id, name=self.name, phase=self.phase, message=self.view["message"]
            )
        return self

    def cancel(self) -> Self:
        """Stop it for good: what runs of it, and what does not yet. Raises ApiError, UnreachableError."""
        self.view = cast("View", self._transport.write("POST", f"{self._path}/cancel"))
        return self

    def retry(self) -> Self:
        """Run it again, of an array the tasks that failed or were cancelled. Raises ApiError, UnreachableError."""
        self.view = cast("View", self._transport.write("POST", f"{self._path}/retry"))
        return self
