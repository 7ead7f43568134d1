"""Requirements files, read into a plain list."""

from pathlib import Path

import pytest

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.requirements import read_requirements


def read(path: Path) -> list[str]:
    return read_requirements(path, field="environment.requirements_file")


def test_comments_blanks_and_continued_lines_are_understood(tmp_path: Path) -> None:
    file = tmp_path / "r.txt"
    file.write_text(
        "# for training\n\nnumpy==2.1  # pinned\ntorch \\\n  >=2.5\nhttps://x.org/a.whl#sha256=1\n"
    )
    assert read(file) == ["numpy==2.1", "torch    >=2.5", "https://x.org/a.whl#sha256=1"]


def test_included_files_are_read_from_where_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "more.txt").write_text("six\n")
    (tmp_path / "base" / "base.txt").write_text("-r more.txt\nrich\n")
    (tmp_path / "r.txt").write_text("--requirement=base/base.txt\nclick\n")
    assert read(tmp_path / "r.txt") == ["six", "rich", "click"]


def test_an_option_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "r.txt"
    file.write_text("six\n--index-url https://example.org\n")
    with pytest.raises(RefusalError, match=r"r\.txt:2: an option, not a requirement"):
        read(file)


def test_a_file_that_includes_itself_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "r.txt"
    file.write_text("-r r.txt\n")
    with pytest.raises(RefusalError, match="within each other"):
        read(file)


def test_a_missing_file_and_one_that_is_no_text_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(RefusalError, match="no such file") as missing:
        read(tmp_path / "none.txt")
    with pytest.raises(RefusalError, match="not a text file"):
        read(tmp_path / "b.txt")
    assert missing.value.code is RefusalCode.NOT_FOUND
    assert missing.value.field == "environment.requirements_file"
