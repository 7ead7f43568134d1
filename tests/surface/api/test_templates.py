"""Templates: pushed as versions, filled in by type, seen and used within their project alone."""

from typing import Any

import pytest

from gigawatt.model.tenant import Role
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site

pytestmark = pytest.mark.slow

FILE: dict[str, Any] = {
    "name": "train",
    "parameters": {"lr": {"default": 0.001, "max": 1}, "nodes": {"type": "integer", "max": 2}},
    "command": ["train", "--lr", "${{ lr }}"],
    "gang": {"nodes": "${{ nodes }}", "cpus": 0.1},
}
TRAIN = "/v1/templates/train"


async def push(site: Site, file: dict[str, Any], *, name: str = "train", status: int = 200) -> Any:
    response = await site.call("PUT", f"/v1/templates/{name}", {"file": file})
    assert response.status_code == status, response.text
    return response.json()


def test_a_push_makes_a_version_and_the_same_file_none(play: Play) -> None:
    async def scenario(site: Site) -> None:
        first = await push(site, FILE)
        assert (first["newest"], first["number"]) == (1, 1)
        assert first["parameters"][0] == {
            "name": "lr",
            "type": "number",
            "default": 0.001,
            "choices": [],
            "min": None,
            "max": 1,
            "description": "",
        }
        assert (await push(site, FILE))["newest"] == 1
        assert (await push(site, {**FILE, "priority": 5}))["newest"] == 2
        old = await site.view(f"{TRAIN}?number=1")
        assert (old["number"], old["newest"], old["file"]) == (1, 2, FILE)
        missing = await site.call("GET", f"{TRAIN}?number=3")
        assert (missing.status_code, missing.json()["field"]) == (404, "number")
        (listed,) = (await site.view("/v1/templates"))["items"]
        assert (listed["name"], listed["newest"], listed["file"]) == ("train", 2, None)

    play(scenario)


def test_a_deleted_name_goes_on_counting_when_it_is_pushed_again(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await push(site, FILE)
        assert (await site.call("DELETE", TRAIN)).status_code == 204
        assert (await site.call("GET", TRAIN)).status_code == 404
        assert (await site.call("DELETE", TRAIN)).status_code == 404
        assert (await push(site, FILE))["newest"] == 2

    play(scenario)


def test_a_job_is_made_of_it_and_says_of_which_version(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await push(site, FILE)
        body = {
            "parameters": {"nodes": 2},
            "changes": {"labels": {"a": "b"}, "gang": {"cpus": 0.2}},
        }
        tried = await site.call("POST", f"{TRAIN}/jobs?dry_run=true", body)
        assert tried.json()["spec"]["gang"]["nodes"] == {"min": 2, "max": 2}
        made = await site.call("POST", f"{TRAIN}/jobs", body)
        assert made.status_code == 201
        job = made.json()
        assert (job["name"], job["command"]) == ("train", ["train", "--lr", "0.001"])
        assert (job["gang"]["nodes"], job["gang"]["cpus"]) == (2, 0.2)
        assert job["labels"] == {"a": "b"}
        cause = job["cause"]
        assert (cause["template"], cause["template_number"]) == ("train", 1)
        assert cause["parameters"] == {"lr": "0.001", "nodes": "2"}
        assert (await site.submit())["cause"] is None

    play(scenario)


def test_what_is_given_wrong_names_the_parameter_and_what_is_allowed(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await push(site, FILE)
        body = {"parameters": {"lr": 2, "node": 1}}
        response = await site.call("POST", f"{TRAIN}/jobs", body)
        assert response.status_code == 422
        assert [(each["field"], each["hint"]) for each in response.json()["faults"]] == [
            ("parameters.node", "did you mean 'nodes'?"),
            ("parameters.lr", ""),
            ("parameters.nodes", "-p nodes=…  (allowed: 2 or less)"),
        ]
        response = await site.call("POST", "/v1/templates/trian/jobs", body)
        assert (response.status_code, response.json()["hint"]) == (404, "did you mean 'train'?")

    play(scenario)


def test_a_file_that_no_job_can_be_made_of_is_not_taken(play: Play) -> None:
    async def scenario(site: Site) -> None:
        for file, field in (
            ({"command": ["a", "${{ x }}"]}, "file.command.1"),
            ({"parameters": {"x": 1}, "command": ["a"]}, "file.parameters.x"),
            ({"parameters": {"x": {"tpye": "string"}}, "command": ["a"]}, "file.parameters.x.tpye"),
            ({"parameters": {"x": 1}, "comand": ["${{ x }}"]}, "file.comand"),
        ):
            problem = await push(site, file, status=422)
            assert problem["field"] == field
        bundle = "sha256:" + "0" * 64
        await push(site, {"command": ["a"], "bundle": bundle}, status=404)
        await push(site, FILE, name="No", status=422)
        assert (await site.view("/v1/templates"))["items"] == []

    play(scenario)


def test_another_projects_template_is_not_there(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await push(site, FILE)
        await site.call("POST", "/v1/projects", {"name": "other"})
        stranger = await site.make_key(Role.DEVELOPER, project="other")
        tried: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
            ("GET", TRAIN, None),
            ("POST", f"{TRAIN}/jobs", {}),
            ("DELETE", TRAIN, None),
        )
        for method, path, body in tried:
            assert (await site.call(method, path, body, key=stranger)).status_code == 404
        viewer = await site.make_key(Role.VIEWER)
        assert (await site.call("GET", TRAIN, key=viewer)).status_code == 200
        for method, path, body in (
            ("PUT", TRAIN, {"file": FILE}),
            ("POST", f"{TRAIN}/jobs", {"parameters": {"nodes": 1}}),
            ("DELETE", TRAIN, None),
        ):
            assert (await site.call(method, path, body, key=viewer)).status_code == 403

    play(scenario)
