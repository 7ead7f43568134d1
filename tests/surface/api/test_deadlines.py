"""By when a job should be done: said at submit, told how it looks, and kept or not."""

import asyncio
from datetime import UTC, datetime, timedelta

from tests.surface.api.conftest import Play
from tests.surface.api.site import Site
from tests.waiting import until


def at(**later: float) -> str:
    return (datetime.now(UTC) + timedelta(**later)).isoformat(timespec="milliseconds")


def test_whether_a_deadline_is_likely_to_be_met_is_said_at_once(play: Play) -> None:
    async def story(site: Site) -> None:
        hog = await site.submit(gang={"nodes": 2, "cpus": 2}, timeout="2h")
        await site.phase(hog, "running")
        await asyncio.to_thread(until, lambda: site.leader.state.estimates)
        waiting = {"gang": {"cpus": 2}, "timeout": "1h"}
        late = await site.submit(**waiting, finish_within="30m")
        roomy = await site.submit(**waiting, deadline=at(days=30), at_deadline="stop")
        for job, then in ((late, "keep"), (roomy, "stop")):
            explained = await site.view(f"/v1/jobs/{job['id']}/explain")
            assert job["phase"] == "queued"
            assert explained["deadline"]["then"] == job["deadline"]["then"] == then
            assert explained["deadline"]["at_ms"] == job["deadline"]["at_ms"]
            outlook = "unlikely" if job is late else "likely"
            assert explained["deadline"]["outlook"] == job["deadline"]["outlook"] == outlook
        spec = await site.view(f"/v1/jobs/{late['id']}/spec")
        assert spec["spec"]["finish_within"] == 1800

    play(story)


def test_a_job_that_ends_at_its_deadline_is_stopped_then(play: Play) -> None:
    async def story(site: Site) -> None:
        job = await site.submit(finish_within="1s", at_deadline="stop")
        ended = await site.phase(job, "failed")
        assert "deadline" in ended["message"]
        assert ended["deadline"]["outlook"] == "missed"
        kinds = [
            event["kind"] for event in (await site.view(f"/v1/events?subject={job['id']}"))["items"]
        ]
        assert "job.deadline_missed" in kinds

    play(story)


def test_what_has_not_started_in_time_fails(play: Play) -> None:
    async def story(site: Site) -> None:
        hog = await site.submit(gang={"nodes": 2, "cpus": 2})
        await site.phase(hog, "running")
        job = await site.submit(gang={"cpus": 2}, start_before=at(seconds=5))
        ended = await site.phase(job, "failed")
        assert ended["message"] == "it had not started by its start_before"

    play(story)


def test_times_that_make_no_sense_are_refused(play: Play) -> None:
    async def story(site: Site) -> None:
        past, soon = at(hours=-1), at(hours=1)
        for field, terms in {
            "deadline": {"deadline": past},
            "start_before": {"start_before": past},
            "finish_within": {"deadline": soon, "finish_within": "1h"},
            "at_deadline": {"at_deadline": "stop"},
        }.items():
            body = {"command": "true", **terms}
            refused = await site.call("POST", "/v1/jobs", body)
            assert (refused.status_code, refused.json()["field"]) == (422, field), refused.text

    play(story)
