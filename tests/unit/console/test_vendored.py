"""What is not ours is there as it was published: by the manifest beside it, file by file."""

import hashlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("src/gigawatt/console/static/vendor", "tests/surface/console/axe")


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_vendored_file_is_on_the_manifest_with_its_digest(folder: str) -> None:
    there = {each.name for each in (ROOT / folder).iterdir()} - {"manifest.json"}
    manifest = json.loads((ROOT / folder / "manifest.json").read_text())
    assert {each["file"] for each in manifest} == there
    for each in manifest:
        content = (ROOT / folder / each["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == each["sha256"], each["file"]
        assert each["version"] and each["licence"] and each["package"]
