"""Environments: asked for, compared, checked, removed."""

from pathlib import Path
from typing import Any

import pytest

from gigawatt.model.tenant import Role
from gigawatt.sdk.bundle import pack
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site, attempt_key

pytestmark = pytest.mark.slow

SIX = {"kind": "uv", "requirements": ["six"]}
NUMPY = {"kind": "uv", "requirements": ["numpy"]}
NOW = {"unused_for": 0}


async def ready(site: Site, spec: dict[str, Any], lock: str) -> str:
    site.workshop.lock = lock
    made = (await site.call("POST", "/v1/environments", spec)).json()["id"]

    async def look() -> dict[str, Any] | None:
        view = await site.view(f"/v1/environments/{made}")
        return view if view["phase"] == "ready" else None

    await site.until(look)
    return made


def test_two_environments_are_compared_by_id_or_by_a_job_that_uses_them(play: Play) -> None:
    async def scenario(site: Site) -> None:
        first = await ready(site, SIX, "six==1.0\nold==1\n")
        second = await ready(site, {**NUMPY, "python": "3.11"}, "six==2.0\nnumpy==2\n")
        expected = {
            "before": first,
            "after": second,
            "python": None,
            "added": [{"name": "numpy", "version": "2"}],
            "removed": [{"name": "old", "version": "1"}],
            "changed": [{"name": "six", "before": "1.0", "after": "2.0"}],
            "same": 0,
        }
        assert await site.view(f"/v1/environments/{first}/diff?to={second}") == expected
        job = await site.submit(environment={**NUMPY, "python": "3.11"}, name="uses-numpy")
        assert await site.view(f"/v1/environments/{first}/diff?to={job['id']}") == expected
        assert await site.view(f"/v1/environments/{first}/diff?to=uses-numpy") == expected

    play(scenario)


def test_what_has_no_lock_is_not_compared(play: Play) -> None:
    async def scenario(site: Site) -> None:
        first = await ready(site, SIX, "six==1.0\n")
        job = await site.submit()
        response = await site.call("GET", f"/v1/environments/{first}/diff?to={job['id']}")
        assert (response.status_code, response.json()["field"]) == (422, "to")
        response = await site.call("GET", f"/v1/environments/{first}/diff?to=nothing")
        assert response.status_code == 404
        foreign = await site.make_key(Role.DEVELOPER, tenant="other")
        path = f"/v1/environments/{first}/diff?to={first}"
        assert (await site.call("GET", path, key=foreign)).status_code == 404

    play(scenario)


def test_unused_environments_go_and_used_ones_stay(play: Play) -> None:
    async def scenario(site: Site) -> None:
        idle = await ready(site, SIX, "six==1.0\n")
        busy = await ready(site, NUMPY, "numpy==2\n")
        job = await site.submit(environment=NUMPY)
        await site.phase(job, "running")
        would = (await site.call("POST", "/v1/environments/prune", {**NOW, "dry_run": True})).json()
        assert [each["id"] for each in would["items"]] == [idle]
        assert (await site.view(f"/v1/environments/{idle}"))["phase"] == "ready"
        done = (await site.call("POST", "/v1/environments/prune", NOW)).json()
        assert ([each["id"] for each in done["items"]], done["left"]) == ([idle], 1)
        assert (await site.view(f"/v1/environments/{idle}"))["phase"] == "removed"
        assert (await site.view(f"/v1/environments/{idle}"))["lock"] == "six==1.0\n"
        site.engine.exit(attempt_key(job))
        await site.phase(job, "succeeded")
        later = (await site.call("POST", "/v1/environments/prune", {})).json()
        assert (later["items"], later["left"]) == ([], 1)
        assert (await site.view(f"/v1/environments/{busy}"))["phase"] == "ready"
        assert await ready(site, SIX, "six==1.0\n") == idle

    play(scenario)


def test_with_a_size_to_keep_only_the_longest_unused_go(play: Play) -> None:
    async def scenario(site: Site) -> None:
        first = await ready(site, SIX, "six==1.0\n")
        await ready(site, NUMPY, "numpy==2\n")
        body = {**NOW, "keep": 10}  # each has 10 bytes
        done = (await site.call("POST", "/v1/environments/prune", body)).json()
        assert ([each["id"] for each in done["items"]], done["size_bytes"]) == ([first], 10)
        again = (await site.call("POST", "/v1/environments/prune", body)).json()
        assert again["items"] == []

    play(scenario)


def test_who_may_remove_and_who_may_check(play: Play) -> None:
    async def scenario(site: Site) -> None:
        made = await ready(site, SIX, "six==1.0\n")
        developer = await site.make_key(Role.DEVELOPER)
        viewer = await site.make_key(Role.VIEWER)
        path = "/v1/environments/prune"
        assert (await site.call("POST", path, NOW, key=developer)).status_code == 403
        verify = f"/v1/environments/{made}/verify"
        assert (await site.call("POST", verify, key=viewer)).status_code == 403
        view = (await site.call("POST", verify, key=developer)).json()
        assert (view["whole"], view["files"]) == (False, 0)  # this site's builder makes no files
        admin = await site.make_key(Role.PROJECT_ADMIN, project="elsewhere")
        assert (await site.call("POST", path, NOW, key=admin)).json()["items"] == []

    play(scenario)


def test_what_the_machine_lacks_is_refused_at_submit(play: Play) -> None:
    async def scenario(site: Site) -> None:
        for environment in (
            {**SIX, "system": ["no-such-tool"]},
            {"kind": "host", "system": ["no-such-tool"]},
        ):
            body = {"name": "job", "command": ["true"], "environment": environment}
            response = await site.call("POST", "/v1/jobs", body)
            assert (response.status_code, response.json()["field"]) == (422, "environment.system")
            assert "no-such-tool" in response.json()["hint"]
        job = await site.submit(environment={"kind": "host", "system": ["sh"]})
        assert job["environment"] == "host"

    play(scenario)


def test_local_packages_come_out_of_the_jobs_bundle(play: Play, tmp_path: Path) -> None:
    async def scenario(site: Site) -> None:
        package = tmp_path / "code" / "pkg"
        package.mkdir(parents=True)
        (package / "pyproject.toml").write_text("[project]\nname = 'pkg'\nversion = '1'\n")
        bundle = pack(tmp_path / "code", archive=tmp_path / "bundle.tar.gz")
        path = f"/v1/artifacts/{bundle.digest}?kind=bundle"
        assert (await site.call("PUT", path, bundle.path.read_bytes())).status_code == 201
        editable = {"kind": "uv", "requirements": ["six", "-e ./pkg"]}
        named = {"kind": "uv", "requirements": ["six"], "packages": [{"path": "./pkg"}]}
        jobs = [
            await site.submit(bundle=bundle.digest, environment=each) for each in (editable, named)
        ]
        assert jobs[0]["environment"] == jobs[1]["environment"]
        view = await site.view(f"/v1/environments/{jobs[0]['environment']}")
        (shown,) = view["packages"]
        assert shown.startswith("pkg sha256:")
        body = {"name": "job", "command": ["true"], "environment": named}
        response = await site.call("POST", "/v1/jobs", body)
        assert response.json()["field"] == "environment.packages"
        wrong = {**named, "packages": ["elsewhere"]}
        response = await site.call(
            "POST", "/v1/jobs", {**body, "environment": wrong, "bundle": bundle.digest}
        )
        assert "no Python project there" in response.json()["detail"]

    play(scenario)
