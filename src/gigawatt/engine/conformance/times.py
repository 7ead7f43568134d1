"""Time: nodes whose clocks are wrong."""

from itertools import pairwise

from gigawatt.clock import now_ms
from gigawatt.engine.conformance.bench import Bench, check
from gigawatt.model.observation import (
    AttemptGone,
    CheckpointSaved,
    RankExited,
    RankProgress,
    RankStarted,
)

MOMENT_MS = 3_000  # in which clocks may differ, and messages be on their way
PROGRAM = """
import os, time
import gigawatt as gw
gw.report(step=7)
path = os.path.join(os.environ["GIGAWATT_CHECKPOINT_DIR"], "step-7")
open(path, "a").close()
gw.checkpoint(step=7, path=path)
print(time.time_ns() // 1_000_000)
"""


async def times_are_the_leaders(bench: Bench) -> str:
    """Whatever a node's clock says, what happened there is told in the leader's time, and in its order."""
    directory, nodes = bench.shared_directory(), bench.nodes[:2]
    launch = bench.build("python3", "-c", PROGRAM, nodes=nodes, checkpoint_dir=str(directory))
    before_ms = now_ms()
    key = await bench.launch(launch)
    gone = await bench.wait(AttemptGone, key=key)
    after_ms = now_ms()
    off_ms = 0
    for rank in range(len(nodes)):
        started = next(seen for seen in bench.told(RankStarted, key) if seen.rank == rank)
        told = next(seen for seen in bench.told(RankProgress, key) if seen.rank == rank)
        saved = next(seen for seen in bench.told(CheckpointSaved, key) if seen.rank == rank)
        exited = next(seen for seen in bench.told(RankExited, key) if seen.rank == rank)
        own = (told.progress.at_ms, saved.checkpoint.at_ms)
        times = (before_ms, started.at_ms, *own, exited.at_ms, gone.at_ms, after_ms)
        early_ms = max(here - then for here, then in pairwise(times))
        check(early_ms <= MOMENT_MS, f"rank {rank}: something is {early_ms} ms early in {times}")
        host_ms = int(await bench.output(key, rank))
        off_ms = max(off_ms, abs(host_ms - exited.at_ms))
    return f"a host's clock is up to {off_ms / 1000:.1f} s off, and what it tells is not"
