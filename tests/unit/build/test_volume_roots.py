"""Path volumes lie below allowed roots, whatever links and dots say."""

from pathlib import Path

import pytest

from gigawatt.build.volume_roots import allowed_directory, parse_roots
from gigawatt.model.refusal import RefusalCode, RefusalError


def allowed(path: Path | str, *roots: Path | str) -> str:
    return allowed_directory(str(path), [str(root) for root in roots], tenant="t", project="p")


def refusal(path: Path | str, *roots: Path | str) -> RefusalError:
    with pytest.raises(RefusalError) as refused:
        allowed(path, *roots)
    return refused.value


def test_a_directory_below_a_root_is_told_without_links(tmp_path: Path) -> None:
    (tmp_path / "root" / "real").mkdir(parents=True)
    (tmp_path / "root" / "link").symlink_to("real")
    (tmp_path / "alias").symlink_to("root")
    real = str((tmp_path / "root" / "real").resolve())
    assert allowed(tmp_path / "root" / "real", tmp_path / "root") == real
    assert allowed(tmp_path / "root" / "link", tmp_path / "root") == real
    assert allowed(tmp_path / "alias" / "real", tmp_path / "alias") == real
    assert allowed(tmp_path / "root", tmp_path / "root") == str((tmp_path / "root").resolve())


def test_what_leads_out_of_the_roots_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "in").mkdir(parents=True)
    (tmp_path / "rooted").mkdir()
    (root / "out").symlink_to(tmp_path / "rooted")
    (root / "circle").symlink_to("circle")
    (root / "file").write_text("")
    for path, code in (
        (root / "out", RefusalCode.FORBIDDEN),
        (tmp_path / "rooted", RefusalCode.FORBIDDEN),
        ("/etc", RefusalCode.FORBIDDEN),
        (f"{root}/../rooted", RefusalCode.INVALID),
        (f"{root}/in/..", RefusalCode.INVALID),
        ("in", RefusalCode.INVALID),
        (f"{root}/in\0", RefusalCode.INVALID),
        (root / "file", RefusalCode.INVALID),
        (root / "missing", RefusalCode.NOT_FOUND),
        (root / "circle", RefusalCode.NOT_FOUND),
    ):
        assert refusal(path, root).code is code, path


def test_whether_something_is_there_outside_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    told = {
        refusal(tmp_path / name, tmp_path / "root").detail.replace(name, "x")
        for name in ("there", "not-there")
    }
    assert len(told) == 1


def test_roots_name_the_owner(tmp_path: Path) -> None:
    for owner in ("t/p", "t/q"):
        (tmp_path / owner / "set").mkdir(parents=True)
    root = f"{tmp_path}/{{tenant}}/{{project}}"
    assert allowed(tmp_path / "t/p/set", root).endswith("t/p/set")
    assert refusal(tmp_path / "t/q/set", root).code is RefusalCode.FORBIDDEN


def test_roots_are_absolute_and_without_dots() -> None:
    assert parse_roots(" /b:/a: :/b ") == ("/a", "/b")
    assert parse_roots("") == ()
    for text in ("a", "/a/../b"):
        with pytest.raises(RefusalError) as refused:
            parse_roots(text)
        assert refused.value.field == "volume_roots"
