"""Runs one decorated function in a rank: `python -m gigawatt.rank.call`, with the call in the variable GW_CALL.

Standard library only and Python 3.9 or later, because the supervisor puts this file beside user code. The call says
where the function is (a module of the bundle, the script that the client ran, or a value that cloudpickle made) and
holds its arguments. What comes of it is written to `.results/rank-<n>` below the job's checkpoint directory: a line of
JSON, then the body. The client that submitted the call reads it back; `gigawatt.sdk.results` is the other end.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import importlib.util
import json
import os
import pickle
import sys
import time

TYPE_CHECKING = False  # what type checkers take for typing's, which costs milliseconds to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CALL = "GW_CALL"
CALL_FORMAT = "gigawatt-call-1"
RESULT_FORMAT = "gigawatt-result-1"
INLINE = "inline:"
MAIN = "__gw_main__"  # the client's __main__, when it was a script
RESULTS = ".results"
RESULT_BYTES_MAX = 256 << 20
ERROR_PICKLE_BYTES_MAX = 1 << 20
TRACEBACK_CHARS_MAX = 65_536
SYNC_AFTER_S = 10.0  # of work: it is worth forcing its result to disk; less is sooner done again
FETCH_PATIENCE_S = 60.0  # for an API that restarts
FETCH_PAUSE_S = 0.5
JSON_DEPTH_MAX = 32
PICKLE_PROTOCOL = 5


class CallError(RuntimeError):
    """The call itself cannot be carried out here; its message says what to change."""


def main() -> int:
    """Run the call of this rank and leave its result; the exit code of the process."""
    where = _Where(os.environ)
    key = b""
    pickler: Any = pickle
    try:
        call = _load(os.environ.pop(CALL, ""))
        key = call["key"]
        value = run(call)
        if call["function"]["how"] == "value":  # its classes have to go back as values
            pickler = importlib.import_module("cloudpickle")
        encoding, body = encoded(value, pickler)
        _check_size(body)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the client is told, and the exit code says it
        import traceback

        traceback.print_exception(type(error), error, error.__traceback__)
        where.write(error_body(error, pickler), ok=False, encoding="json", key=key)
        return _exit_code(error)
    where.write(body, ok=True, encoding=encoding, key=key)
    return 0


def run(call: dict[str, Any]) -> Any:
    """What the function returns; a class is constructed, set up, run and torn down. Raises what it raises."""
    sys.path[:0] = [os.path.abspath(each) for each in call["path"]]  # noqa: PTH100 - pathlib costs too much here
    target = _found(call["function"])
    args, kwargs = pickle.loads(call["arguments"])  # noqa: S301 - of the submitter, who owns this job
    return live(target, args, kwargs)


def live(target: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function, or live through a class: construct, `setup()`, `run()`, and `teardown()` whatever happened."""
    if not isinstance(target, type):
        return target(*args, **kwargs)
    work = target(*args, **kwargs)
    try:
        if hasattr(work, "setup"):
            work.setup()
        return work.run()  # pyright: ignore[reportAttributeAccessIssue]  # refused at decoration where there is none
    finally:
        if hasattr(work, "teardown"):
            work.teardown()


def encoded(value: Any, pickler: Any = pickle) -> tuple[str, bytes]:
    """How a result travels: as JSON where that says all of it, else as a pickle. Raises CallError."""
    if _is_plain(value, JSON_DEPTH_MAX):
        return "json", json.dumps(value).encode()
    try:
        return "pickle", pickler.dumps(value, protocol=PICKLE_PROTOCOL)
    except Exception as error:
        raise CallError(
            f"the result, a {type(value).__name__}, cannot be pickled ({error}); return plain values, or write it "
            "to a file below gigawatt.checkpoint_dir() and return its path"
        ) from error


