"""The example's training script by itself, as torchrun or a shell would start it."""

import subprocess
from pathlib import Path

import pytest

SMALL = ["--batch", "2", "--width", "32", "--layers", "1", "--context", "32", "--vocabulary", "300"]
LIMIT_S = 240

pytestmark = [pytest.mark.slow, pytest.mark.demo]


def test_it_runs_unchanged_under_torchrun(torch_bin: Path, example: Path, tmp_path: Path) -> None:
    torchrun = [torch_bin / "torchrun", "--standalone", "--nproc-per-node", "2"]
    said = run([*torchrun, example / "train.py", *SMALL, "--steps", "4"], tmp_path)
    assert "step 4/4" in said
    assert sorted(path.name for path in (tmp_path / "checkpoints" / "final").iterdir()) == [
        "config.json",
        "metrics.json",
        "tokenizer.json",
        "weights.pt",
    ]


def test_a_run_that_was_cut_off_ends_as_if_it_had_not_been(
    torch_bin: Path, example: Path, tmp_path: Path
) -> None:
    train = [torch_bin / "python", example / "train.py", *SMALL, "--checkpoint-every", "2"]
    run([*train, "--steps", "6", "--checkpoint-dir", "whole"], tmp_path)
    run([*train, "--steps", "6", "--checkpoint-dir", "cut"], tmp_path)
    (tmp_path / "cut" / "step-000004.pt").write_bytes(b"half a checkpoint")
    again = run([*train, "--steps", "6", "--checkpoint-dir", "cut"], tmp_path)
    assert "step-000004.pt is damaged" in again
    assert "resuming after step 2 from step-000002.pt" in again
    metrics = [tmp_path / name / "final" / "metrics.json" for name in ("whole", "cut")]
    assert metrics[0].read_text() == metrics[1].read_text()


def run(command: list[str | Path], directory: Path) -> str:
    done = subprocess.run(
        command,
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
