"""Talking to ranks, over WebSocket: …/exec, …/attach, …/ports/{port}, of jobs and of endpoints."""

import json
from typing import Annotated

from fastapi import Path
from pydantic import ValidationError
from starlette.responses import Response

from gigawatt.api.call import Call
from gigawatt.api.operations import Operation, Routes
from gigawatt.api.pump import Talk
from gigawatt.api.queries import Talking, TalkQuery
from gigawatt.api.sockets import Opened, add_socket, not_a_socket
from gigawatt.engine.talk import WindowSize
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service import talks
from gigawatt.service.talks import Target
from gigawatt.spec.faults import faults_of, refusal
from gigawatt.spec.requests import TalkStart, parse_request
from gigawatt.spec.talk import ERRORS, OUTPUT

ROUTES = Routes()
PORT_MAX = 65_535
Port = Annotated[int, Path(ge=1, le=PORT_MAX)]


@ROUTES.add(
    "GET",
    "/v1/jobs/{job}/exec",
    Operation(verb="talks.run", summary="Talk to a command beside a rank (WebSocket)", status=101),
)
async def talk_to_command(call: Call, job: str, query: Talking) -> Response:
    raise not_a_socket()


@ROUTES.add(
    "GET",
    "/v1/jobs/{job}/attach",
    Operation(verb="talks.attach", summary="Talk to a rank (WebSocket)", status=101),
)
async def talk_to_rank(call: Call, job: str, query: Talking) -> Response:
    raise not_a_socket()


@ROUTES.add(
    "GET",
    "/v1/jobs/{job}/ports/{port}",
    Operation(
        verb="talks.connect", summary="Connect to a port of a rank's host (WebSocket)", status=101
    ),
)
async def connect_to_rank(call: Call, job: str, port: Port, query: Talking) -> Response:
    raise not_a_socket()


@ROUTES.add(
    "GET",
    "/v1/endpoints/{endpoint}/exec",
    Operation(
        verb="talks.run", summary="Talk to a command beside a replica (WebSocket)", status=101
    ),
)
async def talk_to_replica_command(call: Call, endpoint: str, query: Talking) -> Response:
    raise not_a_socket()


@ROUTES.add(
    "GET",
    "/v1/endpoints/{endpoint}/attach",
    Operation(verb="talks.attach", summary="Talk to a replica (WebSocket)", status=101),
)
async def talk_to_replica(call: Call, endpoint: str, query: Talking) -> Response:
    raise not_a_socket()


@ROUTES.add(
    "GET",
    "/v1/endpoints/{endpoint}/ports/{port}",
    Operation(
        verb="talks.connect",
        summary="Connect to a port of a replica's host (WebSocket)",
        status=101,
    ),
)
async def connect_to_replica(call: Call, endpoint: str, port: Port, query: Talking) -> Response:
    raise not_a_socket()


async def _run(one: Opened) -> Talk:
    target = _target(one)
    wanted = parse_request(TalkStart, json.dumps(await one.start()))
    window = wanted.window
    size = window and WindowSize(rows=window.rows, columns=window.columns, term=window.term)
    command = await talks.run(one.caller, one.services, target, tuple(wanted.command), size)
    return Talk(
        sink=command.stdin,
        sources={OUTPUT: command.stdout, ERRORS: command.stderr},
        close=command.close,
        wait=command.wait,
        resize=command.resize,
        signal=command.signal,
    )


async def _attach(one: Opened) -> Talk:
    attached = await talks.attach(one.caller, one.services, _target(one))
    return Talk(
        sink=attached.stdin,
        sources={OUTPUT: attached.output("stdout"), ERRORS: attached.output("stderr")},
        close=attached.close,
        wait=attached.wait,
        resize=attached.resize,
        signal=attached.signal,
        started={"terminal": attached.stdin is not None},
    )


async def _connect(one: Opened) -> Talk:
    target, port = _target(one), _port(one.path("port"))
    stream = await talks.connect(one.caller, one.services, target, port)
    return Talk(sink=stream, sources={OUTPUT: stream}, close=stream.close)


def _target(one: Opened) -> Target:
    """Raises RefusalError."""
    given = dict(one.socket.query_params)
    try:
        query = TalkQuery.model_validate(given)
    except ValidationError as error:
        raise refusal(faults_of(error, TalkQuery)) from error
    return Target(
        job=one.path("job"),
        endpoint=one.path("endpoint"),
        replica=query.replica,
        rank=query.rank,
        project=query.project,
    )


def _port(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) <= PORT_MAX:
        return int(text)
    raise RefusalError(RefusalCode.INVALID, f"{text[:40]} is not a port", field="port")


for _owner in ("/v1/jobs/{job}", "/v1/endpoints/{endpoint}"):
    add_socket(ROUTES, f"{_owner}/exec", _run)
    add_socket(ROUTES, f"{_owner}/attach", _attach)
    add_socket(ROUTES, f"{_owner}/ports/{{port}}", _connect)
