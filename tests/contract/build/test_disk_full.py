"""A disk without room: said so, and nothing left."""

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.bundles import unpack
from gigawatt.build.environments import BuildFailedError, EnvironmentBuilder, environment_id
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.bundle import pack
from tests.contract.build.conftest import Site, wanting

pytestmark = pytest.mark.slow

DATA = os.urandom(2 * 1024 * 1024)


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def files_below(place: Path) -> list[str]:
    return [path.name for path in place.rglob("*") if path.is_file() and path.stat().st_size]


def test_an_artifact_is_refused(tiny_disk: Path) -> None:
    with pytest.raises(RefusalError) as caught:
        ArtifactStore(tiny_disk).put_stream(digest_of(DATA), [DATA])
    assert caught.value.code is RefusalCode.DISK_FULL
    assert files_below(tiny_disk) == []


def test_a_tree_is_refused(tiny_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "final").mkdir()
    (tmp_path / "final" / "weights").write_bytes(DATA)
    with pytest.raises(RefusalError) as caught:
        ArtifactStore(tiny_disk).put_tree(tmp_path / "final")
    assert caught.value.code is RefusalCode.DISK_FULL
    assert files_below(tiny_disk) == []


def test_copies_of_a_tree_are_refused(tiny_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "final").mkdir()
    (tmp_path / "final" / "weights").write_bytes(DATA)
    store = ArtifactStore(tmp_path / "artifacts")
    digest = store.put_tree(tmp_path / "final").digest
    with pytest.raises(RefusalError) as caught:
        store.materialise(digest, tiny_disk / "model")
    assert caught.value.code is RefusalCode.DISK_FULL
    assert files_below(tiny_disk) == []


def test_a_bundle_is_refused(tiny_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "data").write_bytes(DATA)
    with pytest.raises(RefusalError) as caught:
        pack(tmp_path / "project", archive=tiny_disk / "bundle.tar.gz")
    assert caught.value.code is RefusalCode.DISK_FULL
    bundle = pack(tmp_path / "project", archive=tmp_path / "bundle.tar.gz")
    with pytest.raises(RefusalError) as caught:
        unpack(bundle.path, tiny_disk / "bundle", digest=bundle.digest)
    assert caught.value.code is RefusalCode.DISK_FULL
    assert files_below(tiny_disk) == []


def test_an_environment_fails_in_the_systems_words(site: Site, tiny_disk: Path) -> None:
    (tiny_disk / "full").write_bytes(DATA[: 480 * 1024])
    builder = EnvironmentBuilder(tiny_disk / "environments", cache=site.cache, environ=site.environ)
    spec = wanting("alpha")
    with pytest.raises(BuildFailedError) as caught:
        asyncio.run(builder.build(environment_id("acme", spec), spec))
    assert "No space left on device" in caught.value.message
    assert files_below(tiny_disk) == ["full"]
