"""`@gw.job`: functions and classes that can be called here, or run as jobs."""

import asyncio
import functools
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, Unpack, cast, overload

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.rank.call import live
from gigawatt.sdk.batch import Batch
from gigawatt.sdk.options import JobOptions, check_options
from gigawatt.sdk.travel import check_target

if TYPE_CHECKING:
    from gigawatt.sdk.client import Client
    from gigawatt.sdk.futures import Future

P = ParamSpec("P")
R = TypeVar("R")
Out_co = TypeVar("Out_co", covariant=True)

MAP_ITEMS_MAX = 10_000
SENDERS = 8  # calls of a map that are submitted at once
PLACE = (
    "GIGAWATT_API",
    "GIGAWATT_TOKEN",
    "GIGAWATT_TOKEN_FILE",
    "GIGAWATT_CA_FILE",
    "GIGAWATT_DATA",
    "GIGAWATT_PROJECT",
)


class Lifecycle(Protocol[Out_co]):
    """What a class that is a job has: `run()`, and if it likes `setup()` before it and `teardown()` after it."""

    def run(self) -> Out_co:
        """The work of one rank; what it returns is the rank's result."""
        ...


class JobFunction(Generic[P, R]):
    """A function, or a class with `run()`, that can run as a job. Calling it runs it here, as ever."""

    is_gigawatt_job = True
    __name__: str  # the target's, as its other names and its docstring

    def __init__(
        self, target: Callable[P, Any], options: JobOptions, client: "Client | None" = None
    ) -> None:
        check_options(options)
        check_target(target)
        functools.update_wrapper(self, target, updated=())
        self.__wrapped__: Callable[P, Any] = target
        self._options = options
        self._client = client

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it here and now, without a job; a class is constructed, set up, run and torn down."""
        return cast("R", live(self.__wrapped__, args, kwargs))

    def __repr__(self) -> str:
        return f"<job function {self.__wrapped__.__qualname__}>"

    def options(self, **options: Unpack[JobOptions]) -> "JobFunction[P, R]":
        """The same function with these options in place of its own; the others stay."""
        return JobFunction(self.__wrapped__, {**self._options, **options}, self._client)

    def using(self, client: "Client") -> "JobFunction[P, R]":
        """The same function, submitted through `client` instead of the one that the environment names."""
        return JobFunction(self.__wrapped__, self._options, client)

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        """Run it as a job: every rank calls it with these arguments.

        Raises:
            RefusalError: the function or its arguments cannot travel, or are over a limit; nothing was sent.
            ApiError: refused by the API; no job was made.
            UnreachableError.
        """
        from gigawatt.sdk.calls import prepare

        prepared = prepare(self._chosen(), self.__wrapped__, self._options)
        return prepared.send(args, kwargs)

    def map(self, *iterables: Iterable[Any]) -> "Batch[R]":
        """A job for each item, or for each group of items that several iterables give; all are submitted at once.

        Its code goes along once. If one cannot be submitted, those that were are cancelled. Raises as `submit` does.
        """
        from gigawatt.sdk.calls import prepare

        items = list(zip(*iterables, strict=False))
        if len(items) > MAP_ITEMS_MAX:
            detail = f"{len(items)} items in one map, of at most {MAP_ITEMS_MAX}"
            hint = "let one call take several items"
            raise RefusalError(RefusalCode.LIMIT, detail, field="items", hint=hint)
        if not items:
            return Batch([])
        prepared = prepare(self._chosen(), self.__wrapped__, self._options)
        with ThreadPoolExecutor(SENDERS, thread_name_prefix="gigawatt-map") as senders:
            sent = [
                senders.submit(prepared.send, item, {}, number=number)
                for number, item in enumerate(items)
            ]
        failed = next((each.exception() for each in sent if each.exception()), None)
        if failed is not None:
            Batch([each.result() for each in sent if not each.exception()]).cancel()
            raise failed
        return Batch([each.result() for each in sent])

    async def submit_async(self, *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        """`submit`, without blocking the event loop. The future can be awaited."""
        return await asyncio.to_thread(self.submit, *args, **kwargs)

    async def map_async(self, *iterables: Iterable[Any]) -> "Batch[R]":
        """`map`, without blocking the event loop. `async for` gives the results in order."""
        return await asyncio.to_thread(self.map, *iterables)

    def _chosen(self) -> "Client":
        return self._client or default_client()


@overload
def job(target: Callable[P, Lifecycle[R]], /) -> JobFunction[P, R]: ...
@overload
def job(target: Callable[P, R], /) -> JobFunction[P, R]: ...
@overload
def job(**options: Unpack[JobOptions]) -> "Decorator": ...
def job(target: Any = None, /, **options: Unpack[JobOptions]) -> Any:
    """Make a function or a class a job: `@gw.job`, or with options `@gw.job(nodes=2, gpus=8)`.

    Called, it runs here; `submit(...)` runs it as a job and gives a future, `map(items)` a job for each item. Options
    are those of `JobOptions`. Raises TypeError for an option that there is not, and for what cannot be a job.
    """
    if target is None:
        return Decorator(options)
    made: JobFunction[..., Any] = JobFunction(target, options)
    return made


class Decorator:
    """What `gw.job(...)` with options gives."""

    def __init__(self, options: JobOptions) -> None:
        check_options(options)
        self._options = options

    @overload
    def __call__(self, target: Callable[P, Lifecycle[R]], /) -> JobFunction[P, R]: ...
    @overload
    def __call__(self, target: Callable[P, R], /) -> JobFunction[P, R]: ...
    def __call__(self, target: Any, /) -> Any:
        made: JobFunction[..., Any] = JobFunction(target, self._options)
        return made


def default_client() -> "Client":
    """The client of the instance that the environment names; one for all functions, until the environment changes.

    Raises UnreachableError.
    """
    from gigawatt.sdk.client import Client

    named = (*(os.environ.get(name, "") for name in PLACE), str(os.getpid()))
    with _lock:
        if named not in _clients:
            _clients[named] = Client()
        return _clients[named]


_lock = threading.Lock()
_clients: "dict[tuple[str, ...], Client]" = {}
