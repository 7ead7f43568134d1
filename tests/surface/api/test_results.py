"""What ranks left, over the API: to those who may read it, and never another's file."""

from pathlib import Path
from typing import Any

import pytest

from gigawatt.model.tenant import Role
from gigawatt.rank.call import RESULTS
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site

pytestmark = pytest.mark.slow


def place(site: Site, job: dict[str, Any]) -> Path:
    path = Path(site.services.work_dir) / job["tenant"] / job["project"] / job["id"] / "checkpoints"
    (path / RESULTS).mkdir(parents=True)
    return path / RESULTS


def test_the_bytes_that_a_rank_left_are_given_as_they_are(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit(gang={"nodes": 2, "cpus": 0.1})
        (place(site, job) / "rank-1").write_bytes(b"head\n\x80pickle")
        reply = await site.call("GET", f"/v1/jobs/{job['id']}/result?rank=1")
        assert (reply.status_code, reply.content) == (200, b"head\n\x80pickle")
        assert reply.headers["content-type"] == "application/octet-stream"
        none = await site.call("GET", f"/v1/jobs/{job['id']}/result")
        assert none.status_code == 404
        assert none.json()["detail"].startswith("rank 0 of job")
        viewer = await site.make_key(Role.VIEWER)
        assert (
            await site.call("GET", f"/v1/jobs/{job['id']}/result?rank=1", key=viewer)
        ).status_code == 200

    play(scenario)


def test_links_to_other_files_and_directories_are_no_results(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit(gang={"nodes": 2, "cpus": 0.1})
        where = place(site, job)
        secret = where.parents[1] / "secret"
        secret.write_text("secret")
        (where / "rank-0").symlink_to(secret)
        (where / "rank-1").mkdir()
        for rank in (0, 1):
            reply = await site.call("GET", f"/v1/jobs/{job['id']}/result?rank={rank}")
            assert 400 <= reply.status_code < 500, reply.text
            assert "secret" not in reply.text

    play(scenario)
