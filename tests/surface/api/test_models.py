"""The model registry: versions, aliases and their moves, cards, lineage."""

from pathlib import Path
from typing import Any

import pytest

from gigawatt.model.tenant import Role
from tests.surface.api.conftest import Play
from tests.surface.api.site import Site, attempt_key
from tests.surface.api.test_builds import digest_of, manifest, put

pytestmark = pytest.mark.slow


async def registered(site: Site, *contents: bytes, **more: Any) -> None:
    for data in contents:
        await put(site, data)
        body = {"name": "gpt", "digest": digest_of(data), **more}
        response = await site.call("POST", "/v1/models", body)
        assert response.status_code == 201, response.text


def test_a_model_has_versions_that_stay_and_aliases_that_move(play: Play) -> None:
    async def scenario(site: Site) -> None:
        for data in (b"one", b"two"):
            await put(site, data)
            body = {
                "name": "gpt",
                "digest": digest_of(data),
                "metrics": {"loss": 1.5},
                "aliases": ["best"],
            }
            response = await site.call("POST", "/v1/models", body)
            assert response.status_code == 201
        model = await site.view("/v1/models/gpt")
        assert (model["newest"], model["aliases"]) == (2, {"best": 2})
        assert [version["ref"] for version in model["versions"]] == ["gpt:2", "gpt:1"]
        assert model["versions"][0]["metrics"] == {"loss": 1.5}
        path = "/v1/models/gpt/aliases/prod"
        moved = await site.call("PUT", path, {"number": 1})
        assert moved.json()["aliases"] == {"best": 2, "prod": 1}
        assert (await site.call("PUT", path, {"number": 9})).status_code == 422
        removed = await site.call("DELETE", path)
        assert removed.json()["aliases"] == {"best": 2}
        assert (await site.call("DELETE", path)).status_code == 404
        assert [each["name"] for each in (await site.view("/v1/models"))["items"]] == ["gpt"]

    play(scenario)


def test_a_model_needs_an_artifact_that_is_there(play: Play) -> None:
    async def scenario(site: Site) -> None:
        body = {"name": "gpt", "digest": digest_of(b"nothing")}
        response = await site.call("POST", "/v1/models", body)
        assert (response.status_code, response.json()["field"]) == (404, "digest")

    play(scenario)


def test_a_jobs_output_becomes_a_version_with_its_lineage(play: Play) -> None:
    async def scenario(site: Site) -> None:
        job = await site.submit(model={"name": "gpt", "path": "final", "aliases": ["prod"]})
        await site.phase(job, "running")
        folder = site.workshop.work.parent / f"work/default/default/{job['id']}/checkpoints/final"
        _write(folder / "weights", b"trained")
        site.engine.exit(attempt_key(job))
        view = await site.phase(job, "succeeded")
        assert view["model_version"] == "gpt:1"
        model = await site.view("/v1/models/gpt")
        assert model["aliases"] == {"prod": 1}
        assert model["versions"][0]["lineage"] == {
            "job": job["id"],
            "attempt": 1,
            "environment": "host",
            "bundle": "",
            "step": None,
            "checkpoint": "",
            "source": "",
        }

    play(scenario)


