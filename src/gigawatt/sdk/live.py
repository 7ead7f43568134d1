"""A rank that runs, of a job or of an endpoint's replica: commands beside it, itself, its ports, its files.

What is talked to is asynchronous (`run`, `attach`, `connect`); forwarding and copying have both forms.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gigawatt.sdk.instance import Address

if TYPE_CHECKING:
    from gigawatt.rank.copy import Copied
    from gigawatt.sdk.forwarding import PortForward
    from gigawatt.sdk.talks import Talk

Told = Callable[[int, int], object]  # bytes through, of how many


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Of a terminal; `term` is its kind, as in TERM."""

    rows: int = 24
    columns: int = 80
    term: str = "xterm-256color"


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """`path` is the job's or endpoint's in the API, `params` which rank or replica of it."""

    address: Address
    path: str
    params: Mapping[str, "str | int"]

    async def run(self, *command: str, window: Window | None = None) -> "Talk":
        """Start a command in the rank's directory and environment, with a terminal if it has a window.

        It ends, with all that it started, when the talk is closed. Raises ApiError, UnreachableError.
        """
        shape = window and {"rows": window.rows, "columns": window.columns, "term": window.term}
        start = {"command": list(command), "window": shape}
        return await self._open("exec", start)

    async def attach(self) -> "Talk":
        """The rank's output from now on, and its input if it was started with a terminal (`started["terminal"]`).

        Raises ApiError, UnreachableError.
        """
        return await self._open("attach", None)

    async def connect(self, port: int) -> "Talk":
        """A connection to a TCP port of the rank's host. Raises ApiError, UnreachableError."""
        return await self._open(f"ports/{port}", None)

    def port_forward(
        self, *ports: "int | tuple[int, int]", bind: str = "127.0.0.1"
    ) -> "PortForward":
        """Listen here for what is to go to ports there: `8080`, or `(8080, 80)` for 8080 here to 80 there; 0 here is
        any free one. A context manager, `with` or `async with`; `ports` are those that are listened on.
        """
        from gigawatt.sdk.forwarding import Forward, PortForward

        pairs = [(each, each) if isinstance(each, int) else each for each in ports]
        forwards = tuple(Forward(here=here, there=there) for here, there in pairs)
        return PortForward(self, forwards, bind=bind)

    def copy_from(
        self, source: str, target: "str | Path", *, follow: bool = False, told: Told | None = None
    ) -> "Copied":
        """Copy a file or directory from the rank: verified, whole or not at all. `follow` copies what links point to.

        Raises RefusalError, ApiError, UnreachableError, OSError.
        """
        from gigawatt.sdk import copies

        return copies.now(copies.fetch(self, source, Path(target), follow=follow, told=told))

    def copy_to(
        self, source: "str | Path", target: str, *, follow: bool = False, told: Told | None = None
    ) -> "Copied":
        """Copy a file or directory to the rank, into its directory where `target` is relative.

        Raises RefusalError, ApiError, UnreachableError, OSError.
        """
        from gigawatt.sdk import copies

        return copies.now(copies.push(self, Path(source), target, follow=follow, told=told))

    async def _open(self, what: str, start: Mapping[str, object] | None) -> "Talk":
        from gigawatt.sdk.talks import open_talk

        return await open_talk(self.address, f"{self.path}/{what}", self.params, start=start)
