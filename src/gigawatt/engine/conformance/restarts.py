"""Restarts of the control plane: what runs goes on, what ended meanwhile is told, once."""

import asyncio

from gigawatt.engine.conformance.bench import Bench, check
from gigawatt.model.observation import AttemptGone, LaunchAccepted, RankExited, RankStarted

UNLED_S = 0.2  # nobody is there to be told


async def adoption_keeps_processes(bench: Bench) -> str:
    """Ranks outlive the control plane and are told with the same pids; launching again starts nothing."""
    launch = bench.build("sleep", "300", nodes=bench.nodes[:2])
    key = await bench.launch(launch)
    count = len(launch.placements)
    await bench.wait(RankStarted, key=key, count=count)
    before = {(seen.rank, seen.pid) for seen in bench.told(RankStarted, key)}
    begun_s = bench.now_s
    inventory = await bench.restart()
    took_ms = (bench.now_s - begun_s) * 1000
    after = {(seen.rank, seen.pid) for seen in bench.told(RankStarted, key)}
    check(key in inventory.attempts, "the attempt is not in the inventory")
    check(len(bench.told(LaunchAccepted, key)) == 1, "its launch is not retold")
    check(after == before, f"ranks {before} are {after} now")
    await bench.launch(launch)
    await bench.stays_quiet(RankStarted, key)
    await bench.engine.stop(key, grace_s=5, epoch=bench.epoch)
    await bench.wait(RankExited, key=key, count=count)
    await bench.wait(AttemptGone, key=key)
    return f"{count} ranks adopted with their pids in {took_ms:.0f} ms"


async def exit_while_nobody_leads_is_told(bench: Bench) -> str:
    """An exit that no control plane saw is told to the next, once."""
    flag = bench.trace()
    wait = f"while ! test -e {flag}; do sleep 0.02; done; exit 4"
    key = await bench.launch(bench.build("sh", "-c", wait))
    await bench.wait(RankStarted, key=key)
    await bench.engine.close()
    if flag is not None:
        flag.touch()
    await asyncio.sleep(UNLED_S)  # the next control plane may also come first
    await bench.restart()
    exited = await bench.wait(RankExited, key=key)
    check(exited.exit_code == 4 and not exited.lost, f"told as {exited}")
    await bench.wait(AttemptGone, key=key)
    await bench.stays_quiet(RankExited, key)
    check(len(bench.told(RankExited, key)) == 1, "the exit was told more than once")
    return "exit code 4, told after the restart"


async def released_attempts_are_not_told(bench: Bench) -> str:
    """What is on record is forgotten: the next control plane does not hear of it."""
    key = await bench.run("true")
    inventory = await bench.restart()
    check(key in inventory.attempts, "an ended attempt was forgotten before its release")
    await bench.engine.release(key, epoch=bench.epoch)
    await bench.engine.release(key, epoch=bench.epoch)
    inventory = await bench.restart()
    check(key not in inventory.attempts, "a released attempt is in the inventory")
    check(not bench.told(RankExited, key), "a released attempt's exit was told")
    return "told until the release, not after it"
