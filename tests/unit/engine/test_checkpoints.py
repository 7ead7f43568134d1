"""Checkpoints looked at again and deleted, on files."""

import os
from pathlib import Path

import pytest

from gigawatt.engine.checkpoints import look_again, remove
from gigawatt.engine.supervisor import manifest
from gigawatt.model.checkpoint import Candidate, Checkpoint, Finding


@pytest.fixture
def within(tmp_path: Path) -> Path:
    directory = tmp_path / "job" / "checkpoints"
    (directory / "step-1" / "shards").mkdir(parents=True)
    (directory / "step-1" / "meta").write_bytes(b"meta")
    (directory / "step-1" / "shards" / "0").write_bytes(b"0" * 100)
    return directory


def reported(within: Path, *, name: str = "step-1", read: bool = False) -> Candidate:
    """As the supervisor reports it; `read` as its background reader leaves it."""
    seen = manifest.look(str(within / name))
    manifest.keep(manifest.with_contents(seen) if read else seen, str(within))
    checkpoint = Checkpoint(
        step=1,
        path=seen.path,
        at_ms=1,
        size_bytes=seen.size_bytes,
        files=len(seen.files),
        manifest=seen.digest,
    )
    return Candidate(checkpoint=checkpoint, within=str(within))


def fault(candidate: Candidate, *, contents: bool = False) -> str:
    return look_again(candidate, contents=contents).fault


def test_a_whole_one_is_valid_and_reading_it_makes_its_digest_known(within: Path) -> None:
    candidate = reported(within)
    assert look_again(candidate, contents=False) == Finding(path=candidate.checkpoint.path)
    digest = look_again(candidate, contents=True).digest
    assert digest.startswith("sha256:")
    assert look_again(candidate, contents=False).digest == digest


def test_a_single_file_is_a_checkpoint_too(within: Path) -> None:
    (within / "last.pt").write_bytes(b"x" * 10)
    candidate = reported(within, name="last.pt")
    assert fault(candidate) == ""
    (within / "last.pt").write_bytes(b"x" * 3)
    assert fault(candidate) == "last.pt has 3 bytes, and had 10 when it was reported"
    (within / "last.pt").unlink()
    assert fault(candidate) == "last.pt is not there (No such file or directory)"


def test_files_that_were_added_are_no_fault(within: Path) -> None:
    candidate = reported(within)
    (within / "step-1" / "note").touch()
    assert fault(candidate) == ""


def test_a_touched_file_is_compared_by_content_if_that_is_known(within: Path) -> None:
    shard = within / "step-1" / "shards" / "0"
    known, unknown = reported(within, read=True), "and its content cannot be compared now"
    os.utime(shard, ns=(1, 1))
    assert fault(known) == ""
    shard.write_bytes(b"1" * 100)
    assert fault(known) == "the content of shards/0 is not what it was"
    candidate = reported(within)
    os.utime(shard, ns=(2, 2))
    assert unknown in fault(candidate)


def test_without_its_manifest_size_and_number_of_files_are_compared(within: Path) -> None:
    candidate = reported(within)
    manifest.forget(candidate.checkpoint.path, str(within))
    assert fault(candidate) == ""
    (within / "step-1" / "meta").write_bytes(b"")
    assert "it has 100 bytes in 2 files, and had 104 in 2" in fault(candidate)


def test_one_from_before_there_were_manifests_has_to_be_there(within: Path) -> None:
    for name, said in (("step-1", ""), ("step-2", "it is not there")):
        checkpoint = Checkpoint(step=1, path=str(within / name), at_ms=1)
        assert fault(Candidate(checkpoint=checkpoint, within=str(within))) == said


def test_links_in_a_checkpoint_are_deleted_and_what_they_lead_to_is_not(
    within: Path, tmp_path: Path
) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (within / "step-1" / "link").symlink_to(tmp_path / "precious")
    assert remove(str(within), str(within / "step-1")).fault == ""
    assert not (within / "step-1").exists()
    assert (tmp_path / "precious" / "file").exists()


def test_nothing_is_deleted_through_a_link_or_outside(within: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    (within / "link").symlink_to(precious)
    link = "a link leads there; links are not followed"
    assert remove(str(within), str(within / "link")).fault == link
    assert remove(str(within), str(within / "link" / "file")).fault == link
    for path in (str(within), str(precious), f"{within}/../../precious", f"{within}x"):
        assert remove(str(within), path).fault == f"it is not below {within}"
    swapped = within.rename(within.with_name("elsewhere"))
    within.symlink_to(swapped)
    assert remove(str(within), str(within / "step-1")).fault == link
    assert (precious / "file").exists()
    assert (swapped / "step-1").exists()


def test_deleting_what_has_gone_is_no_error(within: Path) -> None:
    for _ in range(2):
        assert remove(str(within), str(within / "step-1")) == Finding(path=str(within / "step-1"))


def test_a_checkpoint_with_too_many_files_has_no_manifest(within: Path) -> None:
    for number in range(manifest.FILES_MAX):
        (within / "step-1" / str(number)).touch()
    with pytest.raises(manifest.TooManyFilesError, match="more than 10000 files"):
        manifest.look(str(within / "step-1"))
