"""Files copied to ranks and back on a real instance, also when the copy is broken off."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from benchmarks.instance import Instance

from tests.surface.server.daily import gw
from tests.surface.server.jobs import View
from tests.surface.server.talking import started
from tests.waiting import until

pytestmark = pytest.mark.slow

BIG_BYTES = 300_000_000


def test_a_tree_is_copied_there_and_back(instance: Instance, job: View, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "run.sh").write_text("#!/bin/sh\n")
    (tree / "run.sh").chmod(0o750)
    (tree / "sub" / "data").write_bytes(os.urandom(3 << 20))
    (tree / "newest").symlink_to("sub/data")
    there = gw(instance, "cp", str(tree), f"{job['id']}:")
    assert there.returncode == 0, there.stderr
    assert "verified" in there.stderr
    back = gw(instance, "cp", f"{job['id']}:tree", str(tmp_path / "back"), "-o", "json")
    assert back.returncode == 0, back.stderr
    assert json.loads(back.stdout) == {
        "path": str(tmp_path / "back"),
        "entries": 5,
        "size_bytes": (3 << 20) + 10,
        "kept_bytes": 0,
    }
    assert subprocess.run(["diff", "-r", tree, tmp_path / "back"], check=False).returncode == 0
    assert (tmp_path / "back" / "newest").readlink() == Path("sub/data")
    assert (tmp_path / "back" / "run.sh").stat().st_mode & 0o777 == 0o750


def test_a_copy_that_cannot_be_says_why_and_leaves_nothing(
    instance: Instance, job: View, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    cases = [
        ((f"{job['id']}:nope", "."), "at the rank: there is no nope"),
        ((str(tmp_path / "nope"), f"{job['id']}:"), "there is no"),
        (
            (str(tmp_path / "file"), f"{job['id']}:no/such/place"),
            "at the rank: there is no directory",
        ),
        ((f"{job['id']}:a", f"{job['id']}:b"), "one of the two must be a path in a job"),
        (("a", "b"), "one of the two must be a path in a job"),
    ]
    for args, said in cases:
        done = gw(instance, "cp", *args, cwd=tmp_path)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


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
