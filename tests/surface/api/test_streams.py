"""Watching and following: what is, then what comes, and an end when there is one."""

import asyncio
import json
from typing import Any

import pytest

from gigawatt.model.attempt import Progress
from gigawatt.model.observation import RankProgress
from gigawatt.model.tenant import Caller, Role
from gigawatt.service import watch
from gigawatt.service.watch import EventFilter
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site, attempt_key

pytestmark = pytest.mark.slow

ADMIN = Caller(name="admin", role=Role.OPERATOR, tenant="default", project="")


def sse(text: str) -> list[tuple[str, Any, str]]:
    """Event, data and id of each message."""
    messages: list[tuple[str, Any, str]] = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        if fields:
            messages.append((fields["event"], json.loads(fields["data"]), fields.get("id", "")))
    return messages


def test_a_job_is_watched_until_it_has_ended(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit()
        watching = asyncio.create_task(site.call("GET", f"/v1/jobs/{job['id']}/watch"))
        await site.phase(job, "running")
        site.engine.exit(attempt_key(job))
        response = await watching
        assert response.headers["content-type"].startswith("text/event-stream")
        messages = sse(response.text)
        assert messages[-1][0] == "end"
        phases = [data["phase"] for event, data, _ in messages if event == "job"]
        assert phases[-1] == "succeeded"
        versions = [data["version"] for event, data, _ in messages if event == "job"]
        assert versions == sorted(versions)

    play(scenario)


def test_a_job_that_has_ended_is_told_once(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit()
        await site.phase(job, "running")
        site.engine.exit(attempt_key(job))
        await site.phase(job, "succeeded")
        messages = sse((await site.call("GET", f"/v1/jobs/{job['id']}/watch")).text)
        assert [event for event, _, _ in messages] == ["job", "end"]

    play(scenario)


def test_progress_is_watched_live(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit()
        await site.phase(job, "running")
        for step in (1, 2, 3):
            progress = Progress(at_ms=1, step=step, loss=float("nan"), metrics=(("lr", 0.5),))
            site.engine.tell(RankProgress(key=attempt_key(job), rank=0, progress=progress))
        async for view in await watch.job(ADMIN, site.services, job["id"]):
            if view and view.progress and view.progress.step == 3:
                break
        progress = (await site.view(f"/v1/jobs/{job['id']}"))["progress"]
        assert (progress["loss"], progress["metrics"]) == (None, {"lr": 0.5})
        text = (await site.call("GET", "/metrics")).text
        labels = f'job="{job["id"]}",name="job",project="default",tenant="default"'
        assert f"gigawatt_job_step{{{labels}}} 3.0" in text

    play(scenario)


def test_events_are_watched_from_any_point_on_each_once_and_in_order(play: Play) -> None:
    async def scenario(site: Site) -> None:
        for _ in range(3):
            await site.submit()
        seen: list[int] = []
        enough = asyncio.Event()

        async def follow() -> None:
            async for view in await watch.events(ADMIN, site.services, EventFilter(after_seq=0)):
                if view is not None:
                    seen.append(view.seq)
                if len(seen) >= 20:
                    enough.set()
                    return

        following = asyncio.create_task(follow())
        while not enough.is_set():
            await site.submit()
        await following
        assert seen == list(range(1, 21))

    play(scenario)


def test_a_watch_over_http_resumes_after_the_last_event_id(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit()
        await site.phase(job, "running")
        path = f"/v1/events/watch?after=0&subject={job['id']}"
        stored = (await site.view(f"/v1/events?subject={job['id']}"))["items"]
        first = stored[0]["seq"]
        asyncio.get_running_loop().call_later(0.2, site.services.closing.set)
        response = await site.call("GET", path, headers={"Last-Event-ID": str(first)})
        messages = sse(response.text)
        assert [int(seq) for _, _, seq in messages] == [each["seq"] for each in stored[1:]]
        assert [event for event, _, _ in messages] == [each["kind"] for each in stored[1:]]

    play(scenario)


def test_a_log_is_read_from_any_offset(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit()
        await site.phase(job, "running")
        site.engine.write(attempt_key(job), b"one\ntwo\nthree\n")
        path = f"/v1/jobs/{job['id']}/logs"
        whole = await site.call("GET", path)
        assert (whole.content, whole.headers["x-log-offset"]) == (b"one\ntwo\nthree\n", "0")
        assert whole.headers["content-type"] == "text/plain; charset=utf-8"
        middle = await site.call("GET", f"{path}?offset=4")
        assert (middle.content, middle.headers["x-log-offset"]) == (b"two\nthree\n", "4")
        tail = await site.call("GET", f"{path}?offset=-6")
        assert (tail.content, tail.headers["x-log-offset"]) == (b"three\n", "8")
        assert (await site.call("GET", f"{path}?stream=stderr")).content == b""
        for query in ("rank=1", "attempt=2"):
            assert (await site.call("GET", f"{path}?{query}")).status_code == 404

    play(scenario)


def test_a_log_is_followed_from_before_the_start_to_the_end(play: Play) -> None:
    async def scenario(site: Site) -> None:
        blocker = await site.submit(gang={"nodes": 2, "cpus": 2})
        await site.phase(blocker, "running")
        job = await site.submit()
        path = f"/v1/jobs/{job['id']}/logs?follow=true"
        following = asyncio.create_task(site.call("GET", path))
        site.engine.exit(attempt_key(blocker), rank=0)
        site.engine.exit(attempt_key(blocker), rank=1)
        await site.phase(job, "running")
        site.engine.write(attempt_key(job), b"first\n")
        site.engine.write(attempt_key(job), b"last\n")
        site.engine.exit(attempt_key(job))
        assert (await following).content == b"first\nlast\n"

    play(scenario)


def test_a_followed_log_goes_on_with_the_next_attempt_unless_one_is_named(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit(retries={"user": 1})
        await site.phase(job, "running")
        path = f"/v1/jobs/{job['id']}/logs?follow=true"
        every = asyncio.create_task(site.call("GET", path))
        one = asyncio.create_task(site.call("GET", f"{path}&attempt=1"))
        site.engine.write(attempt_key(job), b"first\n")
        site.engine.exit(attempt_key(job), code=1)
        assert (await one).content == b"first\n"

        async def second() -> object:
            attempts = (await site.view(f"/v1/jobs/{job['id']}"))["attempts"]
            return True if len(attempts) == 2 and attempts[1]["phase"] == "running" else None

        await site.until(second)
        site.engine.write(attempt_key(job, 2), b"second\n")
        site.engine.exit(attempt_key(job, 2))
        assert (await every).content == b"first\nsecond\n"

    play(scenario)


def test_streams_end_when_the_process_does(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit()
        await site.phase(job, "running")
        site.engine.write(attempt_key(job), b"x")
        streams = [
            asyncio.create_task(site.call("GET", path))
            for path in (
                f"/v1/jobs/{job['id']}/watch",
                f"/v1/jobs/{job['id']}/logs?follow=true",
                "/v1/events/watch",
            )
        ]
        await site.submit()
        site.services.closing.set()
        responses = await asyncio.gather(*streams)
        assert [response.status_code for response in responses] == [200, 200, 200]
        assert "event: end" not in responses[0].text

    play(scenario)
