"""What walled attempts see of /etc, kept like the machine's own."""

import os
from pathlib import Path

from gigawatt.engine.supervisor import etc


def machine(tmp_path: Path) -> tuple[Path, Path]:
    source = tmp_path / "machine"
    (source / "ssl").mkdir(parents=True)
    (source / "hosts").write_text("127.0.0.1 localhost\n")
    (source / "shadow").write_text("root:secret\n")
    (tmp_path / "zone").write_text("UTC")
    (source / "localtime").symlink_to(tmp_path / "zone")
    return source, tmp_path / "shown"


def test_files_are_copied_directories_have_a_place_and_nothing_else_is_there(
    tmp_path: Path,
) -> None:
    source, shown = machine(tmp_path)
    etc.refresh(shown, source)
    assert sorted(each.name for each in shown.iterdir()) == [
        "group",
        "hosts",
        "localtime",
        "passwd",
        "ssl",
    ]
    assert [(shown / name).read_text() for name in ("hosts", "localtime")] == [
        "127.0.0.1 localhost\n",
        "UTC",
    ]
    assert {(shown / name).stat().st_mode & 0o777 for name in ("hosts", "passwd")} == {0o644}
    assert not (shown / "localtime").is_symlink()


def test_what_changes_on_the_machine_changes_and_what_goes_goes(tmp_path: Path) -> None:
    source, shown = machine(tmp_path)
    etc.refresh(shown, source)
    kept, gone = (shown / "localtime").stat().st_ino, source / "localtime"
    etc.refresh(shown, source)
    assert (shown / "localtime").stat().st_ino == kept
    (source / "hosts").write_text("10.0.0.1 other\n")
    os.utime(source / "hosts", ns=(0, 1))
    gone.unlink()
    etc.refresh(shown, source)
    assert (shown / "hosts").read_text() == "10.0.0.1 other\n"
    assert not (shown / "localtime").exists()
