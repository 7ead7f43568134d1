"""The Python client: everything that the API can do, typed, and nothing that the server needs.

`Client` finds the instance on this machine by itself. The names below load when they are first used, so that asking
for one module of this package does not load an HTTP client.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gigawatt.sdk.client import Client
    from gigawatt.sdk.errors import ApiError, GigawattError, JobFailedError, UnreachableError
    from gigawatt.sdk.jobs import Job

__all__ = [
    "ApiError",
    "Client",
    "GigawattError",
    "Job",
    "JobFailedError",
    "UnreachableError",
]

_HOMES = {
    "ApiError": "gigawatt.sdk.errors",
    "Client": "gigawatt.sdk.client",
    "GigawattError": "gigawatt.sdk.errors",
    "Job": "gigawatt.sdk.jobs",
    "JobFailedError": "gigawatt.sdk.errors",
    "UnreachableError": "gigawatt.sdk.errors",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
