"""The demonstration, with fewer steps: it checks its own claims, so what is left is that it says they held."""

import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "examples" / "tiny-gpt" / "demo.py"
LIMIT_S = 900  # a first run downloads PyTorch

pytestmark = [pytest.mark.slow, pytest.mark.demo]


def test_every_claim_of_the_demonstration_holds() -> None:
    done = subprocess.run(
        [sys.executable, DEMO, "--fast"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert "Everything held" in done.stdout, done.stdout
    assert done.returncode == 0, done.stdout
