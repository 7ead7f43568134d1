"""Copies from and to a rank that were broken off, on a real instance."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance

from tests.surface.server.daily import end, gw, running
from tests.surface.server.jobs import View
from tests.surface.server.talking import started
from tests.waiting import until

pytestmark = pytest.mark.slow

BIG_BYTES = 300_000_000


@pytest.fixture
def job(instance: Instance, api: Api) -> Iterator[View]:
    """One that runs, with files of its own."""
    view = running(api)
    yield view
    end(api, view)


def arrived_bytes(place: Path) -> int:
    return sum(each.stat().st_size for each in place.rglob("*data") if each.is_file())


def test_a_large_copy_that_is_broken_off_goes_on_where_it_was(
    instance: Instance, job: View, tmp_path: Path
) -> None:
    fifo = tmp_path / "endless"
    script = f"mkfifo {fifo}; mkdir big; head -c {BIG_BYTES} /dev/urandom > big/data"
    assert gw(instance, "exec", job["id"], "--", "sh", "-c", script).returncode == 0
    with started(instance, "cp", f"{job['id']}:big", str(tmp_path / "big")) as process:
        until(lambda: arrived_bytes(tmp_path) > 30_000_000, what="a part of it")
        process.kill()
        process.wait()
    assert not (tmp_path / "big").exists()
    done = gw(instance, "cp", f"{job['id']}:big", str(tmp_path / "big"), "-o", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kept_bytes"] > 30_000_000
    assert sorted(each.name for each in tmp_path.iterdir()) == ["big", "endless"]
    with started(instance, "cp", str(tmp_path / "big"), f"{job['id']}:again") as process:
        until(lambda: there_bytes(instance, job) > 30_000_000, what="a part of it at the rank")
        process.kill()
    until(lambda: ".again.gw-copy-kept" in names(instance, job), what="what is kept at the rank")
    assert "again" not in names(instance, job).split()
    done = gw(instance, "cp", str(tmp_path / "big"), f"{job['id']}:again")
    assert done.returncode == 0, done.stderr
    assert "of it from before, verified" in done.stderr
    same = gw(instance, "exec", job["id"], "--", "diff", "-r", "big", "again")
    assert (same.returncode, ".gw-copy-" in names(instance, job)) == (0, False)


def there_bytes(instance: Instance, job: View) -> int:
    script = "cat .again.gw-copy-*/*/data | wc -c"
    said = gw(instance, "exec", job["id"], "--", "sh", "-c", script)
    return int(said.stdout or 0)


def names(instance: Instance, job: View) -> str:
    return gw(instance, "exec", job["id"], "--", "ls", "-A").stdout
