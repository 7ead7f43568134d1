"""The fleet map by the API: files with tags, parts of the site in words, and whose names are told."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gigawatt.model.tenant import Role
from gigawatt.service.fleet_map import FIRST, NOBODY, OTHER
from gigawatt.service.fleet_wire import unpack
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site, running_site

pytestmark = pytest.mark.slow

STATE, LAYOUT, SPOT, PLACES = (
    f"/v1/fleet/{name}" for name in ("state", "layout", "spot", "places")
)


def test_the_files_say_where_nodes_are_and_which_gang_is_on_them(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit(gang={"nodes": 1, "cpus": 1})
        await site.phase(job, "running")
        layout, arrays = unpack((await site.call("GET", LAYOUT)).content)
        assert (layout["nodes"], arrays["gpus"].tolist()) == (2, [0, 0])
        assert bytes(arrays["rack_name"]) == b"r0"
        gangs = await site.until(lambda: _busy(site))
        assert sorted(gangs) == [NOBODY, FIRST]
        spot = await site.view(f"{SPOT}?row={gangs.index(FIRST)}&layout={await _version(site)}")
        assert [each["id"] for each in spot["gangs"]] == [job["id"]]
        assert spot["path"] == ["site", "hall", "spine", "leaf", "r0"]

    play(scenario)


def test_a_file_is_not_sent_again_to_who_has_it(play: Play) -> None:
    async def scenario(site: Site) -> None:
        for path in (STATE, LAYOUT):
            first = await site.call("GET", path)
            tag = first.headers["etag"]
            again = await site.call("GET", path, headers={"If-None-Match": tag})
            assert (again.status_code, again.content) == (304, b"")
            plain = await site.call("GET", path, headers={"Accept-Encoding": "identity"})
            assert "content-encoding" not in plain.headers
            assert plain.content == first.content
            assert plain.headers["etag"] != tag

    play(scenario)


def test_a_tenant_sees_that_others_are_there_and_not_who(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit(name="secret-name", gang={"nodes": 2, "cpus": 1})
        await site.phase(job, "running")
        await site.until(lambda: _busy(site))
        key = await site.make_key(Role.VIEWER, tenant="acme")
        found = await site.call("GET", STATE, key=key)
        header, arrays = unpack(found.content)
        assert arrays["gang"].tolist() == [OTHER, OTHER]
        assert header["owners"] == [""]
        spot = (await site.call("GET", f"{SPOT}?row=0", key=key)).json()
        assert (spot["gangs"], spot["others"]) == ([], 1)
        for what in (job["id"], "secret-name"):
            refused = await site.call("GET", f"{PLACES}?what={what}", key=key)
            assert refused.status_code == 404
            mine = await site.view(f"{PLACES}?what={what}")
            assert (mine["kind"], mine["rows"], mine["racks"]) == ("gang", [0, 1], 1)

    play(scenario)


def test_parts_of_the_site_are_told_by_the_names_of_domains(play: Play) -> None:
    async def scenario(site: Site) -> None:
        whole = await site.view("/v1/fleet")
        assert (whole["count"]["nodes"], [each["name"] for each in whole["domains"]]) == (
            2,
            ["site"],
        )
        at = "&".join(f"at={name}" for name in ("site", "hall", "spine", "leaf", "r0"))
        rack = await site.view(f"/v1/fleet?{at}")
        assert [node["id"] for node in rack["nodes"]] == ["node-0", "node-1"]
        missing = await site.call("GET", "/v1/fleet?at=nowhere")
        assert (missing.status_code, missing.json()["field"]) == (404, "at")

    play(scenario)


def test_a_row_of_an_older_layout_is_refused_and_one_beyond_the_last_is_not_there(
    play: Play,
) -> None:
    async def scenario(site: Site) -> None:
        stale = await site.call("GET", f"{SPOT}?row=0&layout=older")
        assert (stale.status_code, stale.json()["field"]) == (412, "layout")
        assert (await site.call("GET", f"{SPOT}?row=2")).status_code == 404
        assert (await site.call("GET", f"{SPOT}?row=-1")).status_code == 422

    play(scenario)


def test_a_site_without_nodes_has_an_empty_map(tmp_path: Path) -> None:
    async def run() -> None:
        async with running_site(tmp_path, nodes=0) as site:
            layout, _ = unpack((await site.call("GET", LAYOUT)).content)
            _, arrays = unpack((await site.call("GET", STATE)).content)
            assert (layout["nodes"], len(arrays["state"])) == (0, 0)
            assert (await site.view("/v1/fleet"))["count"]["nodes"] == 0

    asyncio.run(run())


async def _busy(site: Site) -> list[int] | None:
    _, arrays = unpack((await site.call("GET", STATE)).content)
    gangs: list[Any] = arrays["gang"].tolist()
    return gangs if any(gangs) else None


async def _version(site: Site) -> str:
    header, _ = unpack((await site.call("GET", STATE)).content)
    return header["layout"]
