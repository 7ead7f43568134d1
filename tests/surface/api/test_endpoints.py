"""Endpoints over the API."""

from typing import Any

import pytest

from gigawatt.model.launch import AttemptKey
from gigawatt.model.tenant import Role
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site
from tests.surface.api.test_builds import digest_of, put

pytestmark = pytest.mark.slow

SERVE = {
    "kind": "endpoint",
    "name": "gpt",
    "model": "gpt@prod",
    "command": "python serve.py",
    "gang": {"cpus": 0.5},
    "replicas": {"min": 0, "max": 2},
}


async def with_model(site: Site) -> None:
    await put(site, b"weights")
    body = {"name": "gpt", "digest": digest_of(b"weights"), "aliases": ["prod"]}
    assert (await site.call("POST", "/v1/models", body)).status_code == 201


async def serve(site: Site, **fields: Any) -> dict[str, Any]:
    response = await site.call("POST", "/v1/endpoints", {**SERVE, **fields})
    assert response.status_code == 201, response.text
    return response.json()


async def phase(site: Site, *phases: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        view = await site.view("/v1/endpoints/gpt")
        return view if view["phase"] in phases else None

    return await site.until(look)


async def demand(site: Site, endpoint: dict[str, Any], **counts: int) -> None:
    gateway = await site.make_key(Role.GATEWAY)
    report = {"gateway": "g", "endpoints": [{"id": endpoint["id"], **counts}]}
    response = await site.call("POST", "/v1/gateway/demand", report, key=gateway)
    assert (response.status_code, response.content) == (204, b"")


def test_an_endpoint_starts_at_zero_and_wakes_on_demand(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await with_model(site)
        endpoint = await serve(site)
        assert (endpoint["phase"], endpoint["model"]) == ("zero", "gpt:1")
        assert endpoint["url"] == "http://gateway.test/v1"
        assert (endpoint["ttft_ms"], endpoint["tpot_ms"]) == (None, None)
        times = {"ttft_ms": 120, "tpot_ms": 9}
        await demand(site, endpoint, queued=1, last_request_ms=1 << 50, requests_more=1, **times)
        view = await phase(site, "ready")
        assert (view["replicas"]["ready"], view["requests"], view["queued"]) == (1, 1, 1)
        assert (view["ttft_ms"], view["tpot_ms"]) == (120, 9)
        (replica,) = view["replicas_list"]
        assert replica["ready"]
        assert replica["port"] > 0
        assert [each["id"] for each in (await site.view("/v1/endpoints"))["items"]] == [view["id"]]

    play(scenario)


def test_an_endpoint_is_replaced_by_name_and_guarded_by_its_version(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await with_model(site)
        first = await serve(site)
        second = await serve(site, concurrency=3)
        assert second["id"] == first["id"]
        assert second["version"] > first["version"]
        stale = {"If-Match": f'"{first["version"]}"'}
        response = await site.call("POST", "/v1/endpoints", SERVE, headers=stale)
        assert response.status_code == 412
        fresh = {"If-Match": f'"{second["version"]}"'}
        response = await site.call("POST", "/v1/endpoints", SERVE, headers=fresh)
        assert response.status_code == 201

    play(scenario)


def test_a_model_that_is_not_there_is_refused_with_those_that_are(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await with_model(site)
        for model, detail, hint in (
            ("other", "there is no model other", "gw models lists those there are"),
            ("gpt:7", "model gpt has no version 7", "it has versions 1 to 1"),
            ("gpt@beta", "model gpt has no alias beta", "it has versions 1 to 1; aliases: prod"),
            ("gpt@", "model gpt has no alias @", "it has versions 1 to 1; aliases: prod"),
        ):
            problem = (await site.call("POST", "/v1/endpoints", {**SERVE, "model": model})).json()
            assert (problem["field"], problem["detail"], problem["hint"]) == ("model", detail, hint)
        for model in ("gpt", "gpt:1", "gpt:latest", "gpt@prod"):
            assert (await serve(site, model=model))["model"] == "gpt:1"

    play(scenario)


def test_a_dry_run_of_an_endpoint_makes_none(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await with_model(site)
        dry = (await site.call("POST", "/v1/endpoints?dry_run=true", SERVE)).json()
        assert (dry["feasible"], dry["starts_now"], len(dry["placements"])) == (True, True, 1)
        assert dry["spec"]["model"] == "gpt:1"
        big = {**SERVE, "gang": {"cpus": 64}}
        dry = (await site.call("POST", "/v1/endpoints?dry_run=true", big)).json()
        assert (dry["feasible"], dry["reason"]["resource"]) == (False, "milli_cpu")
        assert (await site.call("POST", "/v1/endpoints", big)).status_code == 422
        assert (await site.view("/v1/endpoints"))["items"] == []

    play(scenario)


def test_a_deleted_endpoint_is_gone_by_name_and_known_by_id(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await with_model(site)
        endpoint = await serve(site, replicas={"min": 1, "max": 1})
        await phase(site, "ready")
        assert (await site.call("DELETE", "/v1/endpoints/gpt")).status_code == 200

        async def gone() -> bool | None:
            status = (await site.call("GET", "/v1/endpoints/gpt")).status_code
            return True if status == 404 else None

        await site.until(gone)
        assert (await site.view(f"/v1/endpoints/{endpoint['id']}"))["phase"] == "stopped"

    play(scenario)


def test_a_replicas_output_is_read_like_a_jobs(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await with_model(site)
        await serve(site)
        response = await site.call("GET", "/v1/endpoints/gpt/logs")
        assert (response.status_code, "no replica yet" in response.json()["detail"]) == (404, True)
        await serve(site, replicas={"min": 1, "max": 1})
        view = await phase(site, "ready")
        replica = view["replicas_list"][0]["id"]
        site.engine.write(AttemptKey(gang=replica, attempt=1), b"serving\n")
        for query in ("", f"?replica={replica}"):
            response = await site.call("GET", f"/v1/endpoints/gpt/logs{query}")
            assert response.content == b"serving\n"
        assert (await site.call("GET", "/v1/endpoints/gpt/logs?replica=x")).status_code == 404

    play(scenario)
