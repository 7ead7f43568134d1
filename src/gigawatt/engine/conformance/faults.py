"""Faults that an engine outlives: its control plane cut off in the middle, a supervisor killed, silence."""

import asyncio
import signal
from pathlib import Path

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
DIES = "test $RANK = 1 || exec sleep 300; kill -KILL $$"
STOPPED_AFTER_S = (0.0, 0.01, 0.1)
LAUNCH_S = 60.0


async def cut_launch_is_made_whole(bench: Bench) -> str:
    """A control plane that ends in the middle of a launch: the next one launches again, and each rank runs once."""
    nodes = bench.nodes[:2]
    for after_s in CUT_AFTER_S:
        trace = bench.trace()
        launch = bench.build("sh", "-c", f"echo $RANK >> {trace}; sleep 300", nodes=nodes)
        launching = asyncio.create_task(bench.launch(launch))
        await asyncio.sleep(after_s)
        launching.cancel()
        await asyncio.gather(launching, return_exceptions=True)
        await bench.restart()
        key = await bench.launch(launch)
        await bench.wait(RankStarted, key=key, count=len(nodes), within_s=LAUNCH_S)
        await asyncio.sleep(QUIET_S)
        ran = sorted(seen.rank for seen in bench.told(RankStarted, key))
        if trace is not None:
            ran = sorted(map(int, trace.read_text().split()))
        wanted = [each.rank for each in launch.placements]
        check(ran == wanted, f"cut after {after_s:g} s, ranks {ran} ran, not {wanted}")
        await bench.engine.stop(key, grace_s=0, epoch=bench.epoch)
        await bench.wait(AttemptGone, key=key)
    return f"cut {', '.join(f'{each * 1000:g}' for each in CUT_AFTER_S)} ms into a launch"


async def stop_during_a_launch_leaves_nothing(bench: Bench) -> str:
    """A stop that comes while a launch is under way ends it, whichever of the two comes through first."""
    for after_s in STOPPED_AFTER_S:
        beat = bench.trace()
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
        before = await _traces(bench, beat)
        await asyncio.sleep(QUIET_S)
        check(
            before == await _traces(bench, beat),
            f"stopped {after_s:g} s into its launch, it still runs",
        )
    return f"stopped {', '.join(f'{each * 1000:g}' for each in STOPPED_AFTER_S)} ms into a launch"


async def killed_rank_is_told_alone(bench: Bench) -> str:
    """Of a gang one rank is killed: that is told, with the signal, and the others run on until they are stopped."""
    nodes = bench.nodes[:2]
    launch = bench.build("sh", "-c", DIES, nodes=(nodes[0], nodes[-1]))
    key = await bench.launch(launch)
    exited = await bench.wait(RankExited, key=key)
    check((exited.rank, exited.signal) == (1, signal.SIGKILL), f"told as {exited}")
    check(not exited.lost and not exited.asked and not exited.oom, f"told as {exited}")
    await bench.stays_quiet(RankExited, key)
    await bench.engine.stop(key, grace_s=5, epoch=bench.epoch)
    other = await bench.wait(RankExited, key=key, count=2)
    check(other.rank == 0 and other.asked, f"told as {other}")
    await bench.wait(AttemptGone, key=key)
    return "rank 1 ended with signal 9, and rank 0 when it was asked to"


async def killed_supervisor_loses_its_ranks_alone(bench: Bench) -> str:
    """The ranks of a supervisor that is killed are told to be lost; the others run on until they are stopped."""
    kill = bench.faults.kill_supervisor
    if kill is None:
        raise UnsupportedError("no way to kill a supervisor was given")
    nodes = bench.two_nodes()
    key = await bench.launch(bench.build("sleep", "300", nodes=nodes))
    await bench.wait(RankStarted, key=key, count=2)
    begun_s = bench.now_s
    await kill(bench, nodes[1])
    exited = await bench.wait(RankExited, key=key)
    took_s = bench.now_s - begun_s
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
    await bench.faults.silence(bench, node)
    try:
        await asyncio.sleep(SILENT_S)
    finally:
        await bench.faults.speak(bench, node)
    told = [seen for seen in bench.seen if isinstance(seen, NodeLost | RankExited | AttemptGone)]
    check(not told, f"in {SILENT_S:g} s of silence it told {told}")
    await bench.launch(bench.build("true", nodes=(node,)))
    await bench.engine.stop(key, grace_s=5, epoch=bench.epoch)
    exited = await bench.wait(RankExited, key=key)
    check(exited.asked and not exited.lost, f"told as {exited}")
    await bench.wait(AttemptGone, key=key)
    return f"{SILENT_S:g} s of silence, and rank 0 with pid {started.pid} ran on"


async def _traces(bench: Bench, beat: Path | None) -> str:
    """Of ranks: what they wrote last, or where they are no programs how many were told to have started."""
    if beat is None:
        return str(sum(isinstance(seen, RankStarted) for seen in bench.seen))
    return await asyncio.to_thread(_content, beat)


def _content(beat: Path) -> str:
    return beat.read_text() if beat.exists() else ""
