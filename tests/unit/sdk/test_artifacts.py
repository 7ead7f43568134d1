"""Trees of files, as the client names them and as the store reads them."""

import os
from pathlib import Path

import pytest

from gigawatt.build.artifacts import ArtifactStore
from gigawatt.build.trees import encode_manifest, parse_manifest
from gigawatt.model.refusal import RefusalError
from gigawatt.sdk.artifacts import manifest_of, tree_files


def a_tree(root: Path) -> Path:
    (root / "deep" / "er").mkdir(parents=True)
    (root / "deep" / "er" / "w.bin").write_bytes(b"\0" * 1000)
    (root / "deep.txt").write_text("ü")
    run = root / "run.sh"
    run.write_text("#!/bin/sh\n")
    run.chmod(0o755)
    return root


def test_the_store_reads_the_clients_manifest_and_would_write_the_same(tmp_path: Path) -> None:
    manifest = manifest_of(tree_files(a_tree(tmp_path / "tree")))
    assert encode_manifest(parse_manifest(manifest)) == manifest
    stored = ArtifactStore(tmp_path / "store").put_tree(tmp_path / "tree")
    assert (ArtifactStore(tmp_path / "store").path(stored.digest)).read_bytes() == manifest


def test_a_link_to_a_file_inside_is_the_file(tmp_path: Path) -> None:
    tree = a_tree(tmp_path)
    (tree / "latest").symlink_to("deep.txt")
    found = {each.path: each.sha256 for each in tree_files(tree)}
    assert found["latest"] == found["deep.txt"]


def test_links_that_lead_outside_and_special_files_are_refused(tmp_path: Path) -> None:
    outside = a_tree(tmp_path / "a")
    (outside / "passwd").symlink_to("/etc/passwd")
    special = a_tree(tmp_path / "b")
    os.mkfifo(special / "pipe")
    for tree in (outside, special):
        with pytest.raises(RefusalError, match="neither a file"):
            tree_files(tree)


def test_an_empty_or_missing_directory_is_refused(tmp_path: Path) -> None:
    for tree in (tmp_path, tmp_path / "none"):
        with pytest.raises(RefusalError):
            tree_files(tree)
