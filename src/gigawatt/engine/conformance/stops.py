"""Stopping: all of a gang, in order, and nothing stays behind."""

import asyncio
import signal
from pathlib import Path

from gigawatt.engine.conformance.bench import Bench, check
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import AttemptGone, RankExited, RankStarted

GRACE_S = 0.5
BEAT = "while :; do date +%s%N > {file}; sleep 0.05; done"
BEAT_S = 0.5  # a beat that still comes would have come by then, several times


async def stop_is_idempotent(bench: Bench) -> str:
    """Stopping twice, after the end, and what never was, ends in AttemptGone and no error."""
    key = await bench.launch(bench.build("sleep", "300"))
    await bench.wait(RankStarted, key=key)
    for _ in range(2):
        await bench.engine.stop(key, grace_s=5, epoch=bench.epoch)
    exited = await bench.wait(RankExited, key=key)
    check(exited.asked, "the exit is not told to be asked for")
    await bench.wait(AttemptGone, key=key)
    before = len(bench.seen)
    await bench.engine.stop(key, grace_s=5, epoch=bench.epoch)
    await bench.wait(AttemptGone, key=key, since=before)
    unknown = AttemptKey(gang="conf-never-launched", attempt=1)
    await bench.engine.stop(unknown, grace_s=5, epoch=bench.epoch)
    await bench.wait(AttemptGone, key=unknown)
    check(len(bench.told(RankExited, key)) == 1, "the exit was told more than once")
    return "stopped twice, once more after the end, and an unknown one"


async def stop_escalates_after_grace(bench: Bench) -> str:
    """A rank that ignores SIGTERM is killed after the grace, and not before."""
    key = await bench.launch(bench.build("sh", "-c", "trap '' TERM; echo set; sleep 300"))
    await bench.wait(RankStarted, key=key)
    if bench.programs:
        await bench.wait_for_output(key, "set")
    asked_s = bench.now_s
    await bench.engine.stop(key, grace_s=GRACE_S, epoch=bench.epoch)
    exited = await bench.wait(RankExited, key=key)
    took_s = bench.now_s - asked_s
    check(exited.signal == signal.SIGKILL, f"it ended with {exited}")
    check(took_s >= GRACE_S, f"it was killed after {took_s:.2f} s of a grace of {GRACE_S} s")
    check(took_s < GRACE_S + 5, f"it was killed only after {took_s:.2f} s")
    return f"killed {took_s - GRACE_S:.3f} s after the grace of {GRACE_S} s"


async def nothing_outlives_its_gang(bench: Bench) -> str:
    """A daemon that a rank started and left is gone when the attempt is."""
    beat = bench.shared_directory() / "beat"
    script = f"(setsid sh -c '{BEAT.format(file=beat)}' >/dev/null 2>&1 &) ; "
    script += f"while ! test -e {beat}; do sleep 0.01; done"
    await bench.run("sh", "-c", script)
    await _is_still(beat)
    return "a daemon in a session of its own ended with its gang"


async def nothing_outlives_a_stop(bench: Bench) -> str:
    """Stopping ends children, grandchildren and daemons that ignore SIGTERM."""
    directory = bench.shared_directory()
    parts = [
        f"sh -c '{BEAT.format(file=directory / 'child')}' &",
        f"(setsid sh -c 'trap \"\" TERM; {BEAT.format(file=directory / 'daemon')}' &)",
        f"(env -i PATH=$PATH setsid sh -c '{BEAT.format(file=directory / 'bare')}' &)",
        "sleep 300",
    ]
    key = await bench.launch(bench.build("sh", "-c", "\n".join(parts)))
    beats = [directory / name for name in ("child", "daemon", "bare")]
    deadline_s = bench.now_s + 10
    while not all(beat.exists() for beat in beats):
        check(bench.now_s < deadline_s, "the rank's children did not start")
        await asyncio.sleep(0.01)
    await bench.engine.stop(key, grace_s=GRACE_S, epoch=bench.epoch)
    await bench.wait(AttemptGone, key=key)
    for beat in beats:
        await _is_still(beat)
    return "a child, a daemon deaf to SIGTERM and one without its environment ended"


async def _is_still(beat: Path) -> None:
    before = await asyncio.to_thread(beat.read_text)
    await asyncio.sleep(BEAT_S)
    after = await asyncio.to_thread(beat.read_text)
    check(after == before, f"{beat.name} still runs after AttemptGone")
