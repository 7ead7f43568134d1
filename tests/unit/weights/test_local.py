"""Directories of model files: known layouts are told, inconsistent ones and pickles are refused."""

import io
import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gigawatt.model.artifact import Weights
from gigawatt.model.refusal import RefusalError
from gigawatt.weights.local import check_import, check_pickles, inspect_path
from tests.unit.weights.samples import gguf_bytes, safetensors_bytes, tensor, two_tensors

CONFIG = json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}).encode()
INDEX = "model.safetensors.index.json"


def folder(tmp_path: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        place = tmp_path / "model" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return tmp_path / "model"


def shards(**changes: Any) -> dict[str, bytes]:
    one = safetensors_bytes({"a": tensor([2], 0, 8)}, bytes(8))
    two = safetensors_bytes({"b": tensor([4], 0, 8, "F16")}, bytes(8))
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    weight_map = {"a": first, "b": second, **changes}
    return {
        first: one,
        second: two,
        INDEX: json.dumps({"weight_map": weight_map}).encode(),
        "config.json": CONFIG,
        "tokenizer.json": b"{}",
    }


def refused(place: Path, *, allow_pickle: bool = False) -> RefusalError:
    with pytest.raises(RefusalError) as error:
        check_import(place, allow_pickle=allow_pickle)
    return error.value


def test_a_hugging_face_directory_in_shards_is_told(tmp_path: Path) -> None:
    assert check_import(folder(tmp_path, shards()), allow_pickle=False) == Weights(
        format="safetensors",
        parameters=6,
        dtypes=(("F16", 4), ("F32", 2)),
        architecture="LlamaForCausalLM",
    )


def test_single_files_are_told(tmp_path: Path) -> None:
    place = folder(tmp_path, {"m.safetensors": two_tensors(), "m.gguf": gguf_bytes()})
    assert check_import(place / "m.safetensors", allow_pickle=False).parameters == 5
    assert check_import(place / "m.gguf", allow_pickle=False) == Weights(
        format="gguf", parameters=6, dtypes=(("F32", 6),), architecture="llama"
    )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (shards(c="model-00001-of-00002.safetensors"), "has 1 tensors, and the index has 2 for it"),
        (shards(c="model-00003-of-00003.safetensors"), "and it is not there"),
        (shards(c="../../etc/passwd"), "and it is not there"),
        (shards(b="model-00001-of-00002.safetensors"), "the index has 2 for it: 'b' is one that"),
        ({**shards(), INDEX: b"{}"}, f"{INDEX}: has no weight_map"),
        ({**shards(), INDEX: b"{"}, f"{INDEX}: is not JSON"),
        ({**shards(), "config.json": b"{"}, "config.json: is not JSON"),
        ({**shards(), "tokenizer.json": b"x"}, "tokenizer.json: is not JSON"),
        (
            {name: data for name, data in shards().items() if name != INDEX},
            f"is one of 2 shards, and {INDEX} does not name it",
        ),
        ({"m.gguf": b"GGUF"}, "m.gguf: its version ends at byte 8, and the file has 4"),
        ({"a.safetensors": two_tensors()[:-1]}, "a.safetensors: its tensors end at byte"),
        ({"notes.txt": b"hello"}, "holds neither safetensors nor GGUF files"),
    ],
)
def test_parts_that_disagree_are_refused_by_name(
    tmp_path: Path, files: dict[str, bytes], said: str
) -> None:
    assert said in refused(folder(tmp_path, files)).detail


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("pytorch_model.bin", b"anything"),
        ("model.PT", b""),
        ("weights", pickle.dumps({"a": 1})),
        ("weights.dat", zipped("archive/data.pkl", "archive/data/0")),
        ("weights.zip", b"PK\x03\x04 and nothing else"),
    ],
)
def test_pickles_are_refused_by_name_and_by_content_unless_asked_for(
    tmp_path: Path, name: str, data: bytes
) -> None:
    place = folder(tmp_path, {name: data, "model.safetensors": two_tensors()})
    error = refused(place)
    assert f"holds pickles: {name}; loading a pickle runs any code that is in it" in error.detail
    assert "--allow-pickle" in error.hint
    with pytest.raises(RefusalError, match=f"holds pickles: {name}; loading"):
        check_pickles(place)
    found = check_import(place, allow_pickle=True)
    assert (found.format, found.pickles) == ("safetensors", (name,))


def test_what_is_damaged_or_unknown_is_no_pickle(tmp_path: Path) -> None:
    files = {"model.safetensors": two_tensors()[:-1], "notes.txt": b"hello", "config.json": b"{"}
    check_pickles(folder(tmp_path, files))
    with pytest.raises(RefusalError, match="there is nothing at"):
        check_pickles(tmp_path / "none")


def test_of_many_pickles_the_first_are_named_and_the_others_counted(tmp_path: Path) -> None:
    place = folder(tmp_path, {f"{number}.pt": b"x" for number in range(7)})
    with pytest.raises(RefusalError, match=r"0\.pt, 1\.pt, 2\.pt, 3\.pt, 4\.pt and 2 more"):
        check_pickles(place)


def test_an_archive_without_pickles_is_none(tmp_path: Path) -> None:
    place = folder(tmp_path, {"notes.zip": zipped("a.txt"), "model.safetensors": two_tensors()})
    assert check_import(place, allow_pickle=False).pickles == ()


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    assert "there is nothing at" in refused(tmp_path / "none").detail


def test_links_out_of_the_directory_are_not_looked_at(tmp_path: Path) -> None:
    place = folder(tmp_path, {"model.safetensors": two_tensors()})
    outside = tmp_path / "secret.bin"
    outside.write_bytes(b"x")
    (place / "link.bin").symlink_to(outside)
    assert inspect_path(place).pickles == ()
