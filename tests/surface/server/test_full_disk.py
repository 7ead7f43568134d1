"""A disk that fills up under a running instance: writes are refused or wait, nothing acknowledged is lost."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import start, stop

from tests.surface.server.jobs import submit, wait_phase
from tests.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="a small file system can only be mounted by root"),
]

SIZE = "24m"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A data directory on a file system of its own, of `SIZE`."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a tmpfs")
    os.environ["GIGAWATT_DISK_FREE_MIN"] = "0"
    data = place / "data"
    yield data
    del os.environ["GIGAWATT_DISK_FREE_MIN"]
    if (data / "instance.lock").exists():
        stop(data)
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_refuses_writes_and_loses_none(
    small: Path, connect: Callable[..., Api]
) -> None:
    instance = start(small)
    api = connect(instance)
    kept = [submit(api, ["true"])["id"] for _ in range(3)]
    ballast = small.parent / "ballast"
    _fill(ballast)

    def refused() -> bool:
        try:
            status, _ = _try_submit(connect(instance, timeout_s=2))
        except TimeoutError:
            return False
        return status == 507

    until(refused, timeout_s=60, what="a write that is refused because the disk is full")
    ballast.unlink()

    def taken() -> str | None:
        status, job = _try_submit(connect(instance, timeout_s=10))
        return job["id"] if status == 201 else None

    kept.append(until(taken, timeout_s=60, what="a write that is taken again"))
    for job in kept:
        wait_phase(api, {"id": job}, "succeeded")


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65_536)
        except OSError:
            return


def _try_submit(api: Api) -> tuple[int, dict[str, str]]:
    body = {"name": "x" * 40, "command": ["true"] * 1_000, "gang": {"cpus": 0.1}}
    return api.call("POST", "/v1/jobs", body)
