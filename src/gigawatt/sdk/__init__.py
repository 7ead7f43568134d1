"""The Python client: everything that the API can do, typed, and nothing that the server needs.

`Client` finds the instance on this machine by itself. The names below load when they are first used, so that asking
for one module of this package does not load an HTTP client.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gigawatt.sdk.batch import Batch
    from gigawatt.sdk.client import Client
    from gigawatt.sdk.errors import (
        ApiError,
        GigawattError,
        JobFailedError,
        RemoteError,
        RemoteTraceback,
        ResultError,
        UnreachableError,
    )
    from gigawatt.sdk.function import JobFunction, job
    from gigawatt.sdk.futures import Future, as_completed, wait
    from gigawatt.sdk.jobhandle import Job
    from gigawatt.sdk.options import JobOptions

__all__ = [
    "ApiError",
    "Batch",
    "Client",
    "Future",
    "GigawattError",
    "Job",
    "JobFailedError",
    "JobFunction",
    "JobOptions",
    "RemoteError",
    "RemoteTraceback",
    "ResultError",
    "UnreachableError",
    "as_completed",
    "job",
    "wait",
]

_HOMES = {
    "ApiError": "gigawatt.sdk.errors",
    "Batch": "gigawatt.sdk.batch",
    "Client": "gigawatt.sdk.client",
    "Future": "gigawatt.sdk.futures",
    "GigawattError": "gigawatt.sdk.errors",
    "Job": "gigawatt.sdk.jobhandle",
    "JobFailedError": "gigawatt.sdk.errors",
    "JobFunction": "gigawatt.sdk.function",
    "JobOptions": "gigawatt.sdk.options",
    "RemoteError": "gigawatt.sdk.errors",
    "RemoteTraceback": "gigawatt.sdk.errors",
    "ResultError": "gigawatt.sdk.errors",
    "UnreachableError": "gigawatt.sdk.errors",
    "as_completed": "gigawatt.sdk.futures",
    "job": "gigawatt.sdk.function",
    "wait": "gigawatt.sdk.futures",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
