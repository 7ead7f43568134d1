"""Disks of other systems become volumes; what they cannot be is told."""

from typing import Any

import pytest

from gigawatt.spec.foreign.convert import Imported, convert


def job(kind: str, text: str) -> tuple[dict[str, Any], Imported]:
    found = convert(kind, text, "file")
    return found.documents[0], found


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("skypilot", "run: x\nvolumes:\n  /mnt/data: My_Disk\n"),
        ("dstack", "type: task\ncommands: [x]\nvolumes: ['My_Disk:/mnt/data']\n"),
        ("dstack", "type: task\ncommands: [x]\nvolumes: [{name: My_Disk, path: /mnt/data}]\n"),
    ],
)
def test_a_disk_by_name_becomes_a_volume_below_the_jobs_directory(kind: str, text: str) -> None:
    document, found = job(kind, text)
    assert document["volumes"] == [{"volume": "my-disk", "path": "mnt/data", "mode": "rw"}]
    (note,) = (each for each in found.notes if each.key == "volumes")
    assert "$GIGAWATT_DATA_MY_DISK" in note.detail
    assert "gw data create my-disk --path DIR" in note.advice


def test_what_has_no_name_is_told_with_how_to_push_it() -> None:
    for kind, text, key in (
        ("skypilot", "run: x\nfile_mounts: {/data: 's3://bucket'}\n", "file_mounts"),
        ("skypilot", "run: x\nvolumes: {/data: {size: 10}}\n", "volumes./data"),
        ("dstack", "type: task\ncommands: [x]\nvolumes: ['/host:/data']\n", "volumes"),
        (
            "dstack",
            "type: task\ncommands: [x]\nvolumes: [{instance_path: /a, path: /b}]\n",
            "volumes",
        ),
    ):
        document, found = job(kind, text)
        assert "volumes" not in document
        assert [each.key for each in found.notes if "gw data push" in each.advice] == [key]


def test_disks_that_would_lie_in_each_other_are_told() -> None:
    document, found = job("skypilot", "run: x\nvolumes: {/a: one, /a/b: two, /c: one, /: three}\n")
    assert [each["volume"] for each in document["volumes"]] == ["one"]
    assert sum("has no counterpart" in each.detail for each in found.notes) == 3
