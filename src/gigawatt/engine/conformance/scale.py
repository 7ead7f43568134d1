"""Amounts: many ranks at once, and output without end."""

import asyncio

from gigawatt.engine.conformance.bench import LOG_BYTES, Bench, check
from gigawatt.model.observation import AttemptGone, RankExited, RankStarted

RANKS = 200
BY_RANK = "exit $((RANK % 7))"
LONG_S = 100.0
READ_BYTES = 1 << 20


async def two_hundred_ranks_start_and_end(bench: Bench) -> str:
    """A gang of 200 ranks starts whole, and each exit is told once."""
    nodes = bench.nodes[:2]
    each = RANKS // len(nodes)
    launch = bench.build("sh", "-c", BY_RANK, nodes=nodes, ranks_per_node=each)
    begun_s = bench.now_s
    key = await bench.launch(launch)
    await bench.wait(RankStarted, key=key, count=RANKS, within_s=LONG_S)
    took_s = bench.now_s - begun_s
    await bench.wait(AttemptGone, key=key, within_s=LONG_S)
    codes = {seen.rank: seen.exit_code for seen in bench.told(RankExited, key)}
    check(codes == {rank: rank % 7 for rank in range(RANKS)}, f"exit codes: {codes}")
    check(len(bench.told(RankExited, key)) == RANKS, "an exit was told more than once")
    return f"{RANKS} ranks on {len(nodes)} nodes ran {took_s:.2f} s after the launch"


async def huge_log_is_kept_to_its_limit(bench: Bench) -> str:
    """A gigabyte of output passes, or as much as was asked for, and what is kept of it stays within the limit."""
    bench.needs_programs()
    size = bench.huge_bytes
    key = await bench.launch(bench.build("sh", "-c", f"yes gigawatt | head -c {size}"))
    begun_s = bench.now_s
    await bench.wait(AttemptGone, key=key, within_s=LONG_S)
    took_s = bench.now_s - begun_s
    exited = bench.told(RankExited, key)[0]
    check(exited.exit_code == 0, f"told as {exited}")
    kept = offset = 0
    while True:
        chunk = await bench.engine.read_log(key, 0, "stdout", offset=offset, limit=READ_BYTES)
        kept += len(chunk.data)
        offset = chunk.offset + len(chunk.data)
        if chunk.end:
            break
        check(bool(chunk.data), "the log neither goes on nor ends")
        await asyncio.sleep(0)
    check(offset == size, f"it ends at {offset} of {size} bytes")
    check(kept <= LOG_BYTES * 1.3, f"{kept} bytes are kept of at most {LOG_BYTES}")
    return f"of {size} bytes in {took_s:.1f} s, {kept} are kept"
