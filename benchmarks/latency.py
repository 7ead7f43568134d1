"""From a submission to the rank's process, and to its first line in a followed log; and what peers take to the same.

Peers are installed into an environment of their own the first time, and left out with a word where that fails.
"""

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figures import Figure, percentile
from benchmarks.http import Api
from benchmarks.instance import Instance, running

RUNS = 50
PEER_RUNS = 20
PEERS = Path(__file__).parent / "results" / "peers-venv"
PEER_PACKAGES = ("torchx==0.7.0", "submitit==1.5.4")


def run() -> list[Figure]:
    with running() as instance:
        api = Api(instance)
        _one(instance, api)
        samples = [_one(instance, api) for _ in range(RUNS)]
    started = [sample[0] for sample in samples]
    lines = [sample[1] for sample in samples]
    return [
        Figure(
            what="submit to rank running, p50",
            value=percentile(started, 50),
            unit="s",
            goal=0.2,
            note=f"{RUNS} times, p99 {percentile(started, 99):.3f} s; the rank's own start time",
        ),
        Figure(
            what="submit to first line in the followed log, p50",
            value=percentile(lines, 50),
            unit="s",
            goal=0.4,
            note=f"p99 {percentile(lines, 99):.3f} s",
        ),
        *_peers(),
    ]


def _one(instance: Instance, api: Api) -> tuple[float, float]:
    """Seconds to the process and to its first line, for one job that prints when it started."""
    body = {
        "name": "latency",
        "command": [sys.executable, "-Sc", "import time; print(time.time(), flush=True)"],
        "gang": {"cpus": 0.1},
    }
    began, began_monotonic = time.time(), time.monotonic()
    status, job = api.call("POST", "/v1/jobs", body)
    assert status == 201, job
    line = _first_line(instance, job["id"])
    first_s = time.monotonic() - began_monotonic
    return float(line) - began, first_s


def _first_line(instance: Instance, job: str) -> str:
    """The first line of a followed log, over a connection of its own."""
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(instance.api_url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    headers = {"Authorization": f"Bearer {instance.token}"}
    connection.request("GET", f"/v1/jobs/{job}/logs?follow=true", headers=headers)
    reply = connection.getresponse()
    text = b""
    while not text.endswith(b"\n"):
        byte = reply.read(1)
        assert byte, f"the log ended after {text!r}"
        text += byte
    connection.close()
    return text.decode()


def _peers() -> list[Figure]:
    python = _peer_python()
    if python is None:
        return []
    figures: list[Figure] = []
    for name, script in (("TorchX local_cwd", TORCHX), ("submitit local", SUBMITIT)):
        done = subprocess.run(
            [str(python), "-c", script, str(PEER_RUNS)],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode:
            print(f"{name} left out: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
            continue
        started, lines = (
            [float(word) for word in row.split()] for row in done.stdout.splitlines()[-2:]
        )
        figures.append(
            Figure(
                what=f"  peer: {name}, submit to process",
                value=percentile(started, 50),
                unit="s",
                note=f"{PEER_RUNS} times; to its first line {percentile(lines, 50):.3f} s",
            )
        )
    return figures


def _peer_python() -> Path | None:
    python = PEERS / "bin" / "python"
    if python.exists():
        return python
    try:
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True, timeout=120)
        subprocess.run(
            [str(python), "-m", "pip", "install", "-q", *PEER_PACKAGES], check=True, timeout=300
        )
    except (subprocess.SubprocessError, OSError) as error:
        print(f"peers left out: {error}", file=sys.stderr)
        return None
    return python


SUBMITIT = """
import pathlib, sys, tempfile, time
import submitit

def work():
    print(time.time(), flush=True)
    return time.time()

started, lines = [], []
with tempfile.TemporaryDirectory() as folder:
    executor = submitit.LocalExecutor(folder=folder)
    for _ in range(int(sys.argv[1])):
        began = time.time()
        job = executor.submit(work)
        out = pathlib.Path(job.paths.stdout)
        while not (out.exists() and any(l[:1].isdigit() and "." in l and " " not in l.strip() for l in out.read_text().splitlines())):
            time.sleep(0.005)
        lines.append(time.time() - began)
        started.append(job.result() - began)
print(*started)
print(*lines)
"""

TORCHX = """
import io, contextlib, sys, time
from torchx.runner import get_runner
from torchx.specs import AppDef, Role

started, lines = [], []
with get_runner("bench") as runner:
    for _ in range(int(sys.argv[1])):
        role = Role(name="r", image="", entrypoint=sys.executable,
                    args=["-Sc", "import time; print(time.time(), flush=True)"], num_replicas=1)
        began = time.time()
        with contextlib.redirect_stdout(io.StringIO()):
            app = runner.run(AppDef(name="a", roles=[role]), scheduler="local_cwd")
        line = next(iter(runner.log_lines(app, "r", 0, should_tail=True)))
        lines.append(time.time() - began)
        started.append(float(line) - began)
        runner.wait(app, wait_interval=0.05)
print(*started)
print(*lines)
"""
