"""An event loop in virtual time: where everything waits, time jumps to the first thing that is due."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """As asyncio.run. Nothing in it may wait for threads, processes or sockets: time does not wait for these."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def clock(begun_ms: int) -> Callable[[], int]:
    """Milliseconds of the running loop, the first of which is `begun_ms`."""
    return lambda: begun_ms + round(asyncio.get_running_loop().time() * 1000)


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time` begins at 0 and passes only while nothing is ready to run."""

    def __init__(self) -> None:
        self._jumps = _Jumps()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.now_s


class _Jumps(selectors.SelectSelector):
    """Passes the time that it is asked to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everything waits, and nothing is due"
        self.now_s += max(timeout, 0.0)
        return super().select(0)
