"""What comes after single tasks of arrays, and arrays whose tasks come after those of another one by one."""

from typing import Any

import pytest

from gigawatt.model.launch import AttemptKey
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site
from tests.surface.api.test_arrays import counted, ended, exits, submit

pytestmark = pytest.mark.slow


def test_a_job_starts_once_the_task_that_it_comes_after_has_succeeded(play: Play) -> None:
    async def story(site: Site) -> None:
        first = await submit(site, array="0-3%2")
        running = await site.submit(after=["many[1]"])
        pending = await site.submit(after=[f"{first['id']}[3]"])
        other = await submit(site, name="other", array=2, after=["many[1]"])
        assert [job["phase"] for job in (running, pending, other)] == ["blocked"] * 3
        assert running["reason"]["detail"] == f"after {first['id']}.1"
        await exits(site, first, 1)
        await site.phase(running, "running")
        await counted(site, other, running=2)
        assert (await site.view(f"/v1/jobs/{pending['id']}"))["phase"] == "blocked"
        await exits(site, first, 0)
        await exits(site, first, 3)
        await site.phase(pending, "running")
        late = await site.submit(after=["many[0]"])
        assert late["phase"] != "blocked"

    play(story)


def test_what_comes_after_a_task_that_fails_or_never_runs_ends_too(play: Play) -> None:
    async def story(site: Site) -> None:
        first = await submit(site, array={"count": 3, "parallel": 1, "max_failures": 0})
        fails = await site.submit(after=["many[0]"])
        anyway = await site.submit(after_done=["many[2]"])
        failed = await site.submit(after_failed=["many[0]"])
        never = await site.submit(after=["many[2]"])
        await exits(site, first, 0, code=1)
        assert (await ended(site, first))["indices"]["cancelled"] == "1-2"
        message = (await site.phase(fails, "failed"))["message"]
        assert message == f"many[0] ({first['id']}.0), which it comes after, failed"
        assert "cancelled" in (await site.phase(never, "failed"))["message"]
        await site.phase(failed, "running")
        await site.phase(anyway, "running")
        body = {"command": ["true"], "after": ["many[0]"]}
        refused = await site.call("POST", "/v1/jobs", body)
        assert (refused.status_code, refused.json()["field"]) == (409, "after")

    play(story)


def test_tasks_follow_those_of_another_array_one_by_one(play: Play) -> None:
    async def story(site: Site) -> None:
        first = await submit(site, array="0-3")
        second = await submit(site, name="second", array="0-3%2", after_each="many")
        third = await submit(site, name="third", array="1-3", after_each="second")
        assert (second["phase"], second["counts"]["pending"]) == ("running", 4)
        assert second["after_each"] == first["id"]
        assert "the one of" in second["reason"]["detail"]
        await exits(site, first, 2)
        assert (await counted(site, second, running=1))["indices"]["running"] == "2"
        await exits(site, second, 2)
        assert (await counted(site, third, running=1))["indices"]["running"] == "2"
        await exits(site, first, 1, code=1)
        assert (await counted(site, second, failed=1))["indices"]["failed"] == "1"
        assert (await counted(site, third, failed=1))["indices"]["failed"] == "1"
        for array in (first, second):
            await exits(site, array, 0)
            await exits(site, array, 3)
        await exits(site, third, 2)
        await exits(site, third, 3)
        views = [await ended(site, array) for array in (first, second, third)]
        assert [view["phase"] for view in views] == ["failed"] * 3
        assert [view["indices"]["succeeded"] for view in views] == ["0,2-3", "0,2-3", "2-3"]

    play(story)


def test_an_array_may_follow_one_that_has_ended(play: Play) -> None:
    async def story(site: Site) -> None:
        first = await submit(site, array="0-1")
        await exits(site, first, 0)
        await exits(site, first, 1, code=1)
        await ended(site, first)
        second = await submit(site, name="second", array="0-1", after_each=first["id"])
        assert second["indices"]["failed"] == "1"
        await exits(site, second, 0)
        assert (await ended(site, second))["message"] == "1 of 2 tasks failed"
        lost = await submit(site, name="lost", array={"indices": "1"}, after_each="many")
        assert lost["phase"] == "failed"
        retried = await site.call("POST", f"/v1/arrays/{lost['id']}/retry")
        assert retried.status_code == 200
        await exits(site, lost, 1)
        assert (await ended(site, lost))["phase"] == "succeeded"

    play(story)


def test_cancelling_what_is_followed_ends_the_tasks_that_never_can_run(play: Play) -> None:
    async def story(site: Site) -> None:
        first = await submit(site, array="0-9%1")
        second = await submit(site, name="second", array="0-9", after_each="many")
        await exits(site, first, 0)
        await counted(site, second, running=1)
        cancelled = await site.call("POST", f"/v1/arrays/{first['id']}/cancel")
        assert cancelled.status_code in {200, 202}
        await ended(site, first)
        await exits(site, second, 0)
        view = await ended(site, second)
        assert (view["indices"]["succeeded"], view["indices"]["failed"]) == ("0", "1-9")

    play(story)


@pytest.mark.parametrize(
    ("path", "fields", "status", "field"),
    [
        ("/v1/jobs", {"after": ["many[9]"]}, 404, "after"),
        ("/v1/jobs", {"after": ["few[1]"]}, 404, "after"),
        ("/v1/jobs", {"after_each": "many"}, 422, "after_each"),
        ("/v1/arrays", {"array": "0-4", "after_each": "many"}, 422, "after_each"),
        ("/v1/arrays", {"array": "0-1", "after_each": "one"}, 404, "after_each"),
    ],
)
def test_what_there_is_not_cannot_be_come_after(
    play: Play, path: str, fields: dict[str, Any], status: int, field: str
) -> None:
    async def story(site: Site) -> None:
        await submit(site, array="0-3")
        await site.submit(name="one")
        refused = await site.call("POST", path, {"command": ["true"], **fields})
        assert (refused.status_code, refused.json()["field"]) == (status, field)

    play(story)


def test_a_new_leader_goes_on_with_what_is_followed(play: Play) -> None:
    async def story(site: Site) -> None:
        first = await submit(site, array="0-1")
        second = await submit(site, name="second", array="0-1", after_each="many")
        waits = await site.submit(after=["many[1]"])
        await counted(site, first, running=2)
        world = site.store.load_world(epoch=99)
        assert set(world.dependents) == {first["id"], f"{first['id']}.1"}
        assert list(world.dependents[first["id"]]) == [second["id"]]
        assert list(world.dependents[f"{first['id']}.1"]) == [waits["id"]]
        assert AttemptKey(gang=f"{second['id']}.0", attempt=1) not in site.engine.machines.attempts

    play(story)
