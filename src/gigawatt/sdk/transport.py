"""Calls over HTTP: the key, problems as errors, writes that may be repeated, and patience while an API restarts.

A write carries one idempotency key for the whole call, so that sending it again after a broken connection cannot do it
twice. An API that was reached before is given time to come back; one that never answered is not.
"""

import ssl
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from gigawatt import clock
from gigawatt.sdk.errors import ApiError, UnreachableError, problem_of
from gigawatt.sdk.handoff import Handoff
from gigawatt.sdk.instance import Address
from gigawatt.version import __version__

Params = Mapping[str, "str | int | bool | Iterable[str] | None"]

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 60.0
SILENCE_MAX_S = 90.0  # of a stream, before it is taken up again
PATIENCE_S = 15.0  # for an API that answered before to answer again
PAUSE_MIN_S = 0.05
PAUSE_MAX_S = 1.0
NOT_FOUND = 404
UNAVAILABLE = 503
IDEMPOTENCY_BYTES = 16


class Transport:
    """One API, one key, a pool of connections. Not more than one thread should close it."""

    def __init__(
        self, address: Address, *, project: str = "", patience_s: float = PATIENCE_S
    ) -> None:
        self.address = address
        self.project = project
        self.patience_s = patience_s
        self._reached = False
        url = urlsplit(address.api_url)
        if url.scheme not in {"http", "https"} or not url.hostname:
            detail = f"not the URL of an API: {address.api_url!r} ({address.source})"
            raise UnreachableError(detail, "write it like http://127.0.0.1:8484")
        local = self._local = url.hostname in {"127.0.0.1", "::1", "localhost"}
        headers = {"User-Agent": f"gigawatt/{__version__}", "Accept": "application/json"}
        if address.token:
            headers["Authorization"] = f"Bearer {address.token}"
        self._http = httpx2.Client(
            base_url=address.api_url,
            headers=headers,
            timeout=httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            verify=address.trust() if url.scheme == "https" else _no_certificates(),
            trust_env=not local,  # a proxy cannot reach this machine for us
        )

    @cached_property
    def handoff(self) -> Handoff | None:
        """Where open files change hands with an instance on this machine; None where bytes must be sent.

        Raises ApiError, UnreachableError.
        """
        if not self._local:
            return None
        told: dict[str, Any] = self.read("/v1/instance")
        path = str(told.get("handoff", ""))
        if not path or not Path(path).is_socket():
            return None
        return Handoff(path=path, token=self.address.token)

    @property
    def place(self) -> dict[str, str]:
        """The query that says in which project names are meant and new objects are made."""
        return {"project": self.project}

    def close(self) -> None:
        self._http.close()

    def read(
        self, path: str, params: Params | None = None, *, answer_s: float = ANSWER_TIMEOUT_S
    ) -> Any:
        """The JSON at `path`, for which the API may take `answer_s`. Raises ApiError, UnreachableError."""
        timeout = httpx2.Timeout(answer_s, connect=CONNECT_TIMEOUT_S)
        return self._json(lambda: self._http.get(path, params=_query(params), timeout=timeout))

    def read_bytes(
        self, path: str, params: Params | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The body at `path`, whole. Raises ApiError, UnreachableError."""
        found = self._patiently(
            lambda: self._http.get(path, params=_query(params), headers=dict(headers or {}))
        )
        _raise_problem(found)
        return found.content

    def write(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Params | None = None,
        if_match: int | None = None,
    ) -> Any:
        """The JSON that answers a write, or None where the answer is empty. Raises ApiError, UnreachableError."""
        headers = {"Idempotency-Key": clock.entropy(IDEMPOTENCY_BYTES).hex()}
        if if_match is not None:
            headers["If-Match"] = f'"{if_match}"'
        query = _query(params)
        return self._json(
            lambda: self._http.request(method, path, json=body, params=query, headers=headers)
        )

    def call_once(self, method: str, path: str, body: Any, *, answer_s: float) -> Any:
        """The JSON that answers what must not be repeated, and takes up to `answer_s` by itself.

        Raises ApiError, UnreachableError.
        """
        timeout = httpx2.Timeout(ANSWER_TIMEOUT_S + answer_s, connect=CONNECT_TIMEOUT_S)
        try:
            response = self._http.request(method, path, json=body, timeout=timeout)
        except httpx2.TransportError as error:
            raise self.unreachable(error) from error
        _raise_problem(response)
        return response.json()

    def exists(self, path: str, params: Params | None = None) -> bool:
        """Whether a HEAD of `path` finds something. Raises ApiError, UnreachableError."""
        found = self._patiently(lambda: self._http.head(path, params=_query(params)))
        if found.status_code == NOT_FOUND:
            return False
        _raise_problem(found)
        return True

    def upload(
        self, path: str, content: Callable[[], Iterable[bytes]], size: int, params: Params
    ) -> Any:
        """PUT `size` bytes under their digest, which makes it safe to repeat; `content` starts anew then.

        Raises ApiError, UnreachableError.
        """
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        query = _query(params)
        return self._json(
            lambda: self._http.put(path, content=content(), params=query, headers=headers)
        )

    @contextmanager
    def stream(
        self,
        path: str,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        silence_s: float = SILENCE_MAX_S,
    ) -> Generator[httpx2.Response]:
        """A GET whose body is read as it comes. Raises ApiError; breaks raise httpx2.TransportError."""
        timeout = httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S, read=silence_s)
        with self._http.stream(
            "GET", path, params=_query(params), headers=dict(headers or {}), timeout=timeout
        ) as response:
            self._reached = True
            if response.is_error:
                response.read()
            _raise_problem(response)
            yield response

    def pauses(self) -> Generator[float]:
        """Sleeps between tries and yields how long each sleep was; ends when patience does."""
        until_s = clock.monotonic_s() + (self.patience_s if self._reached else 0.0)
        pause_s = PAUSE_MIN_S
        while clock.monotonic_s() + pause_s < until_s:
            time.sleep(pause_s)
            yield pause_s
            pause_s = min(pause_s * 2, PAUSE_MAX_S)

    def unreachable(self, error: httpx2.TransportError) -> UnreachableError:
        """What to raise, and to tell a person, when patience has ended with `error`."""
        where = f"{self.address.api_url} ({self.address.source})"
        if isinstance(error, httpx2.TimeoutException):
            return UnreachableError(f"no answer in time from {where}", "try again, or see: gw up")
        said = str(error) or type(error).__name__
        start = self.address.start
        hint = f"start it with: {start}" if start else "see the others with: gw context list"
        return UnreachableError(f"nothing answers at {where}: {said}", hint)

    def _json(self, call: Callable[[], httpx2.Response]) -> Any:
        response = self._patiently(call)
        _raise_problem(response)
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError as error:
            raise UnreachableError(
                f"what answers at {self.address.api_url} is not a gigawatt API (no JSON)",
                "check the URL and the port",
            ) from error

    def _patiently(self, call: Callable[[], httpx2.Response]) -> httpx2.Response:
        """One answer that is not 503, or the last one when patience has ended."""
        outcome = self._tried(call)
        if _unsettled(outcome):
            for _ in self.pauses():
                outcome = self._tried(call)
                if not _unsettled(outcome):
                    break
        if isinstance(outcome, httpx2.TransportError):
            raise self.unreachable(outcome) from outcome
        return outcome

    def _tried(
        self, call: Callable[[], httpx2.Response]
    ) -> httpx2.Response | httpx2.TransportError:
        try:
            response = call()
        except httpx2.TransportError as error:
            return error
        self._reached = True
        return response


def _unsettled(outcome: httpx2.Response | httpx2.TransportError) -> bool:
    return isinstance(outcome, httpx2.TransportError) or outcome.status_code == UNAVAILABLE


def _raise_problem(response: httpx2.Response) -> None:
    if response.is_success:
        return
    try:
        body = response.json() if response.content else None
    except ValueError:
        body = None
    raise ApiError(problem_of(response.status_code, body, response.text))


def _query(params: Params | None) -> dict[str, Any]:
    """Without what is empty; booleans as JSON writes them."""
    kept: dict[str, Any] = {}
    for name, value in (params or {}).items():
        if isinstance(value, bool):
            if value:
                kept[name] = "true"
        elif isinstance(value, str | int):
            if value != "":
                kept[name] = value
        elif value is not None:
            kept[name] = list(value)
    return kept


def _no_certificates() -> ssl.SSLContext:
    """For plain HTTP: trusts nobody, and spares reading the machine's certificates."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
