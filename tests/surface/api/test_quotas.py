"""Quotas through the API: set, shown with what is used, enforced, and told where they are why a job waits."""

from typing import Any

from gigawatt.model.tenant import Role
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site


async def entitled(site: Site, project: str, **terms: Any) -> dict[str, Any]:
    response = await site.call("PUT", f"/v1/projects/{project}/quota", terms)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_limit_is_set_enforced_shown_and_explained(play: Play) -> None:
    async def story(site: Site) -> None:
        view = await entitled(site, "default", limit={"cpus": 0.15}, weight=2)
        assert (view["limit"]["cpus"], view["limit"]["gpus"], view["weight"]) == (0.15, None, 2)
        first = await site.submit()
        await site.phase(first, "running")
        second = await site.submit()
        response = await site.call("GET", f"/v1/jobs/{second['id']}/explain")
        told = response.json()
        assert (told["reason"]["code"], told["reason"]["resource"]) == ("limit", "milli_cpu")
        items = (await site.call("GET", "/v1/quotas")).json()["items"]
        assert [(each["project"], each["used"]["cpus"]) for each in items] == [("default", 0.1)]
        view = await entitled(site, "default", limit={"cpus": None})
        assert (view["limit"]["cpus"], view["weight"]) == (None, 2)
        await site.phase(second, "running")

    play(story)


def test_who_may_set_a_quota_and_what_is_refused(play: Play) -> None:
    async def story(site: Site) -> None:
        path = "/v1/projects/default/quota"
        bad = await site.call("PUT", path, {"quota": {"gpus": -1}})
        assert (bad.status_code, bad.json()["field"]) == (422, "quota.gpus")
        bad = await site.call("PUT", path, {"borrow": False})
        assert (bad.status_code, bad.json()["field"]) == (422, "borrow")
        bad = await site.call("PUT", path, {"parent": "nobody"})
        assert bad.status_code == 404
        developer = await site.make_key(Role.DEVELOPER)
        refused = await site.call("PUT", path, {"weight": 9}, key=developer)
        assert refused.status_code == 403
        shown = await site.call("GET", path, key=developer)
        assert (shown.status_code, shown.json()["weight"]) == (200, 1)

    play(story)


def test_what_a_limit_never_lets_run_is_refused_at_submit_with_both_numbers(play: Play) -> None:
    async def story(site: Site) -> None:
        await entitled(site, "default", limit={"cpus": 1.5})
        wide = {"command": "true", "gang": {"nodes": 2, "cpus": 1}}
        refused = await site.call("POST", "/v1/jobs", wide)
        told = refused.json()
        assert (refused.status_code, told["field"]) == (422, "gang.cpus")
        assert "all that the limit of default/default allows" in told["detail"]
        assert "it needs 2 CPU and can have 1.5 CPU" in told["detail"]
        answer = (await site.call("POST", "/v1/ask", {"gang": wide["gang"]})).json()
        assert (answer["starts"], answer["reason"]["code"]) == ("never", "limit")
        await entitled(site, "default", limit={"cpus": 2})
        assert (await site.call("POST", "/v1/jobs", wide)).status_code == 201

    play(story)
