"""What a function returned or raised in a rank, read back: the other end of `gigawatt.rank.call`.

A pickle runs code when it is loaded. It is loaded only where it is proven, by a key that only the submitter and its job
have, to come from that job; or where somebody asked for it in so many words, within their own tenant.
"""

import base64
import hashlib
import hmac
import io
import json
import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from gigawatt.rank.call import MAIN, RESULT_FORMAT
from gigawatt.sdk.errors import RemoteError, RemoteTraceback, ResultError


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whose pickles may be loaded. `key` proves that a result is of our own job; `anyway` was asked for."""

    key: bytes = b""
    anyway: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The result file of one rank, whole. `proven` says that it was made by who holds the key."""

    ok: bool
    rank: int
    attempt: int
    encoding: str
    python: str
    at_ms: int
    body: bytes
    proven: bool


def read_result(data: bytes, trust: Trust) -> Returned:
    """What a rank left. Raises ResultError for what is cut short, altered or not understood."""
    line, _, body = data.partition(b"\n")
    said, _, mac = line.decode("utf-8", "replace").partition("\t")
    head = _head(said)
    if len(body) != head.get("bytes") or hashlib.sha256(body).hexdigest() != head.get("sha256"):
        raise ResultError(
            f"a result is damaged: {len(body)} bytes that do not have the digest their head names",
            "see the job's checkpoint directory, or run it again",
        )
    mine = hmac.new(trust.key, said.encode(), "sha256").hexdigest()
    return Returned(
        ok=bool(head["ok"]),
        rank=int(head["rank"]),
        attempt=int(head["attempt"]),
        encoding=str(head["encoding"]),
        python=str(head["python"]),
        at_ms=int(head["at_ms"]),
        body=body,
        proven=bool(trust.key) and hmac.compare_digest(mine, mac),
    )


def value_of(returned: Returned, trust: Trust) -> Any:
    """The value that a function returned. Raises ResultError."""
    assert returned.ok
    if returned.encoding == "json":
        return json.loads(returned.body)
    if not _may_load(returned, trust):
        raise ResultError(
            "this result is a pickle, which runs code when it is loaded, and nothing proves where it comes from",
            "if you trust the job, ask with client.future(JOB, unpickle=True)",
        )
    try:
        return loaded(returned.body)
    except Exception as error:
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        other = (
            f" by Python {returned.python}, and this is {here}" if returned.python != here else ""
        )
        raise ResultError(
            f"the result of rank {returned.rank} was pickled{other}; it cannot be loaded here: "
            f"{type(error).__name__}: {error}",
            "have the packages here that the job's environment has, or return plain values",
        ) from error


def error_of(returned: Returned, trust: Trust) -> BaseException:
    """The exception that a function raised, caused by its traceback; a RemoteError where it cannot be made again."""
    assert not returned.ok
    told = cast("Mapping[str, str]", json.loads(returned.body))
    error: BaseException | None = None
    if told["pickle"] and _may_load(returned, trust):
        error = _exception(base64.b64decode(told["pickle"]))
    if error is None:
        error = RemoteError(
            kind=told["type"].removeprefix("builtins."),
            message=told["message"],
            remote_traceback=told["traceback"],
        )
    error.__cause__ = RemoteTraceback(told["traceback"])
    return error


def loaded(data: bytes) -> Any:
    """The value of a pickle that is trusted."""
    return _Unpickler(io.BytesIO(data)).load()


class _Unpickler(pickle.Unpickler):
    """Takes classes of the script that a rank ran as those of this process's own `__main__`."""

    def find_class(self, module: str, name: str, /) -> Any:
        return super().find_class("__main__" if module == MAIN else module, name)


def _head(said: str) -> Mapping[str, Any]:
    try:
        head: Any = json.loads(said)
    except ValueError as error:
        raise ResultError("a result has no head: it is damaged, or no result") from error
    if not isinstance(head, dict) or cast("dict[str, Any]", head).get("format") != RESULT_FORMAT:
        raise ResultError(
            f"a result is not in the format {RESULT_FORMAT}",
            "use the client's version on both sides",
        )
    return cast("dict[str, Any]", head)


def _may_load(returned: Returned, trust: Trust) -> bool:
    return returned.proven or trust.anyway


def _exception(data: bytes) -> BaseException | None:
    """None where its class is not here, or what is pickled is no exception after all."""
    try:
        found = loaded(data)
    except Exception:  # noqa: BLE001 - of any class, also one that is not here; the words are told instead
        return None
    return found if isinstance(found, Exception) else None
