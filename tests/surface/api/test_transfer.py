"""Models in and out through the client: checked before they are sent, verified when they come back."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.client import Client
from gigawatt.sdk.errors import ApiError
from tests.surface.api.served import served_site
from tests.unit.weights.samples import two_tensors

pytestmark = pytest.mark.slow

FILES = {
    "config.json": json.dumps({"architectures": ["TinyForCausalLM"]}).encode(),
    "nested/README.md": b"# Tiny\n",
    "model.safetensors": two_tensors(),
    "run.sh": b"#!/bin/sh\n",
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    place = tmp_path_factory.mktemp("site")
    with served_site(place) as (url, key), Client(api_url=url, token=key) as client:
        yield client, place


@pytest.fixture
def files(tmp_path: Path) -> Path:
    place = tmp_path / "tiny"
    for name, data in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    (place / "run.sh").chmod(0o755)
    return place


def held(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def blob(place: Path, data: bytes) -> Path:
    digest = hashlib.sha256(data).hexdigest()
    return next(place.rglob(f"sha256/{digest[:2]}/{digest}"))


def test_a_model_comes_out_as_it_went_in(
    served: tuple[Client, Path], files: Path, tmp_path: Path
) -> None:
    client, _ = served
    view = client.models.import_files("whole", files, aliases=["prod"])
    weights = view["weights"]
    assert weights is not None
    assert (weights["format"], weights["parameters"], weights["dtypes"]) == (
        "safetensors",
        5,
        {"BF16": 3, "F32": 2},
    )
    assert (weights["architecture"], weights["problem"]) == ("TinyForCausalLM", "")
    assert view["lineage"]["source"] == "safetensors imported from tiny"
    out = tmp_path / "out"
    assert client.models.export("whole@prod", out)["ref"] == "whole:1"
    assert held(out) == FILES
    assert (out / "run.sh").stat().st_mode & 0o111
    assert client.models.export("whole", out)["ref"] == "whole:1"  # all there: nothing to do


def test_a_broken_export_is_taken_up_where_it_broke(
    served: tuple[Client, Path], files: Path, tmp_path: Path
) -> None:
    client, _ = served
    client.models.import_files("resumed", files)
    out = tmp_path / "out"
    out.mkdir()
    (out / "model.safetensors.gigawatt-part").write_bytes(two_tensors()[:20])
    told: list[int] = []
    client.models.export("resumed", out, progress=lambda through, _: told.append(through))
    assert held(out) == FILES
    (out / "model.safetensors").unlink()
    (out / "model.safetensors.gigawatt-part").write_bytes(b"wrong" * 4)
    with pytest.raises(RefusalError) as refused:
        client.models.export("resumed", out)
    assert refused.value.code is RefusalCode.DIGEST_MISMATCH
    assert not list(out.rglob("*part"))
    client.models.export("resumed", out)
    assert held(out) == FILES


def test_a_file_in_the_way_is_not_written_over(
    served: tuple[Client, Path], files: Path, tmp_path: Path
) -> None:
    client, _ = served
    client.models.import_files("way", files)
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.json").write_text("mine")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for prepare in (lambda: None, lambda: (out / "nested").symlink_to(elsewhere)):
        prepare()
        with pytest.raises(RefusalError) as refused:
            client.models.export("way", out)
        assert refused.value.code is RefusalCode.CONFLICT
        assert (out / "config.json").read_text() == "mine"
        assert not any(elsewhere.iterdir())


def test_a_store_whose_bytes_have_rotted_is_noticed(
    served: tuple[Client, Path], files: Path, tmp_path: Path
) -> None:
    client, place = served
    rotten = b'{"architectures": ["Rotten"]}'
    (files / "config.json").write_bytes(rotten)
    client.models.import_files("rotten", files)
    stored = blob(place, rotten)
    stored.chmod(0o644)
    stored.write_bytes(rotten[:-1] + b" ")
    with pytest.raises(RefusalError) as refused:
        client.models.export("rotten", tmp_path / "out")
    assert refused.value.code is RefusalCode.DIGEST_MISMATCH
    assert "config.json" in refused.value.detail
    assert "config.json" not in held(tmp_path / "out")


def test_nothing_is_registered_when_a_check_fails(
    served: tuple[Client, Path], files: Path, tmp_path: Path
) -> None:
    client, _ = served
    (files / "model.safetensors").write_bytes(two_tensors()[:-1])
    with pytest.raises(RefusalError, match=r"model\.safetensors: its tensors end at byte"):
        client.models.import_files("broken", files)
    (files / "model.safetensors").write_bytes(two_tensors())
    (files / "extra.pt").write_bytes(b"x")
    with pytest.raises(RefusalError, match="holds pickles"):
        client.models.import_files("broken", files)
    with pytest.raises(ApiError, match="there is no model broken"):
        client.models.find("broken")
    view = client.models.import_files("broken", files, allow_pickle=True)
    assert view["weights"] is not None
    assert view["weights"]["pickles"] == ["extra.pt"]


def test_damaged_weights_that_are_pushed_unchecked_are_said_to_be(
    served: tuple[Client, Path], files: Path
) -> None:
    client, _ = served
    (files / "model.safetensors").write_bytes(two_tensors()[:-1])
    weights = client.models.push("pushed", files)["weights"]
    assert weights is not None
    assert weights["problem"].startswith("model.safetensors: its tensors end at byte")


def test_a_file_that_is_not_in_the_tree_is_answered_with_the_nearest(
    served: tuple[Client, Path], files: Path
) -> None:
    client, _ = served
    digest = client.models.import_files("named", files)["digest"]
    with pytest.raises(ApiError) as refused:
        client._transport.read(f"/v1/artifacts/{digest}/file", {"path": "confg.json"})
    assert refused.value.problem.hint == "did you mean 'config.json'?"
