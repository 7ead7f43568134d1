"""Reservations through the API: made, kept to, told where they are why a job waits, and seen by whom they are for."""

from typing import Any

from gigawatt import clock
from gigawatt.model.tenant import Role
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site

PATH = "/v1/reservations"
HOUR_MS = 3_600_000


def test_nodes_are_set_aside_kept_to_explained_and_given_back(play: Play) -> None:
    async def story(site: Site) -> None:
        nodes = [each["id"] for each in (await site.call("GET", "/v1/nodes")).json()["items"]]
        start_ms = clock.now_ms() + 6 * HOUR_MS
        form = {"name": "fans", "nodes": nodes, "start": start_ms, "duration": "4h"}
        made = await site.call("POST", PATH, {**form, "reason": "new fans"})
        assert made.status_code == 201, made.text
        view = made.json()
        assert (view["phase"], view["holder"], view["nodes"]) == ("planned", "", sorted(nodes))
        assert view["end_ms"] - view["start_ms"] == 4 * HOUR_MS
        job = await site.submit()
        told = (await site.call("GET", f"/v1/jobs/{job['id']}/explain")).json()
        assert told["reason"]["code"] == "reserved"
        assert told["cheapest_change"]["field"] == "timeout"
        short = await site.submit(timeout="1h")
        await site.phase(short, "running")
        assert (await site.call("GET", PATH)).json()["items"] == [view]
        ended = await site.call("DELETE", f"{PATH}/fans")
        assert ended.json()["phase"] == "ended"
        await site.phase(job, "running")
        assert (await site.call("GET", PATH)).json()["items"] == []
        assert (await site.call("GET", f"{PATH}/fans")).json()["phase"] == "ended"
        assert (await site.call("DELETE", f"{PATH}/fans")).status_code == 409

    play(story)


def test_bad_forms_are_refused_with_the_field(play: Play) -> None:
    async def story(site: Site) -> None:
        nodes = [each["id"] for each in (await site.call("GET", "/v1/nodes")).json()["items"]]
        good = {"name": "r", "nodes": nodes[:1], "duration": "4h"}
        changes: tuple[tuple[dict[str, Any], int, str], ...] = (
            ({"nodes": []}, 422, ""),
            ({"duration": 0}, 422, ""),
            ({"end": "2999-01-01"}, 422, ""),
            ({"duration": "soon"}, 422, "duration"),
            ({"nodes": ["nowhere"]}, 404, "nodes"),
            ({"nodes": [], "parts": ["shelf=1"]}, 422, "parts.0"),
            ({"nodes": [], "parts": ["rack=none"]}, 404, "parts"),
            ({"holder": "no one"}, 422, "holder"),
            ({"holder": "nobody"}, 404, "holder"),
        )
        for change, status, field in changes:
            refused = await site.call("POST", PATH, {**good, **change})
            assert (refused.status_code, refused.json().get("field", "")) == (status, field), change

    play(story)


def test_operators_make_them_and_a_tenant_sees_its_own_and_maintenance(play: Play) -> None:
    async def story(site: Site) -> None:
        nodes = [each["id"] for each in (await site.call("GET", "/v1/nodes")).json()["items"]]
        developer = await site.make_key(Role.DEVELOPER)
        form = {"name": "r", "nodes": nodes[:1], "duration": "4h"}
        assert (await site.call("POST", PATH, form, key=developer)).status_code == 403
        for year, (name, holder) in enumerate((("ours", "default"), ("fans", "")), start=2990):
            more = {"name": name, "holder": holder, "start": f"{year}-01-01"}
            made = await site.call("POST", PATH, {**form, **more})
            assert made.status_code == 201, made.text
        foreign = await site.make_key(Role.TENANT_ADMIN, tenant="other")
        for key, names in ((developer, {"ours", "fans"}), (foreign, {"fans"})):
            seen = (await site.call("GET", PATH, key=key)).json()["items"]
            assert {each["name"] for each in seen} == names
        assert (await site.call("GET", f"{PATH}/ours", key=foreign)).status_code == 404
        assert (await site.call("GET", f"{PATH}/ours", key=developer)).status_code == 200

    play(story)
