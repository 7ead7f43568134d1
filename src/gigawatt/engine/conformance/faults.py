"""Faults that an engine outlives: its control plane cut off in the middle, a supervisor killed, silence."""

import asyncio
from pathlib import Path

from gigawatt.clock import monotonic_s
from gigawatt.engine.conformance.bench import QUIET_S, Bench, check
from gigawatt.engine.conformance.report import UnsupportedError
from gigawatt.model.observation import (
    AttemptGone,
    LaunchFailed,
    NodeLost,
    RankExited,
    RankStarted,
)

CUT_AFTER_S = (0.0, 0.005, 0.02, 0.1, 0.3)  # into a launch
SILENT_S = 3.0
STOPPED_AFTER_S = (0.0, 0.01, 0.1)
LAUNCH_S = 60.0


async def cut_launch_is_made_whole(bench: Bench) -> str:
    """A control plane that ends in the middle of a launch: the next one launches again, and each rank runs once."""
    nodes = bench.nodes[:2]
    for after_s in CUT_AFTER_S:
        trace = bench.shared_directory() / "started"
        launch = bench.build("sh", "-c", f"echo $RANK >> {trace}; sleep 300", nodes=nodes)
        launching = asyncio.create_task(bench.launch(launch))
        await asyncio.sleep(after_s)
        launching.cancel()
        await asyncio.gather(launching, return_exceptions=True)
        await bench.restart()
        key = await bench.launch(launch)
        await bench.wait(RankStarted, key=key, count=len(nodes), within_s=LAUNCH_S)
        await asyncio.sleep(QUIET_S)
        ran = sorted(trace.read_text().split())
        wanted = [str(each.rank) for each in launch.placements]
        check(ran == wanted, f"cut after {after_s:g} s, ranks {ran} ran, not {wanted}")
        await bench.engine.stop(key, grace_s=0, epoch=bench.epoch)
        await bench.wait(AttemptGone, key=key)
    return f"cut {', '.join(f'{each * 1000:g}' for each in CUT_AFTER_S)} ms into a launch"


async def stop_during_a_launch_leaves_nothing(bench: Bench) -> str:
    """A stop that comes while a launch is under way ends it, whichever of the two comes through first."""
    for after_s in STOPPED_AFTER_S:
        beat = bench.shared_directory() / "beat"
        script = f"while :; do date +%s%N > {beat}; sleep 0.05; done"
        launch = bench.build("sh", "-c", script, nodes=bench.nodes[:2])
        launching = asyncio.create_task(bench.launch(launch))
        await asyncio.sleep(after_s)
        key = bench.key_of(launch)
        await bench.engine.stop(key, grace_s=0, epoch=bench.epoch)
        await launching
        if after_s == 0:  # it may have come first, and then found nothing
            await bench.engine.stop(key, grace_s=0, epoch=bench.epoch)
        await bench.wait(AttemptGone, LaunchFailed, key=key, within_s=LAUNCH_S)
        before = await asyncio.to_thread(_content, beat)
        await asyncio.sleep(QUIET_S)
        after = await asyncio.to_thread(_content, beat)
        check(before == after, f"stopped {after_s:g} s into its launch, it still runs")
    return f"stopped {', '.join(f'{each * 1000:g}' for each in STOPPED_AFTER_S)} ms into a launch"


async def killed_supervisor_loses_its_ranks_alone(bench: Bench) -> str:
    """The ranks of a supervisor that is killed are told to be lost; the others run on until they are stopped."""
    kill = bench.faults.kill_supervisor
    if kill is None:
        raise UnsupportedError("no way to kill a supervisor was given")
    nodes = bench.two_nodes()
    key = await bench.launch(bench.build("sleep", "300", nodes=nodes))
    await bench.wait(RankStarted, key=key, count=2)
    begun_s = monotonic_s()
    await kill(bench.engine, nodes[1])
    exited = await bench.wait(RankExited, key=key)
    took_s = monotonic_s() - begun_s
    check(exited.rank == 1 and exited.lost, f"told as {exited}")
    await bench.stays_quiet(RankExited, key)
    await bench.engine.stop(key, grace_s=5, epoch=bench.epoch)
    other = await bench.wait(RankExited, key=key, count=2)
    check(other.rank == 0 and not other.lost, f"told as {other}")
    await bench.wait(AttemptGone, key=key)
    return f"told {took_s:.3f} s after the kill; the other rank stopped when asked"


async def silence_is_no_death(bench: Bench) -> str:
    """While what the engine asks does not answer, nothing is told to be lost; then it goes on as before."""
    if bench.faults.silence is None or bench.faults.speak is None:
        raise UnsupportedError("no way to silence the engine was given")
    node = bench.nodes[0]
    key = await bench.launch(bench.build("sleep", "300", nodes=(node,)))
    started = await bench.wait(RankStarted, key=key)
    await bench.faults.silence(bench.engine, node)
    try:
        await asyncio.sleep(SILENT_S)
    finally:
        await bench.faults.speak(bench.engine, node)
    told = [seen for seen in bench.seen if isinstance(seen, NodeLost | RankExited | AttemptGone)]
    check(not told, f"in {SILENT_S:g} s of silence it told {told}")
    await bench.launch(bench.build("true", nodes=(node,)))
    await bench.engine.stop(key, grace_s=5, epoch=bench.epoch)
    exited = await bench.wait(RankExited, key=key)
    check(exited.asked and not exited.lost, f"told as {exited}")
    await bench.wait(AttemptGone, key=key)
    return f"{SILENT_S:g} s of silence, and rank 0 with pid {started.pid} ran on"


def _content(beat: Path) -> str:
    return beat.read_text() if beat.exists() else ""
