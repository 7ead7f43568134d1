"""What stands in an endpoint's line."""

from typing import Protocol

from gigawatt.gateway.affinity import Affinity
from gigawatt.gateway.errors import ErrorReply
from gigawatt.gateway.replica import Backend


class Waiter(Protocol):
    """A request in line."""

    @property
    def avoid(self) -> Backend | None:
        """The replica that has failed it already."""
        ...

    @property
    def affinity(self) -> Affinity | None: ...

    @property
    def point(self) -> float:
        """Where it falls, in [0, 1), among revisions that share the requests."""
        ...

    @property
    def urgency(self) -> int:
        """More urgent ones go first."""
        ...

    def assign(self, backend: Backend) -> None: ...

    @property
    def prompt_tokens(self) -> int:
        """About how many."""
        ...

    def turn_away(self, error: ErrorReply) -> None: ...

    def keep_alive(self, position: int, now_s: float) -> None:
        """Tell its client, where it can be told, that it still waits."""
        ...
