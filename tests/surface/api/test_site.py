"""Nodes, the ledger, events, gateways' configuration, and the instance's figures."""

import asyncio
from pathlib import Path

import pytest

from gigawatt import clock
from gigawatt.model.command import CreateKey
from gigawatt.model.observation import NodeSeen
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import DEFAULT_TENANT, Role
from gigawatt.service.tokens import KEY_BYTES, Owner, new_key
from gigawatt.telemetry.names import TABLE
from tests.machines import a_report
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site, attempt_key, running_site

pytestmark = pytest.mark.slow


def test_nodes_show_what_they_have_what_is_free_and_what_runs_there(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit(gang={"nodes": 2, "cpus": 1.5, "memory": "1GiB"})
        await site.phase(job, "running")
        nodes = (await site.view("/v1/nodes"))["items"]
        assert sorted(node["id"] for node in nodes) == ["node-0", "node-1"]
        for node in nodes:
            assert node["total"] == {"gpus": 0.0, "cpus": 2.0, "memory_bytes": 8 << 30}
            assert node["free"] == {"gpus": 0.0, "cpus": 0.5, "memory_bytes": 7 << 30}
            assert node["gangs"] == [job["id"]]
            assert node["topology"]["rack"] == "r0"

    play(scenario)


def test_a_cordoned_node_takes_no_new_gangs(play: Play) -> None:
    async def scenario(site: Site) -> None:
        path = "/v1/nodes/node-0/state"
        body = {"state": "cordoned", "reason": "fan"}
        view = (await site.call("PUT", path, body)).json()
        assert (view["state"], view["reason"]) == ("cordoned", "fan")
        job = await site.submit(gang={"nodes": 2})
        view = await site.phase(job, "queued")
        assert view["reason"]["code"] == "nodes_unavailable"
        assert (await site.call("PUT", path, {"state": "ready"})).status_code == 200
        await site.phase(job, "running")
        assert (await site.call("PUT", path, {"state": "down"})).status_code == 422
        assert (await site.call("GET", "/v1/nodes/node-9")).status_code == 404

    play(scenario)


def test_the_ledger_sums_to_what_is_installed_while_jobs_come_and_go(play: Play) -> None:
    async def scenario(site: Site) -> None:
        for _ in range(5):
            job = await site.submit(gang={"nodes": 2, "cpus": 1})
            await site.phase(job, "running")
            ledger = await site.view("/v1/ledger")
            assert (ledger["unit"], len(ledger["classes"])) == ("milli_core_ms", 15)
            assert sum(ledger["classes"].values()) == ledger["installed"] > 0
            site.engine.exit(attempt_key(job), rank=0)
            site.engine.exit(attempt_key(job), rank=1)
            await site.phase(job, "succeeded")
        one = await site.view("/v1/ledger?node=node-0")
        assert sum(one["classes"].values()) == one["installed"]
        mine = await site.view("/v1/ledger?tenant=default")
        whole = await site.view("/v1/ledger")
        assert 0 < mine["installed"] < whole["installed"]
        response = await site.call("GET", "/v1/ledger?unit=watts")
        assert (response.status_code, response.json()["field"]) == (422, "unit")

    play(scenario)


def test_a_jobs_goodput_is_told_with_its_attempts(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit(gang={"cpus": 1})
        await site.phase(job, "running")
        site.engine.exit(attempt_key(job))
        await site.phase(job, "succeeded")
        view = await site.view(f"/v1/jobs/{job['id']}/goodput")
        assert (view["unit"], sum(view["classes"].values())) == ("milli_core_ms", view["total"])
        assert [attempt["verdict"] for attempt in view["attempts"]] == ["success"]
        waiting = await site.submit(name="later", after=["job"], gang={"cpus": 1})
        assert (await site.view(f"/v1/jobs/{waiting['id']}/goodput"))["attempts"] is not None

    play(scenario)


def test_events_page_oldest_first(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit()
        await site.phase(job, "running")
        page = await site.view("/v1/events?limit=2")
        rest = await site.view(f"/v1/events?after={page['next']}")
        seqs = [event["seq"] for event in page["items"] + rest["items"]]
        assert seqs == list(range(1, len(seqs) + 1))
        assert rest["next"] == ""
        own = await site.view(f"/v1/events?subject={job['id']}&kind=job.submitted")
        assert [event["kind"] for event in own["items"]] == ["job.submitted"]

    play(scenario)


def test_a_gateway_waits_for_the_configuration_to_change(play: Play) -> None:
    async def scenario(site: Site) -> None:
        config = await site.view("/v1/gateway/config")
        same = await site.view(f"/v1/gateway/config?after={config['revision']}&wait_s=0.01")
        assert same["revision"] == config["revision"]
        path = f"/v1/gateway/config?after={config['revision']}&wait_s=20"
        waiting = asyncio.create_task(site.call("GET", path))
        made = (await site.call("POST", "/v1/keys", {"name": "ci"})).json()
        changed = (await waiting).json()
        assert changed["revision"] != config["revision"]
        assert made["id"] in {key["id"] for key in changed["keys"]}

    play(scenario)


def test_metrics_have_the_names_of_the_table_and_no_others(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit()
        await site.phase(job, "running")
        await site.submit(gang={"nodes": 2, "cpus": 2})
        response = await site.call("GET", "/metrics")
        assert response.headers["content-type"].startswith("text/plain; version=")
        families = {
            line.split()[2] for line in response.text.splitlines() if line.startswith("# TYPE ")
        }
        ours = {name for name in families if name.startswith("gigawatt_")}
        known = {metric.name for metric in TABLE}
        created = {name for name in ours if name.endswith("_created")}
        assert ours - created <= known
        assert 'gigawatt_jobs{phase="running"} 1.0' in response.text
        assert 'gigawatt_jobs_waiting{reason="resources_busy"} 1.0' in response.text
        assert 'gigawatt_nodes{state="ready"} 2.0' in response.text
        assert 'route="/v1/jobs/{job}"' in response.text

    play(scenario)


def test_the_instance_says_what_it_is(play: Play) -> None:
    async def scenario(site: Site) -> None:
        view = await site.view("/v1/instance")
        assert (view["store"], view["epoch"]) == ("sqlite", site.leader.epoch)
        assert view["engine"]["name"] == "machines"
        who = await site.view("/v1/whoami")
        assert (who["role"], who["tenant"]) == ("operator", "default")

    play(scenario)


@pytest.mark.parametrize("steps", range(6))
def test_it_stops_at_whatever_moment(tmp_path: Path, steps: int) -> None:
    """A cancellation that meets the loop just as it wakes must not be lost."""

    async def run() -> None:
        async with asyncio.timeout(20), running_site(tmp_path) as site:
            await site.submit()
            site.leader.observe(NodeSeen(at_ms=clock.now_ms(), report=a_report("node-0")))
            for _ in range(steps):
                await asyncio.sleep(0)

    asyncio.run(run())


def test_a_write_that_the_leader_did_not_live_to_answer_is_told_so(play: Play) -> None:
    async def scenario(site: Site) -> None:
        owner = Owner(
            tenant=DEFAULT_TENANT, project="", name="k", role=Role.VIEWER, created_by="test"
        )
        _, key = new_key(owner, entropy=clock.entropy(KEY_BYTES), now_ms=clock.now_ms())
        asked = asyncio.create_task(site.leader.submit(CreateKey(key=key), receipt=None))
        await asyncio.sleep(0)
        site.leader.depose()
        with pytest.raises(RefusalError) as refused:
            await asked
        assert refused.value.code is RefusalCode.UNAVAILABLE
        assert "Idempotency-Key" in refused.value.hint

    play(scenario)


def test_it_is_not_ready_once_it_does_not_lead(play: Play) -> None:
    async def scenario(site: Site) -> None:
        assert (await site.call("GET", "/readyz", key="")).status_code == 200
        site.leader.depose()
        response = await site.call("GET", "/readyz", key="")
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert (await site.call("GET", "/healthz", key="")).status_code == 200
        response = await site.call("POST", "/v1/jobs", {"command": "x", "gang": {"cpus": 0.1}})
        assert response.status_code == 503

    play(scenario)
