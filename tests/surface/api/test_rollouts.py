"""Rollouts over the API: what a change would do, a canary under way, steered, its history, and who may."""

import pytest

from gigawatt.model.tenant import Role
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site
from tests.surface.api.test_endpoints import SERVE, phase, serve, with_model

pytestmark = pytest.mark.slow

CANARY = {"strategy": "canary", "steps": [10], "pause": "1h", "bake": "1h"}
ONE = {"min": 1, "max": 1}


async def rolling(site: Site) -> None:
    await with_model(site)
    await serve(site, replicas=ONE, rollout=CANARY)
    await phase(site, "ready")
    await serve(site, replicas=ONE, rollout=CANARY, command="python serve.py --better")

    async def shared() -> bool | None:
        view = await site.view("/v1/endpoints/gpt")
        return True if view["rollout"]["weight"] == 10 else None

    await site.until(shared)


def test_a_dry_run_tells_what_a_change_would_do(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await with_model(site)
        new = (await site.call("POST", "/v1/endpoints?dry_run=true", SERVE)).json()
        assert (new["change"], new["revision"], new["changes"]) == ("create", 1, [])
        await serve(site, replicas=ONE)
        await phase(site, "ready")
        same = {**SERVE, "replicas": ONE}
        for fields, change, revision, changed in (
            ({}, "none", 1, []),
            ({"idle": "1h"}, "in_place", 1, ["idle"]),
            ({"env": {"A": "1"}, "grace": 3}, "rollout", 2, ["env.A", "grace"]),
        ):
            body = {**same, **fields}
            dry = (await site.call("POST", "/v1/endpoints?dry_run=true", body)).json()
            assert (dry["change"], dry["revision"]) == (change, revision)
            assert [each["field"] for each in dry["changes"]] == changed
            assert (dry["replicas"], dry["starts_now"]) == (1, True)
        assert (await site.view("/v1/endpoints/gpt"))["revision"] == 1

    play(scenario)


def test_a_canary_is_shown_steered_and_remembered(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await rolling(site)
        view = await site.view("/v1/endpoints/gpt")
        rollout = view["rollout"]
        assert (rollout["revision"], rollout["before"], rollout["next_weight"]) == (2, 1, 100)
        assert {each["revision"]: each["ready"] for each in view["replicas_list"]} == {
            1: True,
            2: True,
        }
        gateway = await site.make_key(Role.GATEWAY)
        config = (await site.call("GET", "/v1/gateway/config", key=gateway)).json()
        (told,) = config["endpoints"]
        assert told["revisions"] == [
            {"generation": 2, "weight": 10, "concurrency": 8},
            {"generation": 1, "weight": 90, "concurrency": 8},
        ]
        path = "/v1/endpoints/gpt/rollout"
        paused = await site.call("POST", path, {"steer": "pause"})
        assert paused.json()["rollout"]["paused"] is True
        back = await site.call("POST", path, {"steer": "rollback", "reason": "no"})
        assert (back.json()["rollout"], back.json()["revision"]) == (None, 1)
        nothing = await site.call("POST", path, {"steer": "promote"})
        assert (nothing.status_code, "no rollout" in nothing.json()["detail"]) == (409, True)
        history = (await site.view("/v1/endpoints/gpt/revisions"))["items"]
        assert {each["number"]: each["phase"] for each in history} == {1: "live", 2: "rolled_back"}

    play(scenario)


def test_counts_of_a_gateway_take_a_bad_revision_back(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await rolling(site)
        view = await site.view("/v1/endpoints/gpt")
        gateway = await site.make_key(Role.GATEWAY)
        revisions = {"2": {"requests": 50, "errors": 40, "ttft": {"20": 10}}}
        report = {"gateway": "g", "endpoints": [{"id": view["id"], "revisions": revisions}]}
        response = await site.call("POST", "/v1/gateway/demand", report, key=gateway)
        assert response.status_code == 204

        async def back() -> str | None:
            shown = await site.view("/v1/endpoints/gpt")
            return shown["last_rollout"] if shown["rollout"] is None else None

        assert "40 of its 50 requests failed" in await site.until(back)

    play(scenario)


def test_an_earlier_revision_is_served_again_as_a_new_one(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await with_model(site)
        await serve(site)
        await serve(site, env={"A": "2"})
        path = "/v1/endpoints/gpt/rollout"
        again = (await site.call("POST", path, {"steer": "rollback"})).json()
        assert (again["revision"], again["rollout"]) == (3, None)
        none = await site.call("POST", path, {"steer": "rollback", "to": 9})
        assert none.json()["detail"] == "endpoint gpt has no revision 9 to go back to"
        viewer = await site.make_key(Role.VIEWER)
        refused = await site.call("POST", path, {"steer": "rollback"}, key=viewer)
        assert refused.status_code == 403

    play(scenario)


def test_steps_that_do_not_rise_are_refused(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await with_model(site)
        for rollout, detail in (
            ({"steps": [50, 5]}, "rollout.steps must rise, got [50, 5]"),
            ({"steps": [100]}, "rollout.steps.0 must be at most 99, got 100"),
            (
                {"latency": 0.5},
                "rollout.latency is a multiple of the old revision's p99 TTFT, got 0.5",
            ),
        ):
            problem = (
                await site.call("POST", "/v1/endpoints", {**SERVE, "rollout": rollout})
            ).json()
            assert problem["detail"] == detail

    play(scenario)
