"""Budgets through the API: told, refused, barred, stopped, raised."""

from typing import Any

import pytest

from gigawatt.model.tenant import Role
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site

pytestmark = pytest.mark.slow

PATH = "/v1/budgets"


async def budget(site: Site, **terms: Any) -> dict[str, Any]:
    made = await site.call("PUT", PATH, terms)
    assert made.status_code == 200, made.text
    return made.json()


async def kinds(site: Site) -> list[str]:
    items = (await site.view("/v1/events?kind=budget.spent&kind=budget.open&kind=budget.set"))[
        "items"
    ]
    return [each["kind"] for each in items]


def test_a_spent_budget_refuses_new_work_and_one_that_is_raised_lets_it_go_on(play: Play) -> None:
    async def story(site: Site) -> None:
        first = await site.submit(name="first", gang={"cpus": 2, "nodes": 2})
        await site.phase(first, "running")
        waits = await site.submit(name="waits", gang={"cpus": 2, "nodes": 2})
        spent = await budget(site, project="default", amount="0")
        assert (spent["state"], spent["percent"]) == ("spent", 100)
        refused = await site.call("POST", "/v1/jobs", {"name": "no", "command": ["true"]})
        problem = refused.json()
        assert (refused.status_code, problem["type"]) == (402, "urn:gigawatt:problem:budget-spent")
        await site.call("POST", f"/v1/jobs/{first['id']}/cancel")
        await site.phase(first, "cancelled")
        told = await site.view(f"/v1/jobs/{waits['id']}/explain")
        assert told["reason"]["code"] == "budget"
        opened = await budget(site, project="default", amount="1000000")
        assert opened["state"] == "open"
        await site.phase(waits, "running")
        assert await kinds(site) == ["budget.spent", "budget.set", "budget.open", "budget.set"]

    play(story)


def test_what_runs_is_stopped_after_the_grace_and_goes_on_when_there_is_room(play: Play) -> None:
    async def story(site: Site) -> None:
        job = await site.submit(name="j")
        await site.phase(job, "running")
        await budget(site, amount=0, stops=True, grace=0)

        async def waits() -> bool | None:
            found = await site.view(f"/v1/jobs/{job['id']}")
            return found["phase"] == "queued" or None

        await site.until(waits)
        told = await site.view(f"/v1/jobs/{job['id']}/explain")
        assert told["reason"]["code"] == "budget"
        assert "budget" in {each["what"] for each in told["evidence"]}
        removed = await site.call("DELETE", PATH)
        assert removed.status_code == 204
        await site.phase(job, "running")
        assert (await site.view(PATH))["items"] == []

    play(story)


def test_a_budget_that_only_tells_refuses_nothing_and_one_without_a_limit_is_off(
    play: Play,
) -> None:
    async def story(site: Site) -> None:
        told = await budget(site, amount="0", refuses=False)
        assert told["state"] == "spent"
        await site.phase(await site.submit(name="j"), "running")
        off = await budget(site)
        assert (off["state"], off["amount"], off["tokens"], off["percent"]) == ("off", None, 0, 0)

    play(story)


def test_admins_set_budgets_of_their_tenant_alone(play: Play) -> None:
    async def story(site: Site) -> None:
        foreign = await site.make_key(Role.TENANT_ADMIN, tenant="other")
        for terms, status in (
            ({"tenant": "default", "amount": 1}, 404),
            ({"project": "nix", "amount": 1}, 404),
        ):
            refused = await site.call("PUT", PATH, terms, key=foreign)
            assert refused.status_code == status, refused.text
        developer = await site.make_key(Role.DEVELOPER)
        assert (await site.call("PUT", PATH, {"amount": 1}, key=developer)).status_code == 403
        await budget(site, amount="5")
        assert (await site.call("GET", PATH, key=foreign)).json()["items"] == []
        assert (await site.call("DELETE", PATH, key=foreign)).status_code == 404

    play(story)
