"""10,000 files of 4 KiB as a data set by the API: all of them, then after one has changed, then back onto a disk.

Beside them `cp -r` of the same directory in the same round: it waits for no disk, proves nothing and keeps no records.
"""

import os
import shutil
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.figures import Figure, median
from benchmarks.instance import GW, Instance, running

FILES = 10_000
FILE_BYTES = 4_096
IN_ONE_DIRECTORY = 100
ROUNDS = 3
ALL, ONE, BACK, COPY = "push", "push after one has changed", "pull", "cp -r"


def run() -> list[Figure]:
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="gigawatt-bench-") as place, running() as instance:
        for number in range(ROUNDS):
            for name, seconds in _round(instance, Path(place), f"many-{number}"):
                taken.setdefault(name, []).append(seconds)
    return [
        Figure(
            what=f"{FILES:,} files of 4 KiB: {name}",
            value=median(times),
            unit="s",
            note="rounds: " + ", ".join(f"{each:.1f}" for each in times),
        )
        for name, times in taken.items()
    ]


def _round(instance: Instance, place: Path, name: str) -> list[tuple[str, float]]:
    """Files that the store has not seen, so that all are sent."""
    source, copy, out = place / name, place / "copy", place / "out"
    _fill(source)
    gw = partial(_timed, *GW, "data", environ=instance.environ())
    times = [(COPY, _timed("cp", "-r", str(source), str(copy)))]
    times.append((ALL, gw("push", name, str(source))))
    (source / "00" / "0.dat").write_bytes(os.urandom(FILE_BYTES))
    times.append((ONE, gw("push", name, str(source))))
    times.append((BACK, gw("pull", name, str(out))))
    shutil.rmtree(copy)
    shutil.rmtree(out)
    return times


def _fill(directory: Path) -> None:
    for number in range(FILES):
        file = directory / f"{number // IN_ONE_DIRECTORY:02d}" / f"{number}.dat"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(FILE_BYTES))


def _timed(*command: str, environ: dict[str, str] | None = None) -> float:
    begin = time.perf_counter()
    subprocess.run(command, env=environ, capture_output=True, check=True)
    return time.perf_counter() - begin
