import os
from pathlib import Path

import pytest

from gigawatt.engine.supervisor.workdir import copy_tree, find_program, remove_tree


def test_a_copy_has_the_same_files_modes_and_links_and_is_its_own(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "run").write_bytes(b"x" * 100_000)
    (source / "sub" / "run").chmod(0o755)
    (source / "link").symlink_to("sub/run")
    (source / "read-only").write_text("r")
    (source / "read-only").chmod(0o444)
    copy_tree(source, target)
    assert (target / "sub" / "run").read_bytes() == b"x" * 100_000
    assert (target / "sub" / "run").stat().st_mode & 0o777 == 0o755
    assert (target / "link").readlink() == Path("sub/run")
    (target / "read-only").write_text("mine now")
    assert (source / "read-only").read_text() == "r"


def test_removing_takes_everything_and_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "locked" / "in").mkdir(parents=True)
    (root / "locked" / "in" / "file").touch()
    (root / "out").symlink_to(tmp_path)
    (root / "locked").chmod(0o500)
    remove_tree(root)
    remove_tree(root)
    assert list(tmp_path.iterdir()) == []


def test_a_program_is_found_as_a_shell_would(tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n")
    environ = {"PATH": f"/nowhere:{tmp_path}/bin"}
    assert find_program("tool", "/", environ) is None
    tool.chmod(0o755)
    assert find_program("tool", "/", environ) == str(tool)
    assert find_program("bin/tool", str(tmp_path), {}) == str(tool)
    assert find_program("bin", str(tmp_path), {"PATH": str(tmp_path)}) is None
    assert find_program("", "/", environ) is None


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_copy_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").touch()
    (tmp_path / "target").mkdir(mode=0o500)
    with pytest.raises(OSError, match="denied"):
        copy_tree(tmp_path / "source", tmp_path / "target")
