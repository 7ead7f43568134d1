"""What gigawatt adds to Slurm: submit to running against plain sbatch, and many gangs to their end.

Needs root and the Debian packages slurm-wlm, munge, slurmrestd and slurm-wlm-jwt-plugin: it starts a Slurm cluster of its own. Times are by the wall
clock, for most of it is other processes' work; both sides run in turns, on the same cluster.
"""

import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure
from benchmarks.http import Api
from benchmarks.instance import start, stop
from tests.slurm_cluster import SlurmCluster, running_slurm

TURNS = 10
GANGS = int(os.environ.get("GIGAWATT_BENCH_GANGS", "1000"))
ROUNDS = 10  # turns of each way
SUBMITTERS = 1  # sbatch is called one after another, as a script does
WAIT_S = 600.0


def run() -> list[Figure]:
    with running_slurm() as cluster, tempfile.TemporaryDirectory(prefix="gigawatt-") as folder:
        ways = {"": "", ", by REST": cluster.start_rest()}
        apis: dict[str, Api] = {}
        try:
            for number, (way, url) in enumerate(ways.items()):
                data = Path(folder) / f"data-{number}"
                settings = {"GIGAWATT_ENGINE": "slurm", "GIGAWATT_SLURM_REST": url}
                os.environ.update({**cluster.environ, **settings})
                apis[way] = Api(start(data))
            return [
                *_starts(cluster, apis[""], Path(folder)),
                *_throughput(cluster, apis, Path(folder)),
            ]
        finally:
            for number, api in enumerate(apis.values()):
                api.close()
                stop(Path(folder) / f"data-{number}")


def _starts(cluster: SlurmCluster, api: Api, folder: Path) -> list[Figure]:
    """Submit to both ranks of a 2-node gang running, in turns."""
    plain: list[float] = []
    ours: list[float] = []
    for turn in range(TURNS):
        for times, start_one in ((plain, _plain_start), (ours, _our_start)):
            time.sleep(turn / TURNS)  # the controller looks at its queue once a second
            times.append(start_one(cluster, api, folder / f"{start_one.__name__}-{turn}"))
    before, after = median(plain), median(ours)
    return [
        Figure(what="sbatch to 2 ranks running, p50", value=before, unit="s", note="plain srun"),
        Figure(
            what="gigawatt submit to 2 ranks running, p50",
            value=after,
            unit="s",
            goal=1.2 * before + 0.2,
            note=f"{TURNS} turns, wall clock, 2 nodes with 8 GPUs each",
        ),
    ]


def _plain_start(cluster: SlurmCluster, _: Api, mark: Path) -> float:
    mark.mkdir()
    script = f"#!/bin/sh\nsrun sh -c 'touch {mark}/$SLURM_PROCID'\n"
    path = mark.with_suffix(".sh")
    path.write_text(script)
    began = time.monotonic()
    cluster.run(
        "sbatch", "-N2", "--ntasks-per-node=1", "--gres=gpu:8", "-o", "/dev/null", str(path)
    )
    took = _until_files(mark, 2) - began
    _drained(cluster)
    return took


def _our_start(cluster: SlurmCluster, api: Api, mark: Path) -> float:
    mark.mkdir()
    began = time.monotonic()
    _submit(api, f"touch {mark}/$RANK", nodes=2, gpus=8)
    took = _until_files(mark, 2) - began
    _wait_all(api)
    _drained(cluster)
    return took


def _throughput(cluster: SlurmCluster, apis: dict[str, Api], folder: Path) -> list[Figure]:
    """Gangs of one CPU, from the first submission to the last end, in turns with plain sbatch."""
    script = folder / "one.sh"
    script.write_text("#!/bin/sh\nexec /bin/true\n")
    count = GANGS // ROUNDS
    spent_s = dict.fromkeys(("plain", *apis), 0.0)
    for _ in range(ROUNDS):
        began = time.monotonic()
        for _ in range(count):
            cluster.run("sbatch", "-n1", "--mem=100", "-o", "/dev/null", str(script))
        _drained(cluster)
        spent_s["plain"] += time.monotonic() - began
        for way, api in apis.items():
            began = time.monotonic()
            for _ in range(count):
                _submit(api, "exec /bin/true", nodes=1, gpus=0)
            _wait_all(api)
            spent_s[way] += time.monotonic() - began
            _drained(cluster)
    rates = {way: count * ROUNDS / seconds for way, seconds in spent_s.items()}
    plain = rates.pop("plain")
    return [
        Figure(what="plain sbatch, jobs to their end", value=plain, unit="/s", note=f"{GANGS}"),
        *(
            Figure(
                what=f"gigawatt on Slurm{way}, gangs to their end",
                value=rate,
                unit="/s",
                goal=0.9 * plain,
                at_least=True,
                note=f"{GANGS} of one core that do nothing, in {ROUNDS} turns; wall clock",
            )
            for way, rate in rates.items()
        ),
    ]


def _submit(api: Api, script: str, *, nodes: int, gpus: int) -> None:
    body = {
        "name": "bench",
        "command": ["sh", "-c", script],
        "gang": {"nodes": nodes, "gpus": gpus, "cpus": 1},
    }
    status, job = api.call("POST", "/v1/jobs", body)
    assert status == 201, job


def _until_files(mark: Path, count: int) -> float:
    until = time.monotonic() + WAIT_S
    while len(os.listdir(mark)) < count:  # noqa: PTH208 - the cheapest look there is
        assert time.monotonic() < until, f"not {count} files in {mark}"
        time.sleep(0.002)
    return time.monotonic()


def _drained(cluster: SlurmCluster) -> None:
    """Until Slurm has no job any more."""
    while cluster.run("squeue", "-h", "-o", "%A"):
        time.sleep(0.05)


def _wait_all(api: Api) -> None:
    """Until no job of ours is live, looking at one page."""
    phases = "phase=queued&phase=starting&phase=running&phase=stopping"
    while True:
        status, page = api.call("GET", f"/v1/jobs?{phases}&limit=1")
        assert status == 200, json.dumps(page)
        if not page["items"]:
            return
        time.sleep(0.05)
