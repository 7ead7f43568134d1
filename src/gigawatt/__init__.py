"""gigawatt: the cloud for AI, as software you run.

In a training script: `import gigawatt as gw`, then `gw.report(...)` and `gw.checkpoint(...)`. From outside:
`gw.Client(...)`, and `@gw.job` for functions that run as jobs. Everything is loaded when it is first used. Beside ranks only this file and the rank module are
there, under any Python from 3.9 on; an installed gigawatt further down `sys.path` then gives the rest.
"""

import os
import sys

from gigawatt.version import __version__

TYPE_CHECKING = False  # what type checkers take for typing's, which costs milliseconds to import
if TYPE_CHECKING:
    from gigawatt.rank import (
        checkpoint,
        checkpoint_dir,
        checkpoint_requested,
        report,
        resume_path,
        resume_step,
    )
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
    "__version__",
    "as_completed",
    "checkpoint",
    "checkpoint_dir",
    "checkpoint_requested",
    "job",
    "report",
    "resume_path",
    "resume_step",
    "wait",
]

_RANK = frozenset(
    {
        "checkpoint",
        "checkpoint_dir",
        "checkpoint_requested",
        "report",
        "resume_path",
        "resume_step",
    }
)
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
_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib costs too much here


def __getattr__(name: str) -> object:
    """A name of the rank module, or else of the SDK."""
    if name in _RANK:
        from gigawatt import rank

        return getattr(rank, name)
    if name == "job" and "GIGAWATT_REPORT_DIR" in os.environ:
        from gigawatt.rank import function  # a module of jobs is imported in their ranks too

        return function.job
    if name not in _HOMES:
        raise AttributeError(f"module 'gigawatt' has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(_HOMES[name]), name)
    except ImportError as error:
        raise ImportError(
            f"gigawatt.{name} needs gigawatt's client, which this Python does not have "
            f"({error}); add gigawatt to the environment's requirements"
        ) from error


def _extend_path() -> None:
    """Let submodules that are not beside this file come from an installed gigawatt."""
    for entry in sys.path:
        other = os.path.join(os.path.abspath(entry), "gigawatt")  # noqa: PTH100, PTH118 - as above
        if other not in __path__ and os.path.isfile(os.path.join(other, "__init__.py")):  # noqa: PTH113, PTH118 - as above
            __path__.append(other)


if not os.path.isdir(os.path.join(_HERE, "sdk")):  # noqa: PTH112, PTH118 - as above
    _extend_path()
if "GIGAWATT_REPORT_DIR" in os.environ:
    __getattr__("report")  # in a rank: makes its stacks readable from the start
