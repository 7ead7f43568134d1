"""A small API in memory, over real HTTP: enough of the routes to run the CLI and the SDK against.

It keeps every request, answers writes once per idempotency key, and can break connections or refuse on demand.
"""

import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "gw-test-token"
NOW_MS = 1_800_000_000_000


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    chunks: tuple[bytes, ...] | None = None  # streamed, then the connection ends cleanly
    cut: bool = False  # after the chunks, break the connection instead


Route = Callable[[Request], Answer]


class ApiDouble:
    """`with ApiDouble() as api:`; `api.url` and `TOKEN` reach it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.routes: list[tuple[str, re.Pattern[str], Route]] = []
        self.break_once: set[str] = set()  # paths: carried out, and the answer is lost
        self.artifacts: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.remembered: dict[str, Answer] = {}
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        _install(self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "ApiDouble":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def on(self, method: str, path: str, route: Route | Answer) -> None:
        """Answer `method path` (a pattern) so, before what was there."""

        def fixed(_: Request) -> Answer:
            assert isinstance(route, Answer)
            return route

        self.routes.insert(
            0, (method, re.compile(path), fixed if isinstance(route, Answer) else route)
        )

    def sent(self, method: str, path: str) -> list[Request]:
        return [each for each in self.requests if (each.method, each.path) == (method, path)]

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return problem(401, "unauthenticated", "this key is not known", hint="use another")
        key = request.headers.get("idempotency-key", "")
        if key and key in self.remembered:
            return self.remembered[key]
        for method, pattern, route in self.routes:
            if method == request.method and pattern.fullmatch(request.path):
                found = route(request)
                if key:
                    self.remembered[key] = found
                return found
        return problem(404, "not-found", f"there is no {request.path}")


def problem(status: int, code: str, detail: str, **more: Any) -> Answer:
    body = {"type": f"urn:gigawatt:problem:{code}", "title": code, "status": status}
    return Answer(status=status, body={**body, "detail": detail, **more})


A_GANG: dict[str, Any] = {
    "nodes": 2,
    "nodes_min": 2,
    "ranks_per_node": 1,
    "gpus": 0.0,
    "cpus": 0.5,
    "memory_bytes": 1 << 30,
    "gpu_kinds": [],
    "same": "",
    "spares": 0,
}


def a_job(**changes: Any) -> dict[str, Any]:
    view: dict[str, Any] = {  # of one that runs
        "id": "job-1mfsxp000abcdefgh",
        "name": "tiny-gpt",
        "tenant": "default",
        "project": "default",
        "phase": "running",
        "created_ms": NOW_MS,
        "queued_ms": NOW_MS,
        "ended_ms": None,
        "submitted_by": "admin",
        "priority": 0,
        "message": "",
        "reason": None,
        "position": None,
        "estimate": None,
        "deadline": None,
        "progress": {
            "at_ms": NOW_MS + 9_000,
            "step": 120,
            "loss": 2.3125,
            "tokens": 61_440,
            "tokens_per_s": 8123.4,
            "metrics": {},
        },
        "checkpoint": {"step": 100, "path": "/data/step-100", "at_ms": NOW_MS + 8_000},
        "model_version": "",
        "environment": "host",
        "bundle": "",
        "labels": {"team": "nlp"},
        "command": ["python", "train.py"],
        "gang": A_GANG,
        "after": [],
        "volumes": [{"volume": "corpus:3", "path": "data/corpus", "mode": "ro"}],
        "secrets": {"HF_TOKEN": "hub-token"},
        "version": 4,
        "attempts": [an_attempt()],
    }
    return {**view, "array": "", "index": None, **changes}


def an_attempt(**changes: Any) -> dict[str, Any]:
    attempt: dict[str, Any] = {
        "n": 1,
        "phase": "running",
        "verdict": None,
        "charged_to": "",
        "evidence": [],
        "nodes": ["local-0", "local-1"],
        "spares": [],
        "placed_ms": NOW_MS + 10,
        "starting_ms": NOW_MS + 20,
        "running_ms": NOW_MS + 150,
        "stopping_ms": None,
        "ended_ms": None,
        "ranks": [a_rank(0, "local-0"), a_rank(1, "local-1")],
    }
    return {**attempt, **changes}


def a_rank(number: int, node: str, **changes: Any) -> dict[str, Any]:
    rank: dict[str, Any] = {
        "rank": number,
        "node": node,
        "pid": 4_000 + number,
        "exit_code": None,
        "signal": None,
        "started_ms": NOW_MS + 150,
        "ended_ms": None,
        "last_lines": [],
    }
    return {**rank, **changes}


def ended(view: dict[str, Any], phase: str, **changes: Any) -> dict[str, Any]:
    """The same job, ended in `phase`, its ranks too."""
    code = 0 if phase == "succeeded" else 1
    ranks = [
        {**rank, "exit_code": code, "ended_ms": NOW_MS + 60_000}
        for rank in view["attempts"][-1]["ranks"]
    ]
    last = {**view["attempts"][-1], "phase": "ended", "ended_ms": NOW_MS + 60_000, "ranks": ranks}
    last["verdict"] = "success" if phase == "succeeded" else "user"
    attempts = [*view["attempts"][:-1], last]
    return {**view, "phase": phase, "ended_ms": NOW_MS + 61_000, "attempts": attempts, **changes}


def sse(*events: tuple[str, Any]) -> Answer:
    """A stream of `(event, data)`, then its end."""
    chunks = tuple(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode() for name, data in events)
    return Answer(chunks=chunks, headers={"Content-Type": "text/event-stream"})


def log(data: bytes, *, offset: int = 0, cut: bool = False) -> Answer:
    headers = {"Content-Type": "text/plain", "X-Log-Offset": str(offset)}
    return Answer(chunks=(data,) if data else (), headers=headers, cut=cut)


def _install(api: ApiDouble) -> None:
    api.on("HEAD", "/v1/artifacts/[^/]+", lambda request: _has(api, request))
    api.on("PUT", "/v1/artifacts/[^/]+", lambda request: _store(api, request))
    api.on("POST", "/v1/packs/missing", lambda request: _missing(api, request))
    api.on("PUT", "/v1/packs", lambda request: _unpack(api, request))
    api.on("POST", "/v1/jobs", lambda request: _submit(api, request))
    api.on("GET", "/v1/jobs", lambda request: _page(api, request))
    api.on("GET", "/v1/arrays", Answer(body={"items": [], "next": ""}))
    api.on("GET", "/v1/jobs/[^/]+", lambda request: _job(api, request))


def _has(api: ApiDouble, request: Request) -> Answer:
    return Answer(status=200 if request.path.rsplit("/", 1)[1] in api.artifacts else 404)


def _store(api: ApiDouble, request: Request) -> Answer:
    digest = request.path.rsplit("/", 1)[1]
    api.artifacts[digest] = request.body
    return Answer(status=201, body={"digest": digest, "size_bytes": len(request.body)})


def _missing(api: ApiDouble, request: Request) -> Answer:
    asked: list[str] = request.json["digests"]
    return Answer(body={"missing": [each for each in asked if each not in api.artifacts]})


def _unpack(api: ApiDouble, request: Request) -> Answer:
    line, _, data = request.body.partition(b"\n")
    listed: list[dict[str, Any]] = json.loads(line)["files"]
    for file in listed:
        api.artifacts[file["digest"]], data = data[: file["size"]], data[file["size"] :]
    return Answer(status=201, body={"files": len(listed), "new": len(listed)})


def _submit(api: ApiDouble, request: Request) -> Answer:
    asked = request.json
    if request.query.get("dry_run"):
        spec = {
            "name": "job",
            "command": ["true"],
            "gang": {"nodes": {"min": 1, "max": 1}},
            **asked,
        }
        placements = [{"rank": 0, "node": "local-0"}]
        dry = {"feasible": True, "starts_now": True, "placements": placements}
        return Answer(body={**dry, "reason": None, "spec": spec})
    number = len(api.jobs)
    view = a_job(
        id=f"job-1mfsxp00{number}abcdefgh",
        name=asked.get("name", "train"),
        phase="queued",
        bundle=asked.get("bundle", ""),
        progress=None,
        checkpoint=None,
        attempts=[],
    )
    api.jobs[view["id"]] = view
    return Answer(status=201, body=view)


def _page(api: ApiDouble, request: Request) -> Answer:
    phases = request.query.get("phase", [])
    limit = int(request.query.get("limit", ["50"])[0])
    start = int(request.query.get("cursor", ["0"])[0])
    found = [job for job in api.jobs.values() if not phases or job["phase"] in phases]
    following = str(start + limit) if start + limit < len(found) else ""
    return Answer(body={"items": found[start : start + limit], "next": following})


def _job(api: ApiDouble, request: Request) -> Answer:
    ref = unquote(request.path.rsplit("/", 1)[1])
    for job in reversed(api.jobs.values()):
        if ref in {job["id"], job["name"]}:
            return Answer(body=job)
    return problem(404, "not-found", f"there is no job {ref}", hint="gw jobs lists those there are")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: ApiDouble) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = api


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """A client that hangs up in the middle of an answer is no error, and must not be printed."""
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        api = self.server.api
        url = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=url.path,
            query=parse_qs(url.query),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length", "0"))),
        )
        found = api.answer(request)
        if request.path in api.break_once:
            api.break_once.remove(request.path)
            self.close_connection = True
        else:
            self._reply(found)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def _reply(self, found: Answer) -> None:
        self.send_response(found.status)
        for name, value in found.headers.items():
            self.send_header(name, value)
        if found.chunks is None:
            data = b"" if found.body is None else json.dumps(found.body).encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else data)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in found.chunks:
            self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        if found.cut:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")
