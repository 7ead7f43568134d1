"""`gw up --engine slurm` on a real Slurm cluster: gangs run there, and both sides agree on the nodes."""

import os
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance, found, start, stop

from tests.slurm_cluster import SlurmCluster, running_slurm
from tests.surface.server.jobs import View, python, read, submit, wait_phase, wait_running
from tests.waiting import until

pytestmark = pytest.mark.slow

TELL = "import os; print(os.environ['RANK'], os.environ['CUDA_VISIBLE_DEVICES'])"
LOST_S = 60.0
CORDON = {"state": "cordoned", "reason": "fan noise"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[SlurmCluster]:
    with running_slurm() as running:
        yield running


@pytest.fixture(scope="module")
def slurm(cluster: SlurmCluster) -> Iterator[Instance]:
    with an_instance(cluster) as instance:
        yield instance


@contextmanager
def an_instance(cluster: SlurmCluster, **settings: str) -> Generator[Instance]:
    """On the cluster."""
    ours = {**cluster.environ, "GIGAWATT_ENGINE": "slurm", **settings}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    with tempfile.TemporaryDirectory(prefix="gw-", ignore_cleanup_errors=True) as directory:
        data = Path(directory) / "data"
        try:
            yield start(data)
        finally:
            stop(data)
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


@pytest.fixture
def api(slurm: Instance) -> Iterator[Api]:
    client = Api(found(slurm.data))
    yield client
    client.close()


def node_of(api: Api, name: str) -> View:
    status, page = api.call("GET", "/v1/nodes")
    assert status == 200, page
    return next(node for node in page["items"] if node["id"] == name)


def state_is(api: Api, name: str, state: str) -> View:
    def look() -> View | None:
        node = node_of(api, name)
        return node if node["state"] == state else None

    return until(look, what=f"{name} {state}: {node_of(api, name)}")


def slurm_state(cluster: SlurmCluster, node: str) -> str:
    return cluster.run(
        "sinfo", "-h", "-N", "-p", "batch", "-n", node, "-O", "StateComplete:|,Reason:|"
    )


def completed(cluster: SlurmCluster, number: str) -> str | None:
    told = cluster.run("scontrol", "-o", "show", "job", number)
    return told if "JobState=COMPLETED" in told else None


def test_a_gang_gets_its_nodes_and_gpus_in_one_slurm_job(
    api: Api, cluster: SlurmCluster, slurm: Instance
) -> None:
    job = submit(api, python(TELL), gang={"nodes": 2, "gpus": 8, "cpus": 1})
    done = wait_phase(api, job, "succeeded", "failed")
    assert done["phase"] == "succeeded", done
    attempt = done["attempts"][0]
    (engine,) = [fact["detail"] for fact in attempt["evidence"] if fact["what"] == "engine"]
    number = engine.rsplit(maxsplit=1)[-1]
    told = until(lambda: completed(cluster, number), what="the Slurm job completed")
    assert "NumNodes=2" in told
    assert "Requeue=0" in told
    assert slurm.gw("logs", job["id"], "--rank", "1").split() == ["1", "0,1,2,3,4,5,6,7"]
    placed = until(lambda: node_of(api, attempt["nodes"][0]), what="the node")
    assert placed["topology"]["leaf"] in {"leaf1", "leaf2"}, placed


def test_a_drain_there_is_a_cordon_here_and_is_opened_there(
    api: Api, cluster: SlurmCluster
) -> None:
    cluster.run("scontrol", "update", "nodename=n4", "state=drain", "reason=bad dimm")
    node = state_is(api, "n4", "cordoned")
    assert "bad dimm" in node["reason"]
    status, problem = api.call("PUT", "/v1/nodes/n4/state", {"state": "ready"})
    assert status == 409, problem
    assert "bad dimm" in problem["detail"]
    cluster.run("scontrol", "update", "nodename=n4", "state=resume")
    state_is(api, "n4", "ready")


def test_a_cordon_here_is_a_drain_there_with_our_reason(api: Api, cluster: SlurmCluster) -> None:
    status, node = api.call("PUT", "/v1/nodes/n3/state", CORDON)
    assert status == 200, node
    until(lambda: "drain" in slurm_state(cluster, "n3"), what="a drain")
    assert "gigawatt: fan noise" in slurm_state(cluster, "n3")
    api.call("PUT", "/v1/nodes/n3/state", {"state": "ready"})
    until(lambda: "drain" not in slurm_state(cluster, "n3"), what="no drain")
    state_is(api, "n3", "ready")


def test_what_other_jobs_of_the_cluster_have_is_not_ours(api: Api, cluster: SlurmCluster) -> None:
    other = cluster.run(
        "sbatch", "--parsable", "-w", "n2", "--gres=gpu:6", "-c", "4", "-o", "/dev/null",
        "--wrap", "sleep 300",
    ).strip()  # fmt: skip
    try:
        until(lambda: len(node_of(api, "n2")["gpus"]) == 2, what="two GPUs of n2 left")
    finally:
        cluster.run("scancel", other)
    until(lambda: len(node_of(api, "n2")["gpus"]) == 8, what="all GPUs of n2 back")


def test_what_runs_is_adopted_by_the_next_control_plane(
    api: Api, slurm: Instance, cluster: SlurmCluster
) -> None:
    job = submit(api, ["sleep", "300"], gang={"nodes": 2, "gpus": 1})
    before = wait_running(api, job)
    slurm.kill()
    again = Api(start(slurm.data))
    slurm.pid = found(slurm.data).pid
    assert read(again, job)["attempts"] == [before]
    again.call("POST", f"/v1/jobs/{job['id']}/cancel")
    wait_phase(again, job, "cancelled")
    again.close()
    until(lambda: not cluster.run("squeue", "-h"), what="no job left in Slurm")


def test_by_slurmrestd_a_gang_runs_and_is_told(cluster: SlurmCluster) -> None:
    with an_instance(cluster, GIGAWATT_SLURM_REST=cluster.start_rest()) as instance:
        api = Api(found(instance.data))
        job = submit(api, python(TELL), gang={"nodes": 2, "gpus": 8, "cpus": 1})
        done = wait_phase(api, job, "succeeded", "failed")
        api.close()
        assert done["phase"] == "succeeded", done
        assert instance.gw("logs", job["id"], "--rank", "1").split() == ["1", "0,1,2,3,4,5,6,7"]
        log = (instance.data / "logs" / "control-plane.log").read_text()
        assert "eyJ" not in log  # how every JSON web token begins


def test_a_gang_whose_node_is_lost_runs_again_elsewhere(
    slurm: Instance, cluster: SlurmCluster
) -> None:
    api = Api(found(slurm.data))
    job = submit(api, ["sleep", "300"], gang={"nodes": 2, "gpus": 8}, retries={"infrastructure": 2})
    lost = wait_running(api, job)["nodes"][1]
    begun_s = time.monotonic()
    cluster.kill(lost)
    try:
        second = until(lambda: _second(api, job), timeout_s=LOST_S, what="a second attempt running")
    finally:
        cluster.start(lost)
    assert lost not in second["nodes"]
    assert time.monotonic() - begun_s < LOST_S
    first = read(api, job)["attempts"][0]
    assert first["verdict"] == "infrastructure"
    api.call("POST", f"/v1/jobs/{job['id']}/cancel")
    wait_phase(api, job, "cancelled")
    api.close()


def _second(api: Api, job: View) -> View | None:
    attempts = read(api, job)["attempts"]
    return attempts[1] if len(attempts) == 2 and attempts[1]["phase"] == "running" else None
