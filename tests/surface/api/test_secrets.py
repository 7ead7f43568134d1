"""Secrets: set by who administers a project, named by who works in it, read back by nobody."""

import pytest

from gigawatt.model.tenant import Role
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site

pytestmark = pytest.mark.slow

URL = "https://pypi.example.com/simple"
VALUE = "ci:s3cret"
OURS = "/v1/secrets/ours"


def test_a_secret_is_set_named_and_forgotten_and_never_read(play: Play) -> None:
    async def scenario(site: Site) -> None:
        response = await site.call("PUT", OURS, {"value": VALUE, "url": URL})
        assert (response.status_code, response.json()) == (
            200,
            {"name": "ours", "url": URL, "fault": ""},
        )
        listed = await site.view("/v1/secrets")
        assert listed["items"] == [{"name": "ours", "url": URL, "fault": ""}]
        index = {"url": f"{URL}/gpu", "secret": "ours"}
        environment = {"kind": "uv", "requirements": ["six"], "indexes": [index]}
        made = await site.call("POST", "/v1/environments", environment)
        assert made.json()["indexes"] == [f"{URL}/gpu ours"]
        everything = made.text + (await site.call("GET", "/v1/events")).text
        assert "s3cret" not in everything
        assert (await site.call("DELETE", OURS)).status_code == 204
        assert (await site.call("DELETE", OURS)).status_code == 404
        response = await site.call("POST", "/v1/environments", environment)
        assert (response.status_code, response.json()["field"]) == (404, "environment.indexes")

    play(scenario)


def test_a_secret_goes_nowhere_but_where_it_is_for(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await site.call("PUT", OURS, {"value": VALUE, "url": URL})
        for url in ("https://evil.example.com/simple", f"{URL}x", f"{URL}/../other"):
            environment = {
                "kind": "uv",
                "requirements": ["six"],
                "indexes": [{"url": url, "secret": "ours"}],
            }
            response = await site.call("POST", "/v1/environments", environment)
            assert response.status_code in {403, 422}, url
        for url in ("http://pypi.example.com", "https://u:p@pypi.example.com", "nonsense"):
            response = await site.call("PUT", OURS, {"value": VALUE, "url": url})
            assert (response.status_code, response.json()["field"]) == (422, "url")

    play(scenario)


def test_what_is_wrong_with_a_secret_is_said_without_repeating_it(play: Play) -> None:
    async def scenario(site: Site) -> None:
        for body in (
            {"value": 12345, "url": URL},
            {"value": "a12345\n", "url": URL},
            {"value": "12345"},
        ):
            response = await site.call("PUT", OURS, body)
            assert (response.status_code, response.json()["field"]) == (422, "value")
            assert "12345" not in response.text
        index = {"url": "https://ci:12345@pypi.example.com/simple"}
        body = {"kind": "uv", "requirements": ["six"], "indexes": [index]}
        response = await site.call("POST", "/v1/environments", body)
        assert (response.status_code, "12345" in response.text) == (422, False)

    play(scenario)


def test_administrators_set_secrets_and_other_projects_do_not_have_them(play: Play) -> None:
    async def scenario(site: Site) -> None:
        developer = await site.make_key(Role.DEVELOPER)
        viewer = await site.make_key(Role.VIEWER)
        admin = await site.make_key(Role.PROJECT_ADMIN, project="default")
        body = {"value": VALUE, "url": URL}
        assert (await site.call("PUT", OURS, body, key=developer)).status_code == 403
        assert (await site.call("PUT", OURS, body, key=admin)).status_code == 200
        assert (await site.call("GET", "/v1/secrets", key=developer)).json()["items"]
        assert (await site.call("GET", "/v1/secrets", key=viewer)).status_code == 403
        other = await site.call("GET", "/v1/secrets?project=other")
        assert other.json()["items"] == []

    play(scenario)