def error_body(error: BaseException, pickler: Any = pickle) -> bytes:
    """What is told of an exception: its kind, its words, its traceback, and itself where it can be pickled."""
    import traceback

    lines = traceback.format_exception(type(error), error, _own_frames(error))
    told = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "message": _words(error),
        "traceback": "".join(lines)[-TRACEBACK_CHARS_MAX:],
        "pickle": _pickled(error, pickler),
    }
    return json.dumps(told).encode()


class _Where:
    """Where the result of this rank goes, and what is said of it."""

    def __init__(self, environ: Any) -> None:
        self.directory = os.path.join(environ["GIGAWATT_CHECKPOINT_DIR"], RESULTS)  # noqa: PTH118 - as above
        self.rank = int(environ.get("RANK", "0"))
        self.attempt = int(environ.get("GIGAWATT_ATTEMPT", "1"))
        self.began_s = time.monotonic()

    def write(self, body: bytes, *, ok: bool, encoding: str, key: bytes) -> None:
        """Whole or not at all; of longer work, on disk before it returns."""
        head = {
            "format": RESULT_FORMAT,
            "ok": ok,
            "rank": self.rank,
            "attempt": self.attempt,
            "encoding": encoding,
            "bytes": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "python": _version(),
            "at_ms": time.time_ns() // 1_000_000,
        }
        line = json.dumps(head, sort_keys=True)
        mac = hmac.new(
            key, line.encode(), "sha256"
        ).hexdigest()  # of the digest too, so of the body
        os.makedirs(self.directory, mode=0o700, exist_ok=True)  # noqa: PTH103 - as above
        path = os.path.join(self.directory, f"rank-{self.rank}")  # noqa: PTH118 - as above
        with open(f"{path}.part", "wb") as file:  # noqa: PTH123 - as above
            file.write(f"{line}\t{mac}\n".encode())
            file.write(body)
            file.flush()
            if time.monotonic() - self.began_s > SYNC_AFTER_S:
                os.fsync(file.fileno())
        os.replace(f"{path}.part", path)  # noqa: PTH105 - as above


def _load(said: str) -> dict[str, Any]:
    """The call, from the variable itself or from the artifact that it names."""
    if not said:
        raise CallError(
            f"{CALL} is not set: this module is started by a job of gigawatt's Python client"
        )
    if said.startswith(INLINE):
        import base64

        data = base64.b64decode(said[len(INLINE) :])
    else:
        data = _fetched(said)
    call = pickle.loads(data)  # noqa: S301 - of the submitter, who owns this job
    if call.get("format") != CALL_FORMAT:
        raise CallError(
            f"this node understands {CALL_FORMAT}, and the client sent {call.get('format')}"
        )
    return call


def _found(function: dict[str, Any]) -> Any:
    how = function["how"]
    if how == "value":
        return _valued(function)
    module = _script(function["file"]) if how == "main" else _module(function["module"])
    found: Any = module
    for part in function["name"].split("."):
        found = getattr(found, part)
    return found.__wrapped__ if hasattr(found, "is_gigawatt_job") else found


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.split(".", maxsplit=1)[0] == error.name.split(".")[0]:
            raise CallError(
                f"there is no module {name} here: it is neither in the job's bundle nor in its environment"
            ) from error
        raise


def _script(path: str) -> Any:
    """The script that was the client's __main__, under another name, so that its main part does not run."""
    spec = importlib.util.spec_from_file_location(MAIN, os.path.abspath(path))  # noqa: PTH100 - as above
    if spec is None or spec.loader is None:
        raise CallError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[MAIN] = sys.modules["__main__"] = module  # arguments may be of classes of __main__
    spec.loader.exec_module(module)
    return module


