"""Which file llama.cpp is given."""

from pathlib import Path

import pytest

from gigawatt.rank.llamacpp import weights_in


def made(place: Path, *names: str) -> Path:
    for name in names:
        (place / name).write_bytes(b"")
    return place


def test_a_file_is_itself_and_a_directory_its_one_model(tmp_path: Path) -> None:
    made(tmp_path, "a.gguf", "mmproj-a.gguf", "README.md")
    assert weights_in(tmp_path) == weights_in(tmp_path / "a.gguf") == tmp_path / "a.gguf"


def test_of_a_model_in_parts_it_is_the_first(tmp_path: Path) -> None:
    made(tmp_path, "m-00002-of-00002.gguf", "m-00001-of-00002.gguf")
    assert weights_in(tmp_path).name == "m-00001-of-00002.gguf"


@pytest.mark.parametrize("names", [(), ("model.safetensors",), ("a.gguf", "b.gguf")])
def test_none_and_several_are_said(names: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="holds"):
        weights_in(made(tmp_path, *names))
