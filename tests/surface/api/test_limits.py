"""Limits on replicas and storage through the API: enforced, told, and shown beside all others."""

import asyncio
from typing import Any

import pytest

from gigawatt.clock import now_ms
from gigawatt.model.tenant import Role
from gigawatt.service.occupied import limits_seen
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site
from tests.surface.api.test_builds import digest_of, put
from tests.surface.api.test_endpoints import SERVE, phase, serve, with_model
from tests.surface.api.test_quotas import entitled

pytestmark = pytest.mark.slow


async def look(site: Site) -> None:
    """What is kept and used, looked at and told as it is every few seconds."""
    owed = {name: each.used for name, each in site.services.leader.owed().items()}
    homes = site.services.workspaces.homes
    seen = await asyncio.to_thread(limits_seen, site.store, homes, owed=owed, at_ms=now_ms())
    assert seen is not None
    site.leader.observe(seen)


async def limit_of(
    site: Site, what: str, *, key: str | None = None, project: str = "default"
) -> Any:
    response = await site.call("GET", f"/v1/projects/{project}/limits", key=key)
    assert response.status_code == 200, response.text
    found = [each for each in response.json()["items"] if each["what"] == what]
    return found[0] if len(found) == 1 else found


def test_an_endpoint_gets_no_more_replicas_than_its_project_may_have(play: Play) -> None:
    async def story(site: Site) -> None:
        await with_model(site)
        await entitled(site, "default", limit={"replicas": 1})
        refused = await site.call(
            "POST", "/v1/endpoints", {**SERVE, "replicas": {"min": 2, "max": 2}}
        )
        assert (refused.status_code, refused.json()["field"]) == (429, "replicas.min")
        await serve(site, replicas={"min": 1, "max": 2})
        ready = await phase(site, "ready")
        assert ready["replicas"]["wanted"] == 1
        second = {**SERVE, "name": "second", "replicas": {"min": 1, "max": 1}}
        refused = await site.call("POST", "/v1/endpoints", second)
        assert "other endpoints have 1" in refused.json()["detail"]
        told = await limit_of(site, "replicas")
        assert (told["used"], told["limit"], told["state"]) == ("1", "1", "reached")
        await entitled(site, "default", limit={"replicas": None})
        assert (await site.call("POST", "/v1/endpoints", second)).status_code == 201
        assert (await limit_of(site, "replicas"))["state"] == "off"

    play(story)


def test_what_a_project_may_not_keep_is_refused_and_what_it_keeps_is_told(play: Play) -> None:
    async def story(site: Site) -> None:
        assert (await put(site, b"x" * 80)).status_code == 201
        await entitled(site, "default", limit={"storage": 100})
        await look(site)

        async def near() -> dict[str, Any] | None:
            items = (await site.view("/v1/events?kind=project.limit_near"))["items"]
            return items[0] if items else None

        told = await site.until(near)
        assert told["data"] == {"limit": "storage", "percent": "80"}
        bad = await site.call("PUT", f"/v1/artifacts/{digest_of(b'y' * 30)}", b"y" * 30)
        problem = bad.json()
        assert (bad.status_code, problem["field"]) == (429, "quota")
        assert "keeps 80 B, this adds 30 B, and it may keep 100 B" in problem["detail"]
        assert (await put(site, b"z" * 20)).status_code == 201
        full = await limit_of(site, "storage")
        assert (full["used"], full["limit"], full["state"]) == ("100", "100", "reached")
        again = await site.call("PUT", f"/v1/artifacts/{digest_of(b'w')}", b"w")
        assert again.status_code == 429
        await entitled(site, "default", limit={"storage": None})
        assert (await put(site, b"w")).status_code == 201

    play(story)


def test_every_limit_is_in_one_place_and_others_use_is_not_shown_to_a_project(play: Play) -> None:
    async def story(site: Site) -> None:
        made = await site.call("POST", "/v1/projects", {"name": "inner"})
        assert made.status_code == 201
        await entitled(site, "default", limit={"cpus": 2, "replicas": 5})
        await entitled(site, "inner", parent="default")
        await site.call("PUT", "/v1/budgets", {"amount": "500"})
        view = await site.view("/v1/projects/inner/limits")
        shown = {(each["what"], each["whose"]): each["state"] for each in view["items"]}
        assert shown == {
            **{(what, "inner"): "off" for what in ("gpus", "cpus", "memory", "replicas")},
            **{(what, "inner"): "off" for what in ("storage", "requests a second")},
            **{(what, "inner"): "off" for what in ("tokens a minute", "requests at once")},
            **{(what, "inner"): "off" for what in ("tokens a month", "money a month")},
            ("cpus", "default"): "open",
            ("replicas", "default"): "open",
            ("money a month", "tenant"): "open",
        }
        key = await site.make_key(Role.VIEWER, project="inner")
        _, above = await limit_of(site, "cpus", key=key, project="inner")
        assert (above["limit"], above["used"]) == ("2", None)
        assert (await limit_of(site, "money a month", key=key, project="inner"))["whose"] == "inner"

    play(story)
