"""Writes that are asked for again, and writes on what has changed meanwhile."""

import asyncio

import pytest

from tests.surface.api.conftest import Play
from tests.surface.api.site import Site, attempt_key

pytestmark = pytest.mark.slow

JOB = {"name": "once", "command": ["true"], "gang": {"cpus": 0.1}}


def test_the_same_key_is_one_job_also_at_the_same_time(play: Play) -> None:
    async def scenario(site: Site) -> None:
        headers = {"Idempotency-Key": "k1"}
        replies = await asyncio.gather(
            *(site.call("POST", "/v1/jobs", JOB, headers=headers) for _ in range(8))
        )
        assert {reply.status_code for reply in replies} == {201}
        again = await site.call("POST", "/v1/jobs", JOB, headers=headers)
        assert {reply.json()["id"] for reply in [*replies, again]} == {again.json()["id"]}
        assert len((await site.view("/v1/jobs"))["items"]) == 1

    play(scenario)


def test_a_key_for_another_request_is_refused(play: Play) -> None:
    async def scenario(site: Site) -> None:
        headers = {"Idempotency-Key": "k1"}
        await site.call("POST", "/v1/jobs", JOB, headers=headers)
        other = {**JOB, "name": "other"}
        response = await site.call("POST", "/v1/jobs", other, headers=headers)
        assert response.status_code == 422
        assert response.json()["type"].endswith(":idempotency-key-reused")

    play(scenario)


def test_a_repeated_write_is_answered_although_its_object_has_moved_on(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit(name="prepare")
        headers = {"Idempotency-Key": "k2"}
        later = {**JOB, "after": ["prepare"]}
        first = await site.call("POST", "/v1/jobs", later, headers=headers)
        await site.phase(job, "running")
        view = await site.view(f"/v1/jobs/{job['id']}")
        guarded = {"Idempotency-Key": "k3", "If-Match": f'"{view["version"]}"'}
        path = f"/v1/jobs/{job['id']}/cancel"
        assert (await site.call("POST", path, headers=guarded)).status_code == 200
        await site.phase(job, "cancelled")
        assert (await site.call("POST", path, headers=guarded)).status_code == 200
        again = await site.call("POST", "/v1/jobs", later, headers=headers)
        assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])

    play(scenario)


def test_a_write_on_an_old_version_is_refused(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit()
        view = await site.phase(job, "running")
        response = await site.call("GET", f"/v1/jobs/{job['id']}")
        assert response.headers["ETag"] == f'"{view["version"]}"'
        path = f"/v1/jobs/{job['id']}/cancel"
        response = await site.call("POST", path, headers={"If-Match": '"1"'})
        assert (response.status_code, response.json()["field"]) == (412, "If-Match")
        for wrong in ("", "1", '""', '"x"'):
            response = await site.call("POST", path, headers={"If-Match": wrong})
            assert (response.status_code, response.json()["field"]) == (422, "If-Match")
        response = await site.call("POST", path, headers={"If-Match": "what"})
        assert response.status_code == 422
        site.engine.exit(attempt_key(job))
        await site.phase(job, "succeeded")

    play(scenario)


def test_a_key_that_is_too_long_is_refused(play: Play) -> None:
    async def scenario(site: Site) -> None:
        headers = {"Idempotency-Key": "k" * 256}
        response = await site.call("POST", "/v1/jobs", JOB, headers=headers)
        assert (response.status_code, response.json()["field"]) == (422, "Idempotency-Key")

    play(scenario)
