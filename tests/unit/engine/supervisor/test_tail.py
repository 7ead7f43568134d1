from pathlib import Path

from gigawatt.engine.supervisor.tail import LINE_BYTES_MAX, Tail


def _append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_only_whole_lines_are_read_and_each_once(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    tail = Tail(path)
    assert tail.read() == []
    _append(path, '{"step": 1}\n{"st')
    assert tail.read() == [{"step": 1}]
    assert tail.read() == []
    _append(path, 'ep": 2}\n')
    assert tail.read() == [{"step": 2}]
    tail.close()


def test_a_rotated_file_is_read_to_its_end_and_then_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    tail = Tail(path)
    _append(path, '{"step": 1}\n')
    assert tail.read() == [{"step": 1}]
    _append(path, '{"step": 2}\n')
    path.rename(tmp_path / "progress.old")
    _append(path, '{"step": 3}\n')
    assert tail.read() == [{"step": 2}, {"step": 3}]
    tail.close()


def test_what_is_no_object_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    _append(path, 'null\n[1]\nhalf {\n\n{"step": 4}\n' + "[" * 10_000 + "\n")
    tail = Tail(path)
    assert tail.read() == [{"step": 4}]
    tail.close()


def test_a_line_without_end_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    _append(path, "x" * (LINE_BYTES_MAX * 3))
    tail = Tail(path)
    assert tail.read() == []
    _append(path, '\n{"step": 5}\n')
    assert tail.read() == [{"step": 5}]
    tail.close()


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"step": 6}\n')
    (tmp_path / "progress").symlink_to(tmp_path / "secret")
    assert Tail(tmp_path / "progress").read() == []
