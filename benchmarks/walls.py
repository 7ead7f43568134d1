"""What walls cost: the time from a launch to its first rank's end, with and without, one after another and in turn.

python benchmarks/walls.py [ROUNDS]
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from gigawatt.engine.conformance.bench import NO_FAULTS, Bench
from gigawatt.engine.local import LocalEngine, shut_down_supervisors
from gigawatt.engine.local.walls import probe_walls
from gigawatt.model.gang import Isolation
from gigawatt.model.observation import AttemptGone, RankStarted

ROUNDS = 20
RANKS = 8


async def measured(kind: Isolation, bench: Bench, ranks: int) -> float:
    """Milliseconds until all ranks run."""
    launch = bench.build("/bin/true", ranks_per_node=ranks, isolation=kind)
    began = time.perf_counter()
    key = await bench.launch(launch)
    await bench.wait(RankStarted, key=key, count=ranks)
    took = (time.perf_counter() - began) * 1e3
    await bench.wait(AttemptGone, key=key)
    return took


async def main(rounds: int) -> None:
    """Print medians."""
    with tempfile.TemporaryDirectory(prefix="gw-", ignore_cleanup_errors=True) as directory:
        data, rules = Path(directory), probe_walls()
        kinds = [each for each in Isolation if each is Isolation.NONE or each in rules.classes]
        bench = Bench(
            lambda: LocalEngine(data, walls=rules),
            faults=NO_FAULTS,
            epoch=1,
            scratch=data,
            tag="walls",
        )
        await bench.start("walls")
        took: dict[tuple[Isolation, int], list[float]] = {}
        for _ in range(rounds):
            for kind in kinds:
                for ranks in (1, RANKS):
                    took.setdefault((kind, ranks), []).append(await measured(kind, bench, ranks))
        await bench.finish()
        await shut_down_supervisors(data, grace_s=0)
    for (kind, ranks), all_ms in took.items():
        sys.stdout.write(
            f"{kind.value:8} {ranks} ranks: {statistics.median(all_ms):.1f} ms (best {min(all_ms):.1f})\n"
        )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
