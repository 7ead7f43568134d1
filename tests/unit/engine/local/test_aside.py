"""Files set aside and deleted: nothing that was used meanwhile, nothing that a link leads to, and nothing left half."""

import os
from pathlib import Path

from gigawatt.engine.local.aside import discard, mark_used, modified_ms, size_bytes, sweep

OLD_S = 1_000_000_000
PLANNED_MS = OLD_S * 1000 + 1


def old(path: Path) -> Path:
    os.utime(path, (OLD_S, OLD_S), follow_symlinks=False)
    return path


def test_a_read_only_tree_goes_whole(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "inner").mkdir(parents=True)
    (tree / "inner" / "file").write_bytes(b"12345")
    assert size_bytes(tree) == 5
    (tree / "inner").chmod(0o555)
    tree.chmod(0o555)
    assert discard(old(tree), tmp_path / "away", unused_since_ms=PLANNED_MS)
    assert not tree.exists()
    assert list((tmp_path / "away").iterdir()) == []
    assert not discard(tree, tmp_path / "away", unused_since_ms=PLANNED_MS)


def test_what_was_used_since_it_was_chosen_goes_back(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"kept")
    old(file)
    assert mark_used(file)
    assert not discard(file, tmp_path / "away", unused_since_ms=PLANNED_MS)
    assert file.read_bytes() == b"kept"
    assert not mark_used(tmp_path / "none")


def test_links_are_deleted_and_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"safe")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(outside)
    assert discard(old(tree), tmp_path / "away", unused_since_ms=PLANNED_MS)
    link = tmp_path / "link"
    link.symlink_to(outside)
    assert discard(old(link), tmp_path / "away", unused_since_ms=PLANNED_MS)
    assert not os.path.lexists(link)
    assert (outside / "file").read_bytes() == b"safe"


def test_a_sweep_deletes_what_a_killed_process_had_set_aside(tmp_path: Path) -> None:
    away = tmp_path / "away"
    sweep(away)
    (away / "tree.1").mkdir(parents=True)
    (away / "tree.1" / "file").write_bytes(b"")
    (away / "file.2").write_bytes(b"")
    sweep(away)
    assert list(away.iterdir()) == []
    assert modified_ms(away / "file.2") == 0