def test_every_move_of_an_alias_is_on_record_with_who_and_why(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await registered(site, b"one", b"two", aliases=["best"])
        path = "/v1/models/gpt/aliases/prod"
        await site.call("PUT", path, {"number": 1, "reason": "the first one"})
        await site.call("PUT", path, {"number": 2, "reason": "loss 2.1 and not 2.5"})
        await site.call("PUT", path, {"number": 2, "reason": "no change, so no move"})
        await site.call("DELETE", f"{path}?reason=retired")
        moves = (await site.view("/v1/models/gpt/moves"))["items"]
        assert [
            (each["alias"], each["before"], each["after"], each["reason"]) for each in moves
        ] == [
            ("prod", 2, 0, "retired"),
            ("prod", 1, 2, "loss 2.1 and not 2.5"),
            ("prod", 0, 1, "the first one"),
            ("best", 1, 2, "gpt:2 was registered"),
            ("best", 0, 1, "gpt:1 was registered"),
        ]
        assert {each["by"] for each in moves} == {"operator"}
        first = await site.view("/v1/models/gpt/moves?alias=best&limit=1")
        rest = await site.view(f"/v1/models/gpt/moves?alias=best&cursor={first['next']}")
        assert [each["after"] for each in first["items"] + rest["items"]] == [2, 1]

    play(scenario)


def test_what_is_not_there_is_answered_with_what_is(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await registered(site, b"one", aliases=["prod"])
        for path, detail, hint in (
            ("/v1/models/gtp/moves", "there is no model gtp", "did you mean 'gpt'?"),
            (
                "/v1/models/gpt/versions/prodd/card",
                "model gpt has no alias prodd",
                "did you mean 'prod'? it has versions 1 to 1; aliases: prod",
            ),
            (
                "/v1/models/gpt/versions/7/lineage",
                "model gpt has no version 7",
                "it has versions 1 to 1",
            ),
        ):
            response = await site.call("GET", path)
            problem = response.json()
            assert (response.status_code, problem["detail"], problem["hint"]) == (404, detail, hint)

    play(scenario)


def test_another_tenant_sees_neither_moves_nor_cards_nor_lineage(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await registered(site, b"one")
        foreign = await site.make_key(Role.DEVELOPER, tenant="other")
        viewer = await site.make_key(Role.VIEWER)
        version = "/v1/models/gpt/versions/1"
        for path in ("/v1/models/gpt/moves", f"{version}/card", f"{version}/lineage"):
            assert (await site.call("GET", path, key=foreign)).status_code == 404
            assert (await site.call("GET", path, key=viewer)).status_code == 200
        card = {"text": "mine now"}
        assert (await site.call("PUT", f"{version}/card", card, key=foreign)).status_code == 404
        assert (await site.call("PUT", f"{version}/card", card, key=viewer)).status_code == 403

    play(scenario)


def test_a_version_has_the_card_it_was_given_last(play: Play) -> None:
    async def scenario(site: Site) -> None:
        await registered(site, b"one", card="first")
        await registered(site, b"two")
        path = "/v1/models/gpt/versions/1/card"
        assert (await site.view(path))["text"] == "first"
        text = "---\nlicense: mit\n---\n# GPT\n"
        put_it = await site.call("PUT", path, {"text": text})
        assert put_it.status_code == 200, put_it.text
        view = await site.view(path)
        assert (view["ref"], view["origin"], view["text"], view["body"], view["metadata"]) == (
            "gpt:1",
            "set",
            text,
            "# GPT\n",
            {"license": "mit"},
        )
        assert (await site.view("/v1/models/gpt/versions/latest/card"))["origin"] == ""
        wrong = await site.call("PUT", path, {"text": "---\na: [1\n---\n"})
        assert (wrong.status_code, wrong.json()["field"]) == (422, "text")
        assert (await site.view(path))["text"] == text

    play(scenario)


def test_the_readme_among_the_files_is_the_card_of_a_version_without_one(play: Play) -> None:
    async def scenario(site: Site) -> None:
        readme = b"---\ntags: [a]\n---\nHello.\n"
        await put(site, readme)
        tree = manifest(**{"README.md": readme})
        await put(site, tree, "tree")
        body = {"name": "gpt", "digest": digest_of(tree)}
        await site.call("POST", "/v1/models", body)
        view = await site.view("/v1/models/gpt/versions/1/card")
        assert (view["origin"], view["metadata"], view["body"]) == (
            "README.md",
            {"tags": ["a"]},
            "Hello.\n",
        )

    play(scenario)


def test_lineage_leads_from_code_and_environment_to_the_endpoint(play: Play) -> None:
    async def scenario(site: Site) -> None:
        code = b"code"
        await put(site, code, "bundle")
        await put(site, b"sample")
        tree = manifest(sample=b"sample")
        await put(site, tree, "tree")
        await site.call("POST", "/v1/volumes", {"name": "corpus"})
        await site.call("POST", "/v1/volumes/corpus/versions", {"digest": digest_of(tree)})
        before = await site.submit(name="prepare")
        job = await site.submit(
            name="train",
            bundle=digest_of(code),
            after=[before["id"]],
            volumes=["corpus"],
            model={"name": "gpt", "path": "final", "card": "# Trained"},
        )
        await site.phase(before, "running")
        site.engine.exit(attempt_key(before))
        await site.phase(job, "running")
        folder = site.workshop.work.parent / f"work/default/default/{job['id']}/checkpoints/final"
        _write(folder / "weights", b"trained")
        site.engine.exit(attempt_key(job))
        await site.phase(job, "succeeded")
        assert (await site.view("/v1/models/gpt/versions/1/card"))["text"] == "# Trained"
        endpoint = await site.call(
            "POST", "/v1/endpoints", {"name": "chat", "model": "gpt", "command": ["serve"]}
        )
        assert endpoint.status_code in {200, 201}, endpoint.text
        graph = await site.view("/v1/models/gpt/versions/1/lineage")
        labels = {node["id"]: f"{node['kind']} {node['label']}" for node in graph["nodes"]}
        assert labels[graph["root"]] == "model gpt:1"
        assert {
            (labels[edge["target"]], edge["relation"], labels[edge["source"]])
            for edge in graph["edges"]
        } == {
            ("model gpt:1", "was made by", "job train"),
            ("job train", "ran the code", f"bundle {digest_of(code)}"),
            ("job train", "ran in", "environment host"),
            ("job train", "read", "data corpus:1"),
            ("job train", "came after", "job prepare"),
            ("job prepare", "ran in", "environment host"),
            ("endpoint chat", "serves", "model gpt:1"),
        }
        assert not graph["cut"]

    play(scenario)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
