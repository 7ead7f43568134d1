"""A Python with PyTorch for the example, built as a user would have it built: by an instance, as an environment."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigawatt.sdk.client import Client

GW = Path(sys.executable).with_name("gw")
BUILD_LIMIT_S = 900  # a first run downloads PyTorch


@pytest.fixture(scope="session")
def example() -> Path:
    return Path(__file__).resolve().parents[2] / "examples" / "tiny-gpt"


@pytest.fixture(scope="session")
def torch_bin(example: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The bin directory of the example's environment."""
    data = tmp_path_factory.mktemp("instance")
    up = [GW, "up", "--data", data, "--port", "0", "--gateway-port", "0", "--detach"]
    subprocess.run(up, check=True, capture_output=True)
    try:
        with Client(data=data) as client:
            requirements = (example / "requirements.txt").read_text().split()
            asked = client.environments.build({"kind": "uv", "requirements": requirements})
            built = client.environments.wait(asked["id"], timeout_s=BUILD_LIMIT_S)
        assert built["phase"] == "ready", built["message"]
        yield Path(built["path"]) / "bin"
    finally:
        subprocess.run([GW, "down", "--data", data], check=True, capture_output=True)
