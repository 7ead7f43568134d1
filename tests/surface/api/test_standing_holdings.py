"""What templates and schedules name is kept, for as long as they may submit it again."""

import pytest

from tests.surface.api.conftest import Play
from tests.surface.api.site import Site
from tests.surface.api.test_retention import pruned, upload, went

pytestmark = pytest.mark.slow


def test_the_code_of_templates_and_schedules_is_kept(play: Play) -> None:
    async def scenario(site: Site) -> None:
        bundles = [await upload(site, data) for data in (b"template", b"schedule", b"nobody's")]
        template, scheduled, unused = bundles
        job = {"name": "tick", "command": ["true"], "gang": {"cpus": 0.1}}
        made = await site.call("PUT", "/v1/templates/t", {"file": {**job, "bundle": template}})
        assert made.status_code == 200, made.text
        body = {"name": "s", "cron": "@daily", "job": {**job, "bundle": scheduled}}
        assert (await site.call("POST", "/v1/schedules", body)).status_code == 201
        view = await pruned(site, "artifacts", "contents", older_than="0s")
        assert set(went(view)) == {("artifacts", f"default/{unused}"), ("contents", unused)}
        await site.call("DELETE", "/v1/schedules/s")
        view = await pruned(site, "artifacts", "contents", older_than="0s")
        assert set(went(view)) == {("artifacts", f"default/{scheduled}"), ("contents", scheduled)}

    play(scenario)
