"""Nodes of a Ray cluster that do not see the control plane's file system: what they are sent, and what comes back."""

import asyncio
import hashlib
import io
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gigawatt.model.checkpoint import Candidate
from gigawatt.model.node import NodeState
from gigawatt.model.observation import AttemptGone, CheckpointSaved, LaunchFailed
from gigawatt.model.volume import Mount
from tests.contract.engine.ray_bench import leading
from tests.ray_cluster import RayCluster, running_ray

pytestmark = pytest.mark.slow

USES = """
echo $(wc -c < $GIGAWATT_MODEL_PATH/weights) $(cat tree/a/words) $(python -c 'print(6 * 7)') $(stat -c %i $GIGAWATT_MODEL_PATH)
"""
SAVES = """
import os, socket
import gigawatt as gw
rank, meets = os.environ["RANK"], (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
place = gw.checkpoint_dir() / "step-5"
if rank == "0":
    listener = socket.create_server(meets)
place.mkdir()
(place / f"of-{rank}").write_text("saved by " + os.environ["GIGAWATT_NODE"])
if rank == "0":
    listener.accept()  # the other one has written
    gw.checkpoint(step=5, path=place)
while rank == "1":
    try:
        socket.create_connection(meets).close()
        break
    except ConnectionRefusedError:
        pass
"""


@pytest.fixture(scope="module")
def ray() -> Iterator[RayCluster]:
    """One node that sees our files, and two that do not."""
    with running_ray("n1") as cluster:
        for name in ("n3", "n4"):
            cluster.add(name, far=True)
        cluster.wait_for_nodes()
        yield cluster


def test_a_node_without_the_file_system_is_sent_its_bundle_and_tells_its_logs(
    ray: RayCluster,
) -> None:
    archive, digest = _bundle(ray.base, {"main.sh": b"echo from the bundle; cat blob | wc -c"})

    async def story() -> None:
        async with leading(ray, archive) as bench:
            assert not bench.engine.capabilities().shared_filesystem
            for nodes in (("n3",), ("n1", "n3"), ("n3",)):
                key = await bench.run("sh", "main.sh", nodes=nodes, bundle=digest)
                for rank in range(len(nodes)):
                    text = await bench.output(key, rank)
                    assert text.split() == ["from", "the", "bundle", "3000000"]
            mount = Mount(volume="data", path="data", source=str(ray.data))
            refused = await bench.launch(bench.build("true", nodes=("n3",), volumes=(mount,)))
            why = await bench.wait(LaunchFailed, key=refused)
            assert "does not see the file system that volume data is on" in why.reason
            assert why.user
            await bench.engine.prepare("n3", (digest,))
            await bench.engine.set_node("n3", NodeState.READY, "")

    asyncio.run(story())
    (place,) = ray.base.glob("nodes/*/n3/bundles/*")
    assert place.name == digest.removeprefix("sha256:")


def test_nodes_without_the_file_system_have_environments_data_and_weights_once_each(
    ray: RayCluster,
) -> None:
    environment, weights = ray.data / "environments" / "e1", ray.data / "weights"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(sys.executable)
    weights.mkdir()
    (weights / "weights").write_bytes(os.urandom(5_000_000))
    tree = Mount(volume="tree", path="tree", digest="sha256:" + "ab" * 32, size_bytes=5)
    given: dict[str, Any] = {
        "environment": str(environment),
        "model_path": str(weights),
        "volumes": (tree,),
    }

    async def story() -> None:
        async with leading(ray) as bench:
            keys = [
                await bench.launch(bench.build("sh", "-c", USES, nodes=nodes, **given))
                for nodes in (("n3",), ("n3", "n4"), ("n1",))
            ]
            for key in keys:
                await bench.wait(AttemptGone, key=key)
            alone, both, near = [(await bench.output(key)).split() for key in keys]
            assert alone[:3] == both[:3] == near[:3] == ["5000000", "words", "42"]
            assert alone[3] == both[3]  # the second found what the first had been sent

    asyncio.run(story())
    sent = {place.parent.parent.name: place for place in ray.base.glob("nodes/*/*/trees/*")}
    assert set(sent) == {"n3", "n4"}


def test_a_checkpoint_on_the_disks_of_nodes_is_brought_back_and_sent_to_where_its_gang_goes_on(
    ray: RayCluster,
) -> None:
    within = ray.data / "work" / "job" / "checkpoints"

    async def story() -> None:
        async with leading(ray) as bench:
            given: dict[str, Any] = {"checkpoint_dir": str(within), "nodes": ("n3", "n4")}
            key = await bench.launch(bench.build(sys.executable, "-c", SAVES, **given))
            saved = (await bench.wait(CheckpointSaved, key=key)).checkpoint
            await bench.wait(AttemptGone, key=key)
            candidate = Candidate(checkpoint=saved, within=str(within))
            found = await bench.engine.check_checkpoint(candidate, contents=True)
            assert not found.fault
            assert _texts(Path(saved.path)) == {"of-0": "saved by n3", "of-1": "saved by n4"}
            resumes: dict[str, Any] = {
                **given,
                "resume_step": 5,
                "resume_path": saved.path,
                "nodes": ("n4",),
            }
            shown = await bench.run("sh", "-c", "cat $GIGAWATT_RESUME_PATH/*", **resumes)
            assert await bench.output(shown) == "saved by n3saved by n4"
            await bench.engine.remove_checkpoints(str(within), (saved.path,))
            left = await bench.run("sh", "-c", f"ls {within}", nodes=("n4",))
            assert await bench.output(left) == ""

    asyncio.run(story())


def _texts(place: Path) -> dict[str, str]:
    return {each.name: each.read_text() for each in place.iterdir()}


def _bundle(base: Path, files: dict[str, bytes]) -> tuple[Path, str]:
    """An archive of more than one part, and its digest."""
    path = base / "bundle.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {**files, "blob": os.urandom(3_000_000)}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path, f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
