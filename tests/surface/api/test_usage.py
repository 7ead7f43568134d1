"""Tokens: gateways' reports are taken in once each, sums by subject, and what keys and projects may have."""

from typing import Any

import pytest

from gigawatt.model.tokens import HOUR_MS
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site

pytestmark = pytest.mark.slow


def row(number: int, requests: int, **more: Any) -> dict[str, Any]:
    return {
        "row": number,
        "hour_ms": HOUR_MS,
        "tenant": "default",
        "project": "default",
        "key": "key-1",
        "model": "m",
        "endpoint": "e-1",
        "requests": requests,
        "prompt_tokens": requests * 10,
        "cached_tokens": requests * 4,
        "completion_tokens": requests,
        **more,
    }


async def report(site: Site, spool: str, number: int, *rows: dict[str, Any]) -> None:
    body = {"spool": spool, "report": number, "rows": list(rows)}
    told = await site.call("POST", "/v1/gateway/usage", body)
    assert told.status_code == 204, told.text


async def counted(site: Site, by: str = "") -> list[tuple[Any, ...]]:
    names = [name for name in by.split(",") if name]
    query = "&".join(f"by={name}" for name in names)
    items = (await site.view(f"/v1/usage?{query}"))["items"]
    told = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens")
    return [tuple(item[name] for name in (*names, *told)) for item in items]


def test_a_report_counts_once_however_often_and_late_it_comes(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await report(site, "a", 1, row(1, 3), row(2, 1, key="key-2"))
        await report(site, "a", 2, row(1, 5))
        await report(site, "a", 2, row(1, 5))
        await report(site, "a", 1, row(1, 3), row(2, 1, key="key-2"))
        assert await counted(site) == [(6, 60, 24, 6)]
        await report(site, "b", 1, row(1, 2))  # another worker's
        assert await counted(site, "key,endpoint") == [
            ("key-1", "e-1", 7, 70, 28, 7),
            ("key-2", "e-1", 1, 10, 4, 1),
        ]

    play(scenario)


def test_what_others_have_spent_is_told_without_what_the_gateway_counts_itself(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await report(site, "a", 1, row(1, 3))
        await report(site, "b", 1, row(1, 2))
        told = await site.call("POST", "/v1/gateway/spent", {"since_ms": 0, "spools": ["b"]})
        items = told.json()["items"]
        assert {each["subject"]: each["tokens"] for each in items} == {
            "key-1": 33,
            "default/default": 33,
        }

    play(scenario)


def test_usage_is_kept_by_what_there_is(play: Play) -> None:
    async def scenario(site: Site) -> None:
        told = await site.call("GET", "/v1/usage?by=colour")
        assert told.status_code == 422
        assert "endpoint" in told.json()["detail"]

    play(scenario)


def test_limits_of_keys_and_projects_are_told_to_gateways(play: Play) -> None:
    async def scenario(site: Site) -> None:
        made = (await site.call("POST", "/v1/keys", {"name": "k", "role": "developer"})).json()
        assert made["allowance"]["requests_per_s"] == 0
        path = f"/v1/keys/{made['id']}/allowance"
        view = (await site.call("PUT", path, {"requests_per_s": 5})).json()
        assert (view["requests_per_s"], view["concurrent"]) == (5, 0)
        view = (await site.call("PUT", path, {"concurrent": 2})).json()
        assert (view["requests_per_s"], view["concurrent"]) == (5, 2)
        project = "/v1/projects/default/allowance"
        await site.call("PUT", project, {"tokens_per_month": 1_000})
        config = await site.view("/v1/gateway/config")
        (key,) = [each for each in config["keys"] if each["id"] == made["id"]]
        assert key["allowance"]["requests_per_s"] == 5
        (limited,) = config["projects"]
        assert (limited["id"], limited["allowance"]["tokens_per_month"]) == (
            "default/default",
            1_000,
        )
        assert (await site.call("PUT", "/v1/keys/key-0/allowance", {})).status_code == 404

    play(scenario)
