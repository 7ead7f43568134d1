"""The power tree through the API: set, drawn from, kept to, and told where it is why a job waits."""

from typing import Any

from gigawatt.model.tenant import Role
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site


async def fed(site: Site, feed: str, **terms: Any) -> dict[str, Any]:
    response = await site.call("PUT", f"/v1/power/{feed}", terms)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_cap_is_set_kept_to_shown_and_explained(play: Play) -> None:
    async def story(site: Site) -> None:
        nodes = [each["id"] for each in (await site.call("GET", "/v1/nodes")).json()["items"]]
        await fed(site, "hall", cap="1kW")
        supplies = [f"node={node}" for node in nodes]
        view = await fed(site, "row", cap=0.5, parent="hall", supplies=supplies)
        assert (view["cap"], view["drawn"], view["supplies"]) == (0.5, 0.0, sorted(supplies))
        first = await site.submit()  # a tenth of a core, so 0.4 W
        await site.phase(first, "running")
        second = await site.submit()
        told = (await site.call("GET", f"/v1/jobs/{second['id']}/explain")).json()["reason"]
        assert (told["code"], told["need"], told["have"]) == ("power", 400, 0)
        assert "feed row has 0 W left" in told["message"]
        items = (await site.call("GET", "/v1/power")).json()["items"]
        assert {each["name"]: each["drawn"] for each in items} == {"hall": 0.4, "row": 0.4}
        await fed(site, "row", cap=None)
        await site.phase(second, "running")

    play(story)


def test_what_the_caps_never_carry_is_refused_at_submit(play: Play) -> None:
    async def story(site: Site) -> None:
        nodes = [each["id"] for each in (await site.call("GET", "/v1/nodes")).json()["items"]]
        await fed(site, "hall", cap=0.1, supplies=[f"node={node}" for node in nodes])
        refused = await site.call("POST", "/v1/jobs", {"command": "true", "gang": {"cpus": 1}})
        assert refused.status_code == 422
        assert "4 W" in refused.json()["detail"]

    play(story)


def test_the_tree_stays_a_tree_and_is_changed_by_operators(play: Play) -> None:
    async def story(site: Site) -> None:
        await fed(site, "hall")
        await fed(site, "row", parent="hall")
        ring = await site.call("PUT", "/v1/power/hall", {"parent": "row"})
        assert (ring.status_code, ring.json()["field"]) == (422, "parent")
        nowhere = await site.call("PUT", "/v1/power/row", {"parent": "attic"})
        assert nowhere.status_code == 404
        bad = await site.call("PUT", "/v1/power/row", {"supplies": ["shelf=1"]})
        assert (bad.status_code, bad.json()["field"]) == (422, "supplies.0")
        carries = await site.call("DELETE", "/v1/power/hall")
        assert carries.status_code == 409
        developer = await site.make_key(Role.DEVELOPER)
        refused = await site.call("PUT", "/v1/power/row", {"cap": 1}, key=developer)
        assert refused.status_code == 403
        for feed in ("row", "hall"):
            assert (await site.call("DELETE", f"/v1/power/{feed}")).status_code == 200
        assert (await site.call("GET", "/v1/power")).json()["items"] == []
        assert (await fed(site, "hall", cap=7))["cap"] == 7

    play(story)
