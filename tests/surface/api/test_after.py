"""What comes after another by how that one ends."""

import pytest

from gigawatt.model.launch import AttemptKey
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site


@pytest.mark.parametrize("code", [0, 1])
def test_what_comes_after_runs_or_never_does_by_how_the_other_ends(play: Play, code: int) -> None:
    async def story(site: Site) -> None:
        first = await site.submit(name="first")
        ok = await site.submit(after=["first"])
        failed = await site.submit(after_failed=["first"])
        done = await site.submit(after_done=[first["id"]])
        assert {job["phase"] for job in (ok, failed, done)} == {"blocked"}
        await site.phase(first, "running")
        site.engine.exit(AttemptKey(gang=first["id"], attempt=1), code=code)
        runs, never = (ok, failed) if code == 0 else (failed, ok)
        await site.phase(done, "running")
        await site.phase(runs, "running")
        ended = await site.phase(never, "failed")
        assert "which it comes after" in ended["message"]
        spec = (await site.view(f"/v1/jobs/{done['id']}/spec"))["spec"]
        assert (spec["after"], spec["after_done"]) == ([], [first["id"]])
        way = "after_failed" if code == 0 else "after"
        body = {"name": "late", "command": ["true"], way: ["first"]}
        refused = await site.call("POST", "/v1/jobs", body)
        assert (refused.status_code, refused.json()["field"]) == (409, way)
        other = "after" if code == 0 else "after_failed"
        late = await site.submit(**{other: ["first"], "after_done": []})
        assert late["phase"] != "blocked"

    play(story)


def test_one_job_is_waited_for_in_one_way(play: Play) -> None:
    async def story(site: Site) -> None:
        await site.submit(name="first")
        body = {"command": ["true"], "after": ["first"], "after_done": ["first"]}
        refused = await site.call("POST", "/v1/jobs", body)
        assert (refused.status_code, refused.json()["field"]) == (422, "after")
        assert "more than one of" in refused.json()["detail"]

    play(story)