def _valued(function: dict[str, Any]) -> Any:
    """A function that came as a value, with the cloudpickle that made it."""
    if function["python"] != _version():
        raise CallError(
            f"the function was sent as a value by Python {function['python']}, and this rank runs Python {_version()}: "
            "bytecode does not carry over; put the function into a module, or give the job that Python"
        )
    data = _fetched(function["digest"])
    size = int.from_bytes(data[:8], "big")
    carried = os.path.join(os.environ["GIGAWATT_REPORT_DIR"], "cloudpickle.zip")  # noqa: PTH118 - as above
    part = f"{carried}.{os.getpid()}"
    with open(part, "wb") as file:  # noqa: PTH123 - as above
        file.write(data[8 : 8 + size])
    os.replace(part, carried)  # noqa: PTH105 - as above
    sys.path.insert(0, carried)
    try:
        importlib.import_module("cloudpickle")
    finally:
        sys.path.remove(carried)
    return pickle.loads(data[8 + size :])  # noqa: S301 - of the submitter, who owns this job


def _fetched(digest: str) -> bytes:
    """An artifact's bytes, from the API, with this job's own token."""
    import urllib.error
    import urllib.request

    with open(os.environ["GIGAWATT_TOKEN_FILE"], encoding="utf-8") as file:  # noqa: PTH123 - as above
        token = file.read().strip()
    url = f"{os.environ['GIGAWATT_API']}/v1/artifacts/{digest}"
    if not url.startswith(("http://", "https://")):
        raise CallError(f"not the URL of an API: {url}")
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - checked above
    until_s = time.monotonic() + FETCH_PATIENCE_S
    while True:
        try:
            with _opener(url).open(request, timeout=FETCH_PATIENCE_S) as response:
                data: bytes = response.read()
            break
        except urllib.error.HTTPError as error:
            if error.code < 500 or time.monotonic() > until_s:
                raise
        except OSError:
            if time.monotonic() > until_s:
                raise
        time.sleep(FETCH_PAUSE_S)
    got = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if got != digest:
        raise CallError(f"the arguments arrived damaged: {got} in place of {digest}")
    return data


def _opener(url: str) -> Any:
    """Without a proxy for this machine: it could not reach it for us."""
    import urllib.request

    local = url.split("/")[2].rsplit(":", 1)[0] in ("127.0.0.1", "localhost", "[::1]")
    proxies = [urllib.request.ProxyHandler({})] if local else []
    handlers: list[Any] = [*proxies]
    authority = os.environ.get("GIGAWATT_CA_FILE", "")
    if authority and url.startswith("https:"):
        import ssl

        context = ssl.create_default_context(cafile=authority)
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)


def _is_plain(value: Any, depth: int) -> bool:
    """Whether JSON gives the very same value back: exact types alone, so no tuples and no subclasses."""
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType]  # of anything
    if value is None or kind in (bool, int, float, str):
        return True
    if depth == 0:
        return False
    if kind is list:
        return all(_is_plain(each, depth - 1) for each in value)
    return kind is dict and all(
        type(name) is str and _is_plain(each, depth - 1) for name, each in value.items()
    )


def _check_size(body: bytes) -> None:
    if len(body) > RESULT_BYTES_MAX:
        raise CallError(
            f"the result is {len(body)} bytes, over the limit of {RESULT_BYTES_MAX}; write it to a file below "
            "gigawatt.checkpoint_dir(), or make it a model, and return where it is"
        )


def _own_frames(error: BaseException) -> Any:
    """The traceback from the user's first frame on, or all of it where there is none."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace or error.__traceback__


def _pickled(error: BaseException, pickler: Any) -> str:
    """Itself in base64; empty where it does not survive a pickle, or is large."""
    import base64

    try:
        data: bytes = pickler.dumps(error, protocol=PICKLE_PROTOCOL)
        pickle.loads(data)  # noqa: S301 - our own, made in the line above: many exceptions pickle and do not unpickle
    except Exception:  # noqa: BLE001 - user code runs in both; its words are told in any case
        return ""
    return base64.b64encode(data).decode() if len(data) <= ERROR_PICKLE_BYTES_MAX else ""


def _words(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - user code, and what matters is the kind
        return ""


def _exit_code(error: BaseException) -> int:
    code = error.code if isinstance(error, SystemExit) else 1
    return code if isinstance(code, int) and 0 < code < 256 else 1


def _version() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


if __name__ == "__main__":
    sys.exit(main())
