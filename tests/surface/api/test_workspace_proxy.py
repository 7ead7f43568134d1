"""The proxy to workspaces: who comes in, what goes on to the program and what comes back, and what counts as use."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from gigawatt.api.proxy.app import Proxy
from gigawatt.model.tenant import Role
from gigawatt.model.workspace import Workspace
from tests.surface.api.conftest import Play
from tests.surface.api.desk_double import Desk, a_desk, serving
from tests.surface.api.site import PROXY_URL, Site
from tests.surface.api.test_workspaces import in_phase, made

pytestmark = pytest.mark.slow

PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@dataclass(slots=True)
class Visit:
    """A browser at the proxy, and what is behind it."""

    site: Site
    desk: Desk
    url: str
    browser: httpx2.AsyncClient

    async def link(self, *, key: str | None = None, name: str = "lab") -> str:
        answer = await self.site.call("POST", f"/v1/workspaces/{name}/open", key=key)
        assert answer.status_code == 200, answer.text
        return answer.json()["url"].replace(PROXY_URL, self.url)

    async def come_in(self) -> None:
        answer = await self.browser.get(await self.link(), headers=PAGE)
        assert answer.status_code == 303, answer.text

    @asynccontextmanager
    async def socket(self, **more: Any) -> AsyncGenerator[ClientConnection]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.browser.cookies.items())
        url = f"{self.url.replace('http', 'ws')}/workspaces/lab/talk?a=1"
        headers = {"Cookie": cookies, **more.pop("headers", {})}
        async with connect(
            url, additional_headers=headers, max_size=None, proxy=None, **more
        ) as socket:
            yield socket

    def workspace(self) -> Workspace:
        (workspace,) = self.site.leader.state.world.workspaces.values()
        return workspace


Scenario = Callable[[Visit], Awaitable[None]]


@pytest.fixture
def visit(play: Play) -> Callable[[Scenario], None]:
    """Plays a scenario at the proxy of a site with one running workspace."""

    def played(scenario: Scenario) -> None:
        async def with_desk(site: Site) -> None:
            proxy = Proxy(site.services)
            async with a_desk() as desk, serving(proxy) as port, httpx2.AsyncClient() as browser:
                site.engine.machines.port = desk.port
                await made(site)
                await in_phase(site, "running")
                await scenario(Visit(site, desk, f"http://127.0.0.1:{port}", browser))
            await proxy.close()

        play(with_desk)

    return played


def test_a_link_lets_in_once_and_leaves_the_address_clean(
    visit: Callable[[Scenario], None],
) -> None:
    async def scenario(at: Visit) -> None:
        link = await at.link()
        answer = await at.browser.get(f"{link}&view=tree", headers=PAGE)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/workspaces/lab/?view=tree"
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("gigawatt-workspace=")
        assert "; Path=/workspaces/lab/; HttpOnly; SameSite=Lax" in cookie
        page = await at.browser.get(f"{at.url}/workspaces/lab/some%20page?q=%2F")
        assert page.status_code == 200
        assert page.json()["query"] == "q=%2F"
        again = await at.browser.get(link, headers=PAGE)
        assert again.status_code == 403
        assert "used" in again.text

    visit(scenario)


def test_without_a_cookie_and_with_another_workspaces_nothing_is_there(
    visit: Callable[[Scenario], None],
) -> None:
    async def scenario(at: Visit) -> None:
        assert (await at.browser.get(f"{at.url}/workspaces/lab/", headers=PAGE)).status_code == 404
        key = {"Authorization": f"Bearer {at.site.admin_key}"}
        assert (await at.browser.get(f"{at.url}/workspaces/lab/", headers=key)).status_code == 404
        await at.come_in()
        cookie = at.browser.cookies["gigawatt-workspace"]
        await made(at.site, name="other")
        for name, value in (("other", cookie), ("lab", cookie[:-2]), ("lab", "x.y"), ("lab", ".")):
            headers = {"Cookie": f"gigawatt-workspace={value}"}
            async with httpx2.AsyncClient() as stranger:
                answer = await stranger.get(f"{at.url}/workspaces/{name}/", headers=headers)
            assert answer.status_code == 404, name
        assert at.desk.seen == []
        assert (await at.browser.get(f"{at.url}/")).status_code == 404
        assert (await at.browser.get(f"{at.url}/workspaces/lab")).status_code == 404

    visit(scenario)


def test_a_revoked_key_ends_the_visits_that_it_began(visit: Callable[[Scenario], None]) -> None:
    async def scenario(at: Visit) -> None:
        secret = await at.site.make_key(Role.DEVELOPER)
        await at.browser.get(await at.link(key=secret), headers=PAGE)
        assert (await at.browser.get(f"{at.url}/workspaces/lab/")).status_code == 200
        keys = (await at.site.view("/v1/keys"))["items"]
        (key,) = (each["id"] for each in keys if each["name"] == "developer")
        async with at.socket() as socket:
            await at.site.call("DELETE", f"/v1/keys/{key}")
            with pytest.raises(ConnectionClosed):
                while True:
                    await socket.recv()
            assert socket.close_code == 1008
        assert (await at.browser.get(f"{at.url}/workspaces/lab/")).status_code == 404

    visit(scenario)


def test_keys_and_foreign_cookies_do_not_go_on_and_the_desks_token_does(
    visit: Callable[[Scenario], None],
) -> None:
    async def scenario(at: Visit) -> None:
        await at.come_in()
        at.browser.cookies.set("console", "secret")
        headers = {
            "Authorization": "Bearer gw_secret",
            "X-Gigawatt-Desk": "forged",
            "X-Forwarded-Host": "forged",
            "Connection": "X-Hop",
            "X-Hop": "1",
            "X-Kept": "1",
        }
        first = await at.browser.get(f"{at.url}/workspaces/lab/", headers=headers)
        seen = first.json()["headers"]
        assert seen["x-kept"] == "1"
        assert not {"authorization", "cookie", "x-hop", "x-forwarded-host"} & set(seen)
        (key,) = at.site.engine.machines.attempts
        assert seen["x-gigawatt-desk"] == at.site.services.doors.desk_token(key)
        assert seen["host"] == at.url.removeprefix("http://")
        assert first.headers["x-own"] == "kept"
        assert "service-worker-allowed" not in first.headers
        assert "gw-theme=dark; Path=/workspaces/lab/" in first.headers["set-cookie"]
        assert "domain" not in first.headers["set-cookie"].lower()
        second = await at.browser.get(f"{at.url}/workspaces/lab/")
        assert second.json()["headers"]["cookie"] == "theme=dark"

    visit(scenario)


def test_bodies_go_through_as_they_come(visit: Callable[[Scenario], None]) -> None:
    async def scenario(at: Visit) -> None:
        await at.come_in()

        async def parts() -> AsyncGenerator[bytes]:
            for _ in range(64):
                yield b"x" * 65_536

        answer = await at.browser.put(f"{at.url}/workspaces/lab/upload", content=parts())
        assert answer.json()["bytes"] == 64 * 65_536
        async with at.browser.stream("GET", f"{at.url}/workspaces/lab/stream") as stream:
            chunks = stream.aiter_raw()
            assert await anext(chunks) == b"first "
            at.desk.go_on.set()
            assert await anext(chunks) == b"second"

    visit(scenario)


def test_a_client_that_leaves_is_not_read_for(visit: Callable[[Scenario], None]) -> None:
    async def scenario(at: Visit) -> None:
        await at.come_in()
        async with at.browser.stream("GET", f"{at.url}/workspaces/lab/stream") as stream:
            await anext(stream.aiter_raw())
        async with asyncio.timeout(20):
            await at.desk.left.wait()

    visit(scenario)


def test_messages_go_both_ways_with_their_kind_protocol_and_close(
    visit: Callable[[Scenario], None],
) -> None:
    async def scenario(at: Visit) -> None:
        await at.come_in()
        async with at.socket(subprotocols=[Subprotocol("v1.kernel"), Subprotocol("v0")]) as socket:
            assert socket.subprotocol == "v1.kernel"
            await socket.send("hello")
            assert await socket.recv() == '{"heard": "hello"}'
            await socket.send(b"abc")
            assert await socket.recv() == b"cba"
            await socket.send(b"z" * (4 << 20))
            assert len(await socket.recv()) == 4 << 20
            await socket.send("leave")
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as asked")
        (seen,) = at.desk.seen
        assert seen["query"] == "a=1"
        assert "cookie" not in seen["headers"]
        assert "x-gigawatt-desk" in seen["headers"]

    visit(scenario)


def test_other_origins_pages_are_refused(visit: Callable[[Scenario], None]) -> None:
    async def scenario(at: Visit) -> None:
        await at.come_in()
        url = f"{at.url}/workspaces/lab/"
        elsewhere = {"Origin": "http://127.0.0.1:8484"}
        assert (await at.browser.post(url, headers=elsewhere)).status_code == 403
        same_site = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}
        assert (await at.browser.get(url, headers=same_site)).status_code == 403
        framed = {**PAGE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}
        assert (await at.browser.get(url, headers=framed)).status_code == 403
        followed = {**PAGE, "Sec-Fetch-Site": "cross-site"}
        assert (await at.browser.get(url, headers=followed)).status_code == 200
        own = {"Origin": at.url, "Sec-Fetch-Site": "same-origin"}
        assert (await at.browser.post(url, headers=own)).status_code == 200
        with pytest.raises(InvalidStatus):
            async with at.socket(headers=elsewhere):
                pass

    visit(scenario)


def test_a_socket_without_a_cookie_is_refused(visit: Callable[[Scenario], None]) -> None:
    async def scenario(at: Visit) -> None:
        with pytest.raises(InvalidStatus):
            async with at.socket():
                pass
        assert at.desk.seen == []

    visit(scenario)


def test_opening_a_suspended_one_starts_it_and_a_page_left_open_does_not(
    visit: Callable[[Scenario], None],
) -> None:
    async def scenario(at: Visit) -> None:
        await at.come_in()
        await at.site.call("POST", "/v1/workspaces/lab/suspend")
        await in_phase(at.site, "suspended")
        url = f"{at.url}/workspaces/lab/"
        polled = await at.browser.get(f"{url}api/kernels", headers={"Sec-Fetch-Mode": "cors"})
        assert polled.status_code == 503
        assert polled.headers["retry-after"] == "1"
        assert (await in_phase(at.site, "suspended"))["phase"] == "suspended"
        opened = await at.browser.get(url, headers=PAGE)
        assert opened.status_code == 503
        assert "looks again" in opened.text
        await in_phase(at.site, "running")
        assert (await at.browser.get(url, headers=PAGE)).status_code == 200

    visit(scenario)


def test_people_count_as_use_and_pages_by_themselves_do_not(
    visit: Callable[[Scenario], None],
) -> None:
    async def scenario(at: Visit) -> None:
        await at.come_in()
        url = f"{at.url}/workspaces/lab/"
        before = at.workspace().active_ms

        async def touched() -> bool:
            await at.site.call("POST", "/v1/workspaces/lab/start")  # after all that was observed
            return at.workspace().active_ms > before

        for path in ("api/kernels", "api/sessions", "static/x.js"):
            await at.browser.get(url + path, headers={"Sec-Fetch-Mode": "cors"})
        async with at.socket() as socket:
            await socket.send("\x00" * 16)
            await socket.recv()
            assert not await touched()
            await socket.send("a cell to be executed")
            await socket.recv()
        assert await touched()

    visit(scenario)


def test_a_program_that_does_not_answer_is_said_to_be_unavailable(
    visit: Callable[[Scenario], None],
) -> None:
    async def scenario(at: Visit) -> None:
        await at.come_in()
        at.site.engine.machines.port = 1
        await made(at.site, name="dead")
        await in_phase(at.site, "running", name="dead")
        answer = await at.browser.get(await at.link(name="dead"), headers=PAGE)
        assert answer.status_code == 303
        page = await at.browser.get(f"{at.url}/workspaces/dead/", headers=PAGE)
        assert page.status_code == 503

    visit(scenario)
