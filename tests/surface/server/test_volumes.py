"""Data sets on a real instance: pushed, seen by every rank, kept by nodes, pushed from inside a rank."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance, start

import gigawatt as gw
from tests.surface.server.jobs import python, read, submit, wait_phase
from tests.waiting import until

pytestmark = pytest.mark.slow

READ = """
import json, os, pathlib
import gigawatt as gw
place = pathlib.Path(os.environ["GIGAWATT_DATA_CORPUS"])
assert gw.data_dir("corpus") == place
assert place.samefile("in/corpus"), "the link is in the working directory"
found = {p.relative_to(place).as_posix(): p.read_text() for p in place.rglob("*") if p.is_file()}
modes = sorted({oct(p.stat().st_mode & 0o777) for p in place.rglob("*")})
print(json.dumps({"files": found, "modes": modes, "at": str(place.resolve())}))
"""
PUSH = """
import os, pathlib, gigawatt as gw
out = pathlib.Path("made"); out.mkdir(exist_ok=True)
(out / "part.txt").write_text("made by rank " + os.environ["RANK"])
print(gw.data.push("derived", out, message="from a rank")["ref"])
"""
FILES = {"a.txt": "one", "train/b.txt": "two"}


def directory(place: Path, files: dict[str, str] = FILES) -> Path:
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


def output(instance: Instance, job: dict[str, str], rank: int = 0) -> str:
    with gw.Client(data=instance.data) as client:
        return b"".join(client.job(job["id"]).logs(rank=rank)).decode()


def test_every_rank_sees_the_version_and_nodes_keep_it(
    instance: Instance, api: Api, tmp_path: Path
) -> None:
    with gw.Client(data=instance.data) as client:
        version = client.volumes.push("corpus", directory(tmp_path / "corpus"))
    assert version["ref"] == "corpus:1"
    gang = {"nodes": 2, "ranks_per_node": 4, "cpus": 0.4}
    job = submit(api, python(READ), gang=gang, volumes={"corpus:1": "in/corpus"})
    view = wait_phase(api, job, "succeeded", "failed", timeout_s=60)
    assert view["phase"] == "succeeded", view
    told = [json.loads(output(instance, job, rank)) for rank in range(8)]
    assert all(each["files"] == FILES for each in told)
    assert all(each["modes"] == ["0o444", "0o555"] for each in told)
    nodes = view["attempts"][0]["nodes"]
    places = {str(instance.data.resolve() / "nodes" / node / "data") for node in nodes}
    assert {str(Path(each["at"]).parent) for each in told} == places
    work = instance.data / "nodes" / nodes[0] / "attempts" / f"{job['id']}.1" / "work"
    until(lambda: not work.exists() or None, what="the attempt's own directory to go")
    assert (Path(told[0]["at"]) / "a.txt").read_text() == "one"  # the link went, the data stayed


def test_a_gang_goes_where_its_data_is(instance: Instance, api: Api, tmp_path: Path) -> None:
    with gw.Client(data=instance.data) as client:
        client.volumes.push("near", directory(tmp_path / "near", {"n": "near"}))
    pinned = submit(api, python("print(1)"), gang={"nodes": 1, "cpus": 0.1}, volumes=["near"])
    first = wait_phase(api, pinned, "succeeded", "failed")["attempts"][0]["nodes"]
    for _ in range(3):
        again = submit(api, python("print(1)"), gang={"nodes": 1, "cpus": 0.1}, volumes=["near"])
        view = wait_phase(api, again, "succeeded", "failed")
        assert view["attempts"][0]["nodes"] == first


def test_what_is_in_the_way_of_a_mount_fails_the_job_with_a_reason(
    instance: Instance, api: Api, tmp_path: Path
) -> None:
    bundle = directory(tmp_path / "bundle", {"in/file.txt": "mine"})
    (bundle / "out").symlink_to("in")
    with gw.Client(data=instance.data) as client:
        client.volumes.push("clash", directory(tmp_path / "clash"))
        digest = client.artifacts.send_bundle(bundle).digest
    for path, said in (("in", "already has in"), ("out/data", "is in the way of out/data")):
        job = submit(api, python("print(1)"), bundle=digest, volumes={"clash": path})
        view = wait_phase(api, job, "failed", "succeeded")
        assert view["phase"] == "failed"
        assert said in view["message"], view["message"]
        assert view["attempts"][0]["charged_to"] == "user"


def test_the_example_does_what_its_guide_says(instance: Instance) -> None:
    program = Path(__file__).parents[3] / "examples" / "data-sets" / "tokens.py"
    done = subprocess.run(
        [sys.executable, str(program)],
        env=instance.environ(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, made, changed = done.stdout.splitlines()
    assert first == "pushed texts:1: 3 files"
    assert made.startswith('counts:1: {"cat": 1, "dog": 1')
    assert changed == "changed since texts:1: ['train/two.txt']"


def test_the_commands_go_from_a_directory_to_a_job_and_back(
    instance: Instance, tmp_path: Path
) -> None:
    texts = directory(tmp_path / "texts")
    assert instance.gw("data", "push", "cli", str(texts), "-m", "first").strip() == "cli:1"
    (texts / "a.txt").write_text("longer")
    diff = instance.gw("data", "diff", "cli", str(texts))
    assert diff.split() == ["~", "3", "B", "→", "6", "B", "a.txt"]
    assert instance.gw("data", "push", "cli", str(texts)).strip() == "cli:2"
    assert instance.gw("data", "ls", "cli:1").split() == [
        *("3", "B", "a.txt"),
        *("3", "B", "train/b.txt"),
    ]
    assert "cli:2" in instance.gw("data", "list")
    shown = instance.gw("data", "cli")
    assert "cli:1" in shown
    assert "first" in shown
    listed = json.loads(instance.gw("data", "show", "cli", "-o", "json"))
    assert [each["ref"] for each in listed["items"]] == ["cli:2", "cli:1"]
    ran = ("run", "--no-bundle", "--cpus", "0.1", "--volume", "cli:1:in", "--wait", "--", "cat")
    job = instance.gw(*ran, "in/a.txt").strip()
    assert instance.gw("logs", job).strip() == "one"
    instance.gw("data", "pull", "cli:1", str(tmp_path / "out"))
    assert (tmp_path / "out" / "a.txt").read_text() == "one"
    instance.gw("data", "delete", "cli:1", "--yes")
    instance.gw("data", "quota", "cli", "1GiB")
    assert json.loads(instance.gw("data", "show", "cli", "-o", "json"))["quota_bytes"] == 1 << 30


def test_a_rank_pushes_a_version_that_names_its_job(instance: Instance, api: Api) -> None:
    job = submit(api, python(PUSH), env={"XDG_CACHE_HOME": "cache"})
    assert wait_phase(api, job, "succeeded", "failed", timeout_s=60)["phase"] == "succeeded", (
        output(instance, job)
    )
    assert output(instance, job).strip() == "derived:1"
    with gw.Client(data=instance.data) as client:
        version = client.volumes.version("derived")
        assert (version["job"], version["attempt"]) == (job["id"], 1)
        fs = client.volumes.open("derived:1")
        assert fs.cat_file("part.txt") == b"made by rank 0"


def test_a_shared_directory_is_written_to_by_ranks_and_data_is_evicted(
    own_data: Path, connect: Callable[..., Api], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    (shared / "scratch").mkdir(parents=True)
    monkeypatch.setenv("GIGAWATT_VOLUME_ROOTS", str(shared))
    monkeypatch.setenv("GIGAWATT_DATA_BYTES_MAX", "5")
    instance = start(own_data)
    api = connect(instance)
    with gw.Client(data=instance.data) as client:
        client.volumes.create_path("scratch", str(shared / "scratch"))
        for name in ("old", "new"):
            client.volumes.push(name, directory(tmp_path / name, {"f": name}))
    write = "import os; open(os.environ['GIGAWATT_DATA_SCRATCH'] + '/out', 'a').write('x')"
    for name in ("old", "new"):
        job = submit(api, python(write), volumes=[name, "scratch:out:rw"])
        assert wait_phase(api, job, "succeeded", "failed")["phase"] == "succeeded", read(api, job)
        live = next(instance.data.glob("nodes/*/live"))
        until(lambda live=live: not any(live.iterdir()) or None, what="the attempt's release")
    assert (shared / "scratch" / "out").read_text() == "xx"
    kept = sorted(instance.data.glob("nodes/*/data/*/f"))
    assert [each.read_text() for each in kept] == ["new"]
