"""What `@gw.job` is in a rank: the function itself, which may be called; the client is loaded only to submit.

Standard library only and Python 3.9 or later. A module whose functions are jobs is imported in the rank too; there its
decorators must not ask for the client, which the rank may not have, nor wait for it to load.
"""

from __future__ import annotations

import functools
import importlib

from gigawatt.rank.call import live

TYPE_CHECKING = False  # what type checkers take for typing's, which costs milliseconds to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class HereFunction:
    """A decorated function or class; calling it runs it here. All else is the client's, if there is one."""

    is_gigawatt_job = True

    def __init__(self, target: Callable[..., Any], options: dict[str, Any]) -> None:
        functools.update_wrapper(self, target, updated=())
        self.__wrapped__ = target
        self._options = options

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return live(self.__wrapped__, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        """Raises ImportError where this Python does not have the client."""
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            sdk = importlib.import_module("gigawatt.sdk.function")  # this module stands alone
        except ImportError as error:
            raise ImportError(
                f"{name} of a job's function needs gigawatt's client, which this Python does not have ({error}); "
                "add gigawatt to the environment's requirements"
            ) from error
        return getattr(sdk.JobFunction(self.__wrapped__, self._options), name)

    def options(self, **options: Any) -> HereFunction:
        """The same function with other options, which matter where it is submitted."""
        return HereFunction(self.__wrapped__, {**self._options, **options})


def job(target: Any = None, **options: Any) -> Any:
    """The decorator. What it is given was checked where the job was submitted."""
    if target is not None:
        return HereFunction(target, options)
    return functools.partial(HereFunction, options=options)
