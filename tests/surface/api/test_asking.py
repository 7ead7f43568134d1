"""What would happen: asked of the API on a site that runs, with nothing submitted."""

import asyncio
from pathlib import Path
from typing import Any

from gigawatt import clock
from gigawatt.model.observation import NodeSeen
from gigawatt.model.tenant import Role
from tests.machines import a_report
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site, running_site

RACKS = {"gpu-0": "r1", "gpu-1": "r1", "gpu-2": "r2"}


async def with_gpus(site: Site) -> None:
    """Three nodes of eight GPUs join the two of two cores."""
    for name, rack in RACKS.items():
        report = a_report(name, milli_cpu=16_000, gpus=8, rack=rack)
        site.engine.machines.reports[name] = report
        site.leader.observe(NodeSeen(at_ms=clock.now_ms(), report=report))

    async def joined() -> bool | None:
        nodes = (await site.view("/v1/nodes"))["items"]
        return True if len(nodes) == 5 else None

    await site.until(joined)


async def asked(site: Site, gang: dict[str, Any], **more: Any) -> dict[str, Any]:
    response = await site.call("POST", "/v1/ask", {"gang": gang, **more})
    assert response.status_code == 200, response.text
    return response.json()


def test_what_would_start_now_is_told_where_and_is_not_submitted(play: Play) -> None:
    async def story(site: Site) -> None:
        await with_gpus(site)
        gang = {"nodes": 2, "gpus": 8, "gpu_kinds": ["b200"]}
        assert await asked(site, gang, timeout="6h") == {
            "starts": "now",
            "nodes": ["gpu-0", "gpu-1"],
            "domains": {
                "site": ["site"],
                "hall": ["hall"],
                "spine": ["spine"],
                "leaf": ["leaf"],
                "rack": ["r1"],
            },
            "position": None,
            "reason": None,
            "cheapest_change": None,
            "estimate": None,
        }
        assert (await site.view("/v1/jobs"))["items"] == []
        job = await site.submit(gang=gang)
        running = await site.phase(job, "running")
        assert running["attempts"][-1]["nodes"] == ["gpu-0", "gpu-1"]

    play(story)


def test_what_would_wait_is_told_why_and_with_the_change_it_would_start(play: Play) -> None:
    async def story(site: Site) -> None:
        await with_gpus(site)
        first = await site.submit(gang={"gpus": 8})
        await site.phase(first, "running")
        gang = {"nodes": 3, "gpus": 8}
        waiting = await site.submit(gang=gang)
        told = await site.phase(waiting, "queued")
        answer = await asked(site, gang)
        assert (answer["starts"], answer["position"]) == ("later", 2)
        assert answer["reason"] == told["reason"]
        change = {"field": "gang.nodes", "from": "3", "to": "2", "start": "now"}
        assert answer["cheapest_change"] == change
        again = await asked(site, {**gang, "nodes": int(change["to"])})
        assert (again["starts"], len(again["nodes"])) == ("now", 2)

    play(story)


def test_what_could_never_start_is_told_both_numbers_and_the_way_out(play: Play) -> None:
    async def story(site: Site) -> None:
        await with_gpus(site)
        answer = await asked(site, {"nodes": 3, "gpus": 8, "same": "rack"})
        assert (answer["starts"], answer["position"], answer["nodes"]) == ("never", None, [])
        reason = answer["reason"]
        assert (reason["code"], reason["need"], reason["have"]) == ("impossible", 3, 2)
        assert answer["cheapest_change"]["field"] == "gang.same"
        wider = {"nodes": 3, "gpus": 8, "same": answer["cheapest_change"]["to"]}
        assert (await asked(site, wider))["starts"] == "now"

    play(story)


def test_before_any_node_has_joined_nothing_is_impossible(tmp_path: Path) -> None:
    async def story() -> None:
        async with running_site(tmp_path, nodes=0) as site:
            answer = await asked(site, {"gpus": 8, "gpu_kinds": ["b200"]})
            assert (answer["starts"], answer["reason"]["code"]) == ("later", "no_nodes")
            assert answer["position"] == 1

    asyncio.run(story())


def test_the_limit_of_a_project_is_heeded(play: Play) -> None:
    async def story(site: Site) -> None:
        response = await site.call("PUT", "/v1/projects/default/quota", {"limit": {"cpus": 1}})
        assert response.status_code == 200
        answer = await asked(site, {"nodes": 2})
        assert (answer["starts"], answer["reason"]["code"]) == ("never", "limit")
        assert (answer["cheapest_change"]["field"], answer["cheapest_change"]["to"]) == (
            "gang.nodes",
            "1",
        )
        assert (await asked(site, {"nodes": 1}))["starts"] == "now"
        elsewhere = await site.call("POST", "/v1/ask?project=nlp", {"gang": {"nodes": 2}})
        assert elsewhere.json()["starts"] == "now"

    play(story)


def test_who_may_submit_in_a_project_may_ask_there(play: Play) -> None:
    async def story(site: Site) -> None:
        question = {"gang": {"cpus": 1}}
        viewer = await site.make_key(Role.VIEWER)
        developer = await site.make_key(Role.DEVELOPER, project="nlp")
        refused = await site.call("POST", "/v1/ask", question, key=viewer)
        assert refused.status_code == 403
        refused = await site.call("POST", "/v1/ask?project=default", question, key=developer)
        assert (refused.status_code, refused.json()["field"]) == (403, "project")
        own = await site.call("POST", "/v1/ask?project=nlp", question, key=developer)
        assert (own.status_code, own.json()["starts"]) == (200, "now")

    play(story)


def test_what_makes_no_sense_is_refused_with_what_is_allowed(play: Play) -> None:
    async def story(site: Site) -> None:
        none = await asked(site, {"gpus": 1, "gpu_kinds": ["b200"]})
        assert (none["starts"], none["reason"]["code"]) == ("never", "gpu_kind")
        await with_gpus(site)
        for body, field, hint in (
            ({"gang": {"gpus": 8, "gpu_kinds": ["b201"]}}, "gang.gpu_kinds", "there is: b200"),
            ({"gang": {"nodes": 0}}, "gang.nodes", ""),
            ({"gang": {"gpus": -1}}, "gang.gpus", ""),
            ({"gang": {"gpus": 1.5}}, "gang.gpus", "only one GPU can be shared"),
            ({"gang": {"same": "rak"}}, "gang.same", "did you mean 'rack'?"),
            ({"gang": {"memory": "4 pounds"}}, "gang.memory", "write bytes"),
            ({"timeout": "6 moons"}, "timeout", "write seconds"),
            ({"gang": {"gpu": 8}}, "gang.gpu", "did you mean 'gpus'?"),
        ):
            response = await site.call("POST", "/v1/ask", body)
            problem = response.json()
            assert (response.status_code, problem["field"]) == (422, field), problem
            assert problem.get("hint", "").startswith(hint), problem

    play(story)
