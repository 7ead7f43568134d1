"""A full disk: launches fail with a clear reason, output is dropped, and the supervisor stays."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.engine.peer import a_spec, running, start
from tests.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    path = tmp_path / "small"
    path.mkdir()
    options = ["-t", "tmpfs", "-o", "size=512k", "tmpfs", str(path)]
    mounted = subprocess.run(["mount", *options], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def _fill(path: Path) -> None:
    with (path / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            os.fsync(file.fileno())


def test_a_launch_fails_with_the_reason_and_works_once_there_is_room(
    small: Path, tmp_path: Path
) -> None:
    root, bundle = small / "node", tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "data").write_bytes(bytes(9000))
    with running(root) as (_, peer):
        _fill(small)
        answer = peer.ask("stage", epoch=1, spec=a_spec(template=str(bundle)), secrets={})
        assert answer["code"] == "machine"
        assert "No space left on device" in answer["detail"]
        (small / "filler").unlink()
        start(peer, a_spec())


def test_output_is_dropped_and_what_comes_later_is_kept_at_its_offset(small: Path) -> None:
    root = small / "node"
    with running(root) as (_, peer):
        script = "head -c 400000 /dev/zero; while ! test -e go; do sleep 0.01; done; echo end"
        start(peer, a_spec("j.1", "sh", "-c", f"head -c 1000000 /dev/zero; {script}"))
        logs = root / "attempts/j.1/logs/rank-0.stdout"
        _wait_for_dropping(logs)
        for segment in sorted(logs.glob("0*[0-9]"))[:-1]:
            segment.unlink()
        for segment in logs.glob("0*[0-9]"):
            os.truncate(segment, 0)
        (_work(root) / "go").touch()
        exited = peer.wait("exited")
        assert exited["exit_code"] == 0
        peer.wait("gone")
        last = max(logs.glob("0*[0-9]"), key=lambda path: int(path.name))
        assert last.read_bytes().endswith(b"end\n")
        assert int(last.name) + last.stat().st_size == 1_400_004


def test_an_exit_that_cannot_be_written_down_is_told(small: Path) -> None:
    root = small / "node"
    with running(root) as (_, peer):
        start(peer, a_spec("j.1", "sh", "-c", "while ! test -e go; do sleep 0.01; done; exit 3"))
        go = _work(root) / "go"
        go.parent.joinpath("not-yet").touch()
        _fill(small)
        go.parent.joinpath("not-yet").rename(go)
        assert peer.wait("exited")["exit_code"] == 3
        peer.wait("gone")
        assert peer.ask("ping") == {}


def _work(root: Path) -> Path:
    return root / "attempts" / "j.1" / "work"


def _wait_for_dropping(logs: Path) -> None:
    """Until the disk is full and everything that was written so far has been taken in."""

    def full() -> bool:
        room = os.statvfs(logs)
        return room.f_bavail == 0

    until(full, what="a full disk")
