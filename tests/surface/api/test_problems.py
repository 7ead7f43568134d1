"""Everything that goes wrong is a problem by RFC 9457, and says nothing of our insides."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from gigawatt.api.middleware import RequestFrame
from gigawatt.model.refusal import RefusalCode, RefusalError
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site, running_site

pytestmark = pytest.mark.slow

MEMBERS = {"type", "title", "status", "detail", "hint", "field", "faults"}

Inner = Callable[[Scope, Receive, Send], Awaitable[None]]


def ask(inner: Inner, headers: dict[str, str] | None = None) -> httpx2.Response:
    """One request through the frame alone."""

    async def sent() -> httpx2.Response:
        frame = RequestFrame(inner, body_bytes_max=100)
        transport = httpx2.ASGITransport(app=frame, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://a.test") as http:
            return await http.get("/", headers=headers)

    return asyncio.run(sent())


def test_unknown_paths_and_methods_are_problems(play: Play) -> None:
    async def scenario(site: Site) -> None:
        for method, path, status in (
            ("GET", "/nothing", 404),
            ("GET", "/v1/jobs/a/b/c", 404),
            ("GET", "/v1/jobs/", 404),
            ("DELETE", "/v1/jobs", 405),
            ("PATCH", "/v1/whoami", 405),
        ):
            response = await site.call(method, path)
            assert response.status_code == status, path
            assert response.headers["content-type"] == "application/problem+json"
            assert set(response.json()) == MEMBERS
        assert response.headers["allow"] == "GET"

    play(scenario)


def test_every_fault_of_a_body_is_told(play: Play) -> None:
    async def scenario(site: Site) -> None:
        body = {"comand": "x", "priority": 5000, "gang": {"nodes": 0}}
        problem = (await site.call("POST", "/v1/jobs", body)).json()
        assert problem["type"] == "urn:gigawatt:problem:unknown-field"
        assert problem["hint"] == "did you mean 'command'?"
        assert [each["field"] for each in problem["faults"]] == ["comand", "gang.nodes", "priority"]

    play(scenario)


def test_a_body_that_is_no_json_is_refused(play: Play) -> None:
    async def scenario(site: Site) -> None:
        response = await site.call("POST", "/v1/jobs", b"{")
        assert response.status_code == 422
        assert "not JSON" in response.json()["detail"]
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        response = await site.call("POST", "/v1/jobs", b"a=b", headers=form)
        assert (response.status_code, response.json()["field"]) == (422, "Content-Type")

    play(scenario)


def test_a_body_over_the_limit_is_refused_with_and_without_its_length(tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    async def scenario() -> list[httpx2.Response]:
        async with running_site(tmp_path, body_bytes_max=1_000) as site:
            key = {"Authorization": f"Bearer {site.admin_key}"}
            whole = await site.http.post("/v1/jobs", content=b"x" * 1_001, headers=key)
            streamed = await site.http.post("/v1/jobs", content=pieces(), headers=key)
            fits = await site.http.post("/v1/jobs", content=b"x" * 1_000, headers=key)
            return [whole, streamed, fits]

    whole, streamed, fits = asyncio.run(scenario())
    assert (whole.status_code, streamed.status_code, fits.status_code) == (413, 413, 422)
    assert "1000 bytes" in streamed.json()["detail"]


def test_a_mistake_of_ours_tells_an_id_and_logs_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError("the secret reason")

    response = ask(broken)
    assert response.status_code == 500
    assert response.json()["type"] == "urn:gigawatt:problem:internal"
    assert "secret" not in response.text
    request_id = response.headers["x-request-id"]
    assert request_id in response.json()["detail"]
    (record,) = caplog.records
    assert record.__dict__["request_id"] == request_id
    assert record.exc_info is not None


def test_a_refusal_from_below_keeps_its_code() -> None:
    async def full(scope: Scope, receive: Receive, send: Send) -> None:
        raise RefusalError(RefusalCode.DISK_FULL, "the disk is full")

    response = ask(full)
    assert (response.status_code, response.json()["title"]) == (507, "The disk is full")


def test_a_request_keeps_the_id_that_its_client_gave() -> None:
    async def fine(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    given = ask(fine, headers={"X-Request-Id": "abc-1"})
    odd = ask(fine, headers={"X-Request-Id": "a b\tc"})
    assert given.headers["x-request-id"] == "abc-1"
    assert odd.headers["x-request-id"] not in {"a b\tc", ""}


def test_characters_that_no_name_can_have_are_refused(play: Play) -> None:
    async def scenario(site: Site) -> None:
        for path in ("/v1/jobs/a%00b", "/v1/jobs?name=a%00b"):
            response = await site.call("GET", path)
            assert response.status_code == 422, path

    play(scenario)
