"""Calls of functions as jobs: what is the same for every call is made once, and then sent with each one's arguments."""

import base64
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from gigawatt import clock
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.rank.call import CALL, CALL_FORMAT, INLINE, PICKLE_PROTOCOL
from gigawatt.sdk.client import Client
from gigawatt.sdk.futures import Future
from gigawatt.sdk.jobfile import Ready, Written, made_ready
from gigawatt.sdk.options import JobOptions, fields_of, named
from gigawatt.sdk.results import Trust
from gigawatt.sdk.travel import Route, route_of, within

ARGUMENT_BYTES_MAX = 256 << 20  # of one call, pickled
INLINE_BYTES_MAX = 24 << 10  # what goes in the job's own environment; more is stored as an artifact
KEY_BYTES = 32
RUNNER = ("-m", "gigawatt.rank.call")
FUNCTION = "GW_FUNCTION"  # its digest: what a job's variables name is kept as long as the job


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One function with its options, ready to be called: its code is where ranks will find it."""

    client: Client
    ready: Ready
    function: dict[str, Any]
    path: tuple[str, ...]

    def send(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, number: int | None = None
    ) -> Future[Any]:
        """Submit one call. Raises RefusalError, ApiError, UnreachableError."""
        key = clock.entropy(KEY_BYTES)
        call = {
            "format": CALL_FORMAT,
            "function": self.function,
            "path": list(self.path),
            "arguments": self._pickled((args, kwargs)),
            "key": key,
        }
        env = {
            **self.ready.fields.get("env", {}),
            CALL: self._placed(pickle.dumps(call, PICKLE_PROTOCOL)),
        }
        if "digest" in self.function:
            env[FUNCTION] = self.function["digest"]
        fields: dict[str, Any] = {**self.ready.fields, "env": env}
        if number is not None:
            fields["name"] = named(str(self.ready.fields["name"]), number=number)
        job = self.client.jobs.send(Ready(kind="job", fields=fields, bundle=None))
        return self.client.tracker.follow(Future(job, Trust(key=key)))

    def _pickled(self, arguments: Any) -> bytes:
        try:
            if self.function["how"] == "value":
                import cloudpickle  # arguments may be of classes that only this session has

                data = cloudpickle.dumps(arguments, protocol=PICKLE_PROTOCOL)  # pyright: ignore[reportUnknownMemberType]  # its types are partial
            else:
                data = pickle.dumps(arguments, PICKLE_PROTOCOL)
        except Exception as error:
            raise RefusalError(
                RefusalCode.INVALID,
                f"the arguments cannot be pickled: {error}",
                field="arguments",
                hint="pass plain values, or objects of classes that a module holds",
            ) from error
        if len(data) > ARGUMENT_BYTES_MAX:
            raise RefusalError(
                RefusalCode.TOO_LARGE,
                f"the arguments are {len(data)} bytes, over the limit of {ARGUMENT_BYTES_MAX}",
                field="arguments",
                hint="store the data where ranks can read it, and pass where that is",
            )
        return data

    def _placed(self, call: bytes) -> str:
        if len(call) <= INLINE_BYTES_MAX:
            return INLINE + base64.b64encode(call).decode()
        return self.client.artifacts.send_bytes(call).digest


def prepare(client: Client, target: Callable[..., Any], options: JobOptions) -> Prepared:
    """Upload a function's code, or the function itself. Raises RefusalError, ApiError, UnreachableError."""
    route = route_of(target)
    fields = fields_of(options, default_name=target.__qualname__.rsplit(".", 1)[-1])
    _suit_python(fields, route)
    bundle = _bundle(options, route, target)
    path: tuple[str, ...] = ()
    if bundle is not None:
        fields["bundle"] = str(bundle)
        path = (within(bundle, route.root, target) or ".",)
    fields["command"] = [_python(client, fields), *RUNNER]
    ready = made_ready(Written(kind="job", fields=fields, base=Path.cwd()))
    function = dict(route.function)
    if function["how"] == "main":
        function["file"] = (
            f"{path[0]}/{function['file']}" if path else str(route.root) + "/" + function["file"]
        )
    if route.value:
        function["digest"] = client.artifacts.send_bytes(route.value).digest
    return Prepared(
        client=client, ready=client.jobs.with_bundle(ready), function=function, path=path
    )


def _bundle(options: JobOptions, route: Route, target: Callable[..., Any]) -> Path | None:
    if "bundle" in options:
        named_one = options["bundle"]
        return None if named_one is None else Path(named_one).expanduser().resolve()
    if route.root in {Path.home(), Path("/")}:
        raise RefusalError(
            RefusalCode.INVALID,
            f"{target.__qualname__} is in a file directly in {route.root}, all of which would have to go along",
            field="bundle",
            hint="move the file into a directory of its own, or name one with bundle=",
        )
    return route.root


def _suit_python(fields: dict[str, Any], route: Route) -> None:
    """A value needs the very Python that made it; an environment that names none is given that one."""
    environment = fields["environment"]
    if not route.value or environment == "host":
        return
    asked = cast("dict[str, Any]", environment)
    if asked.get("kind") != "host" and not asked.get("python"):
        fields["environment"] = {**asked, "python": route.function["python"]}


def _python(client: Client, fields: dict[str, Any]) -> str:
    """The interpreter of the ranks: the environment's, or on the nodes of this very machine the one that runs here."""
    environment: Any = fields["environment"]
    if environment not in ("host", {"kind": "host"}):
        return "python"
    return sys.executable if client.address.local and sys.executable else "python3"
