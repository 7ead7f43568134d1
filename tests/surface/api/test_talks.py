"""Connections to ranks, as the API takes and refuses them; on an engine that has a rank of its own making."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gigawatt.engine.talk import WindowSize
from gigawatt.model.tenant import Role
from gigawatt.service.accesses import OPEN_MAX
from gigawatt.spec.talk import FRAME_BYTES, ROOM_BYTES, frame
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site

pytestmark = pytest.mark.slow

START = json.dumps({"start": {"command": ["cat"]}})


class Echo:
    """A command that says back what it hears, as far as it is let; implements `Command`."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.gate = asyncio.Event()
        self.gate.set()
        self.signals: list[int] = []
        self.windows: list[WindowSize] = []
        self.closed = asyncio.Event()
        self.taken = 0
        self.stdin = self
        self.stdout = self
        self.stderr = Silent()

    async def write(self, data: bytes) -> None:
        await self.gate.wait()
        self.taken += len(data)
        self.heard.put_nowait(data)

    async def end(self) -> None:
        self.heard.put_nowait(b"")

    async def read(self, limit: int) -> bytes:
        return await self.heard.get()

    async def resize(self, window: WindowSize) -> None:
        self.windows.append(window)

    async def signal(self, number: int) -> None:
        self.signals.append(number)

    async def wait(self) -> int:
        await asyncio.shield(self.over)
        return 3

    @property
    def over(self) -> "asyncio.Future[None]":
        return asyncio.ensure_future(self._ended())

    async def _ended(self) -> None:
        while not self.heard.empty() or not self.taken:
            await asyncio.wait({asyncio.ensure_future(self.closed.wait())}, timeout=0.01)

    async def close(self) -> None:
        self.closed.set()


class Silent:
    async def read(self, limit: int) -> bytes:
        return b""


@asynccontextmanager
async def talking_site(site: Site) -> AsyncGenerator[tuple[str, dict[str, Any], Echo]]:
    """The site's URL for connections, a job that runs, and the command that every talk to it starts."""
    echo = Echo()

    site.engine.command = lambda command: echo if command[0] != "bad" else None
    job = await site.phase(await site.submit(), "running")
    config = uvicorn.Config(site.app, log_config=None, lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        port = listener.getsockname()[1]
        yield f"ws://127.0.0.1:{port}/v1/jobs/{job['id']}", job, echo
    finally:
        server.should_exit = True
        await serving
        listener.close()


def opened(url: str, key: str, **more: Any) -> "connect":
    headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
    return connect(url, additional_headers=headers, compression=None, proxy=None, **more)


async def told(talk: ClientConnection) -> dict[str, Any]:
    """The next text message."""
    while True:
        message = await talk.recv()
        if isinstance(message, str):
            return json.loads(message)


async def closed(talk: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed):
        while True:
            await talk.recv()
    assert talk.close_code is not None
    return talk.close_code, talk.close_reason or ""


async def refused(url: str, key: str, **more: Any) -> tuple[int, dict[str, Any]]:
    with pytest.raises(InvalidStatus) as caught:
        await opened(url, key, **more)
    response = caught.value.response
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, json.loads(response.body or b"{}")


Scenario = Callable[[Site, str, Echo], Awaitable[None]]


def on(play: Play, scenario: Scenario) -> None:
    async def whole(site: Site) -> None:
        async with talking_site(site) as (url, _, echo):
            await scenario(site, url, echo)

    play(whole)


def test_bytes_go_both_ways_and_the_exit_code_comes_last(play: Play) -> None:
    async def scenario(site: Site, url: str, echo: Echo) -> None:
        async with opened(f"{url}/exec", site.admin_key) as talk:
            await talk.send(START)
            assert await told(talk) == {"started": {}}
            await talk.send(json.dumps({"window": {"rows": 5, "columns": 6}}))
            await talk.send(json.dumps({"signal": "INT"}))
            await talk.send(frame(0, b"abc"))
            assert await talk.recv() in {frame(1, b"abc"), frame(2, b"")}
            await talk.send(frame(0, b""))
            assert await told(talk) == {"exited": {"code": 3}}
            assert (await closed(talk))[0] == 1000
        assert [(each.rows, each.columns) for each in echo.windows] == [(5, 6)]
        assert echo.signals == [2]
        await echo.closed.wait()

    on(play, scenario)


def test_without_a_key_or_from_another_origin_nothing_opens(play: Play) -> None:
    async def scenario(site: Site, url: str, echo: Echo) -> None:
        status, problem = await refused(f"{url}/exec", "gw_wrong")
        assert (status, problem["type"]) == (401, "urn:gigawatt:problem:unauthenticated")
        origin = {"Origin": "https://elsewhere.example"}
        status, problem = await refused(f"{url}/exec", site.admin_key, headers=origin)
        assert (status, problem["field"]) == (403, "Origin")
        own = {"Origin": url.replace("ws:", "http:")}
        async with opened(f"{url}/exec", site.admin_key, headers=own) as talk:
            await talk.send(START)
            assert "started" in await told(talk)

    on(play, scenario)


@pytest.mark.parametrize("what", ["exec", "attach", "ports/80"])
def test_roles_and_strangers_get_what_every_call_gives_them(play: Play, what: str) -> None:
    async def scenario(site: Site, url: str, echo: Echo) -> None:
        viewer = await site.make_key(Role.VIEWER)
        await site.call("POST", "/v1/tenants", {"id": "other"})
        stranger = await site.make_key(Role.DEVELOPER, tenant="other")
        for key, code, kind in ((viewer, 4403, "forbidden"), (stranger, 4404, "not-found")):
            async with opened(f"{url}/{what}", key) as talk:
                if what == "exec":
                    await talk.send(START)
                problem = (await told(talk))["problem"]
                assert problem["type"] == f"urn:gigawatt:problem:{kind}"
                assert await closed(talk) == (code, problem["detail"][:120])
        unknown = (await site.call("GET", f"/v1/jobs/none/{what}")).json()
        assert unknown["detail"] == "this path is for WebSocket connections"

    on(play, scenario)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("{", "not JSON"),
        (json.dumps({"stop": {}}), "not 'start'"),
        (b"\x00abc", "not text"),
        (json.dumps({"start": {"command": []}}), "command"),
        (json.dumps({"start": {"comand": ["x"]}}), "comand"),
        (json.dumps({"start": {"command": ["x"], "window": {"rows": 0, "columns": 1}}}), "rows"),
        (json.dumps({"start": {"command": ["bad"]}}), "defect of gigawatt"),
    ],
)
def test_a_start_that_is_none_is_a_problem(play: Play, sent: "str | bytes", said: str) -> None:
    async def scenario(site: Site, url: str, echo: Echo) -> None:
        async with opened(f"{url}/exec", site.admin_key) as talk:
            await talk.send(sent)
            problem = (await told(talk))["problem"]
            assert said in problem["detail"]
            assert (await closed(talk))[0] == 4000 + problem["status"]

    on(play, scenario)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x07x",
        frame(1, b"x"),
        json.dumps({"signal": "SEGV"}),
        json.dumps({"taken": {"channel": 1, "bytes": 1}}),
        json.dumps({"taken": {"channel": 9, "bytes": 1}}),
        json.dumps({"window": {"rows": "many"}}),
        json.dumps({"fly": {}}),
        "[]",
    ],
)
def test_whoever_does_not_keep_to_the_protocol_is_let_go(play: Play, sent: "str | bytes") -> None:
    async def scenario(site: Site, url: str, echo: Echo) -> None:
        async with opened(f"{url}/exec", site.admin_key) as talk:
            await talk.send(START)
            await told(talk)
            await talk.send(sent)
            problem = (await told(talk))["problem"]
            assert "not used as it should be" in problem["detail"]
            assert (await closed(talk))[0] == 4422
        await echo.closed.wait()

    on(play, scenario)


