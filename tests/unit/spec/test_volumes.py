"""Volumes as a job names them."""

from typing import Any

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.model.volume import Mount
from gigawatt.spec.parse import job_from


def mounts(volumes: Any) -> tuple[Mount, ...]:
    return job_from({"command": "true", "volumes": volumes}).spec.volumes


@pytest.mark.parametrize(
    "volumes",
    [
        ["corpus:3:in/corpus:ro"],
        ["corpus:3:in/corpus"],
        ["corpus:3:./in/corpus/"],
        [{"volume": "corpus:3", "path": "in/corpus"}],
        {"corpus:3": "in/corpus"},
        {"corpus:3": "in/corpus:ro"},
        {"corpus:3": {"path": "in/corpus", "mode": "ro"}},
    ],
)
def test_every_way_to_write_a_mount_is_the_same_mount(volumes: Any) -> None:
    assert mounts(volumes) == (Mount(volume="corpus:3", path="in/corpus"),)


def test_what_is_left_out_is_filled_in() -> None:
    assert mounts(["corpus", "scratch:latest:rw", "a:1"]) == (
        Mount(volume="corpus", path="data/corpus"),
        Mount(volume="scratch:latest", path="data/scratch", writable=True),
        Mount(volume="a:1", path="data/a"),
    )
    assert mounts({"corpus": None}) == (Mount(volume="corpus", path="data/corpus"),)
    assert mounts([]) == ()


@pytest.mark.parametrize(
    ("volumes", "field", "detail"),
    [
        (["corpus:/data"], "volumes.0.path", "must be relative"),
        (["corpus:a/../../b"], "volumes.0.path", "must be a path below the job's directory"),
        ([{"volume": "corpus", "path": "a//b"}], "volumes.0.path", "must be a path below"),
        ([{"volume": "corpus", "path": "."}], "volumes.0.path", "must be a path below"),
        ([{"volume": "corpus:0"}], "volumes.0.volume", "names no volume"),
        ([{"volume": "Corpus"}], "volumes.0.volume", "names no volume"),
        ([{"volume": "corpus", "mode": "w"}], "volumes.0.mode", "must be 'ro' or 'rw'"),
        ([{"volume": "corpus", "at": "x"}], "volumes.0.at", "is not a known field"),
        (["a:x", "b:x/y"], "volumes.1.path", "is in the way of a at x"),
        (["a:x/y", "b:x"], "volumes.1.path", "is in the way of a at x/y"),
        (["a:1", "a:2:other"], "volumes.1.volume", "names a again"),
        ("corpus", "volumes", "must be a list"),
        ([f"a{n}" for n in range(65)], "volumes", "must have at most 64 entries"),
    ],
)
def test_what_cannot_be_mounted_is_refused_with_its_place(
    volumes: Any, field: str, detail: str
) -> None:
    with pytest.raises(RefusalError) as refused:
        mounts(volumes)
    assert refused.value.field == field
    assert detail in refused.value.detail
