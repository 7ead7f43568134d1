"""A real instance that keeps itself tidy: by its policies, and before its disk is full."""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.http import Api
from benchmarks.instance import start, stop

from tests.surface.server.jobs import python, submit, wait_phase, wait_running
from tests.waiting import until

pytestmark = pytest.mark.slow

SIZE = "64m"
OFTEN = {"GIGAWATT_RETENTION_EVERY_S": "1"}
SMALL = {
    **OFTEN,
    "GIGAWATT_DISK_FREE_MIN": "0",
    "GIGAWATT_DISK_FREE_SOFT": str(6 << 20),
    "GIGAWATT_DISK_FREE_HARD": str(3 << 20),
}


@pytest.fixture
def told() -> Iterator[Callable[[dict[str, str]], None]]:
    """Settings for the instance that a test starts."""
    set_here: list[str] = []

    def tell(settings: dict[str, str]) -> None:
        os.environ.update(settings)
        set_here.extend(settings)

    yield tell
    for name in set_here:
        os.environ.pop(name, None)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A data directory on a file system of its own, of `SIZE`."""
    if os.geteuid() != 0:
        pytest.skip("a small file system can only be mounted by root")
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a tmpfs")
    yield place / "data"
    if (place / "data" / "instance.lock").exists():
        stop(place / "data")
    subprocess.run(["umount", "-l", str(place)], check=True)


def events(api: Api, *kinds: str) -> list[str]:
    query = "&".join(f"kind={kind}" for kind in kinds)
    status, page = api.call("GET", f"/v1/events?limit=1000&{query}")
    assert status == 200, page
    return [each["kind"] for each in page["items"]]


def test_by_its_policy_a_projects_ended_jobs_go_with_their_logs_and_live_ones_stay(
    own_data: Path,
    connect: Callable[..., Api],
    told: Callable[[dict[str, str]], None],
) -> None:
    told(OFTEN)
    api = connect(start(own_data))
    live = submit(api, python("import time; print('here', flush=True); time.sleep(600)"))
    wait_running(api, live)
    done = submit(api, python("print('words')"))
    wait_phase(api, done, "succeeded")
    status, _ = api.call("PUT", "/v1/projects/default/retention", {"jobs": "1s"})
    assert status == 200

    def gone() -> bool:
        status, _ = api.call("GET", f"/v1/jobs/{done['id']}")
        return status == 410

    until(gone, timeout_s=60, what="the ended job is removed")

    def logs_gone() -> bool:
        return not list((own_data / "nodes").glob(f"*/attempts/{done['id']}.*"))

    until(logs_gone, timeout_s=60, what="its logs are removed")
    assert list((own_data / "nodes").glob(f"*/attempts/{live['id']}.1/logs"))
    assert api.call("GET", f"/v1/jobs/{live['id']}")[1]["phase"] == "running"
    until(
        lambda: events(api, "retention.pruned"),
        what="the pass is told",
    )


def test_a_disk_that_fills_up_loses_caches_then_refuses_uploads_and_recovers(
    small: Path,
    connect: Callable[..., Api],
    told: Callable[[dict[str, str]], None],
) -> None:
    told(SMALL)
    api = connect(start(small))
    live = submit(api, python("import time; time.sleep(600)"))
    wait_running(api, live)
    cache = small / "bundles" / ("a" * 64)
    cache.mkdir(parents=True)
    (cache / "file").write_bytes(b"x" * 100_000)
    assert _upload(api, "before")[0] == 201
    ballast = small.parent / "ballast"
    _leave_free(ballast, 4 << 20)
    until(lambda: not cache.exists(), timeout_s=60, what="the cache is removed")
    until(lambda: events(api, "retention.disk_soft"), what="the level is told")
    assert _upload(api, "still taken")[0] == 201
    _leave_free(ballast, 2 << 20)
    status, problem = _upload(api, "too late")
    assert (status, problem["title"]) == (507, "The disk is full")
    status, problem = api.call("POST", "/v1/environments", {"kind": "uv", "requirements": ["six"]})
    assert status == 507, problem
    assert api.call("GET", f"/v1/jobs/{live['id']}")[1]["phase"] == "running"
    ballast.unlink()
    assert _upload(api, "too late")[0] == 201
    until(
        lambda: events(api, "retention.disk_well"),
        timeout_s=60,
        what="the disk is told to have room again",
    )


def _upload(api: Api, text: str) -> tuple[int, Any]:
    digest = "sha256:" + hashlib.sha256(json.dumps(text).encode()).hexdigest()
    return api.call("PUT", f"/v1/artifacts/{digest}?kind=file", text)


def _leave_free(ballast: Path, free_bytes: int) -> None:
    """Fill the disk but for so much."""
    usage = os.statvfs(ballast.parent)
    more = usage.f_bavail * usage.f_frsize - free_bytes
    with ballast.open("ab") as file:
        file.write(b"\0" * max(more, 0))