def test_more_than_there_is_room_for_is_refused_and_never_held(play: Play) -> None:
    async def scenario(site: Site, url: str, echo: Echo) -> None:
        echo.gate.clear()
        async with opened(f"{url}/exec", site.admin_key) as talk:
            await talk.send(START)
            await told(talk)
            for _ in range(ROOM_BYTES // FRAME_BYTES):
                await talk.send(frame(0, bytes(FRAME_BYTES)))
            pong = await talk.ping()
            await pong  # it still reads, although nothing is taken
            await talk.send(frame(0, b"x"))
            problem = (await told(talk))["problem"]
            assert "more was sent than there is room for" in problem["detail"]
        assert echo.taken == 0
        await echo.closed.wait()

    on(play, scenario)


def test_a_client_that_goes_ends_what_it_started(play: Play) -> None:
    async def scenario(site: Site, url: str, echo: Echo) -> None:
        talk = await opened(f"{url}/exec", site.admin_key)
        await talk.send(START)
        await told(talk)
        talk.transport.abort()
        await echo.closed.wait()
        assert site.services.accesses.open == 0

    on(play, scenario)


def test_there_is_a_limit_to_open_connections(play: Play) -> None:
    async def scenario(site: Site, url: str, echo: Echo) -> None:
        site.services.accesses.open = OPEN_MAX
        status, problem = await refused(f"{url}/exec", site.admin_key)
        assert (status, problem["type"]) == (429, "urn:gigawatt:problem:limit")
        site.services.accesses.open = 0

    on(play, scenario)


def test_a_process_that_ends_tells_its_clients_to_come_again(play: Play) -> None:
    async def scenario(site: Site, url: str, echo: Echo) -> None:
        async with opened(f"{url}/exec", site.admin_key) as talk:
            await talk.send(START)
            await told(talk)
            site.services.closing.set()
            assert await closed(talk) == (1012, "the control plane is being restarted")
        await echo.closed.wait()

    on(play, scenario)


def test_an_engine_that_cannot_says_so(play: Play) -> None:
    async def scenario(site: Site) -> None:
        async with talking_site(site) as (url, _, _):
            site.engine.command = None
            async with opened(f"{url}/attach", site.admin_key) as talk:
                problem = (await told(talk))["problem"]
                assert problem["type"] == "urn:gigawatt:problem:unsupported"
                assert (await closed(talk))[0] == 4422

    play(scenario)


def test_ports_and_queries_are_checked(play: Play) -> None:
    async def scenario(site: Site, url: str, echo: Echo) -> None:
        for path, field in (("ports/0", "port"), ("ports/x", "port"), ("attach?rnk=1", "rnk")):
            async with opened(f"{url}/{path}", site.admin_key) as talk:
                problem = (await told(talk))["problem"]
                assert (problem["status"], problem["field"]) == (422, field)

    on(play, scenario)
