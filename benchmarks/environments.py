"""Environments: the same one twice, many who ask at once, PyTorch against pip, what a change costs.

PyTorch (GIGAWATT_BENCH_TORCH, default torch==2.13.0+cpu) and numpy come from where
the machine's pip configuration says; where it is not to be had, those figures are left out.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.figures import Figure, median
from benchmarks.instance import running
from gigawatt.build.contents import own_bytes
from gigawatt.build.environments import BuildFailedError, Built, EnvironmentBuilder, environment_id
from gigawatt.model.environment import EnvironmentKind, EnvironmentSpec
from gigawatt.sdk.client import Client

SMALL = ("six",)
TORCH = (os.environ.get("GIGAWATT_BENCH_TORCH", "torch==2.13.0+cpu"), "numpy")
ASKERS = 20
RUNS = 15


def run() -> list[Figure]:
    figures: list[Figure] = []
    with running(nodes=2) as instance, Client(instance.api_url, instance.token) as client:
        figures += [_many_at_once(client), _same_twice(client)]
    with tempfile.TemporaryDirectory(prefix="gigawatt-bench-") as folder:
        figures += _against_pip(Path(folder))
    return figures


def _same_twice(client: Client) -> Figure:
    """Asking for what is there, over HTTP, the write's commit included."""
    spec = {"kind": "uv", "requirements": list(SMALL)}
    client.environments.wait(client.environments.build(spec)["id"])
    times: list[float] = []
    for _ in range(RUNS):
        began = time.monotonic()
        view = client.environments.build(spec)
        times.append((time.monotonic() - began) * 1000)
        assert view["phase"] == "ready", view
    return Figure(what="the same environment again", value=median(times), unit="ms", goal=50)


def _many_at_once(client: Client) -> Figure:
    """Jobs that ask for one new environment; its builds, counted by its events."""
    body = {
        "command": ["python", "-c", "import six"],
        "gang": {"cpus": 0.01},
        "environment": {"kind": "uv", "requirements": list(SMALL)},
    }
    with ThreadPoolExecutor(ASKERS) as pool:
        asked = [{"name": f"ask-{at}", **body} for at in range(ASKERS)]
        jobs = list(pool.map(client.jobs.submit, asked))
    ids = {job.view["environment"] for job in jobs}
    for job in jobs:
        job.wait()
    page = client.events.page(subject=ids.pop(), kind=["environment.building"])
    note = f"{ASKERS} jobs at once, {len(ids) + 1} environment"
    return Figure(
        what="builds for all who ask", value=len(page["items"]), unit="", goal=1, note=note
    )


def _against_pip(folder: Path) -> list[Figure]:
    """A first build with an empty cache, then what is left to do for another place and for one more package."""
    root, cache = folder / "environments", folder / "cache"
    wanted = EnvironmentSpec(kind=EnvironmentKind.UV, requirements=TORCH)
    try:
        first, first_s = _built(root, cache, "one", wanted)
    except BuildFailedError as error:
        print(f"PyTorch is left out: {error.message.splitlines()[0]}")
        return []
    pip_s = _pip_s(folder / "pip")
    _, second_s = _built(folder / "other-node", cache, "one", wanted)
    more = EnvironmentSpec(kind=EnvironmentKind.UV, requirements=(*TORCH, *SMALL))
    changed, changed_s = _built(root, cache, "one", more)
    note = f"pip install into a fresh venv: {pip_s:.1f} s; {first.size_bytes >> 20} MiB"
    return [
        Figure(what="PyTorch, first build", value=first_s, unit="s", goal=pip_s * 1.1, note=note),
        Figure(what="PyTorch, on another node", value=second_s, unit="s", goal=2),
        Figure(what="PyTorch and one package more", value=changed_s, unit="s", goal=2),
        Figure(
            what="  of its bytes, new on the disk",
            value=100 * own_bytes(changed.path) / changed.size_bytes,
            unit="%",
            note="the others are links into the cache",
        ),
    ]


def _built(root: Path, cache: Path, tenant: str, spec: EnvironmentSpec) -> tuple[Built, float]:
    builder = EnvironmentBuilder(root, cache=cache)
    began = time.monotonic()
    built = asyncio.run(builder.build(environment_id(tenant, spec), spec))
    return built, time.monotonic() - began


def _pip_s(place: Path) -> float:
    """What a person would do instead, from the same wheels."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    command = [place / "bin" / "pip", "install", "--quiet", "--no-cache-dir", *TORCH]
    subprocess.run(command, check=True, capture_output=True)
    took = time.monotonic() - began
    shutil.rmtree(place)
    return took
