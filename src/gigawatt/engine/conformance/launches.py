"""Launching: a gang whole or not at all, once, and with what it was given."""

import asyncio

from gigawatt.engine.conformance.bench import QUIET_S, Bench, check
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.node import NodeState
from gigawatt.model.observation import AttemptGone, LaunchFailed, RankStarted

TELL = 'echo "$RANK $WORLD_SIZE $LOCAL_RANK $LOCAL_WORLD_SIZE $MASTER_ADDR:$MASTER_PORT"'


async def gang_starts_whole(bench: Bench) -> str:
    """Every rank of a gang starts, knows its place, and all agree on one rendezvous."""
    nodes = bench.nodes[:2]
    launch = bench.build("sh", "-c", TELL, nodes=nodes, ranks_per_node=2)
    begun_s = bench.now_s
    key = await bench.launch(launch)
    await bench.wait(RankStarted, key=key, count=len(launch.placements))
    took_ms = (bench.now_s - begun_s) * 1000
    await bench.wait(AttemptGone, key=key)
    size = len(launch.placements)
    told = sorted(seen.rank for seen in bench.told(RankStarted, key))
    check(told == list(range(size)), f"ranks {told} were told to have started")
    if bench.programs:
        await _knew_their_places(bench, launch)
    return f"{size} ranks on {len(nodes)} nodes ran {took_ms:.0f} ms after the launch"


async def gang_is_atomic(bench: Bench) -> str:
    """Where one node refuses, no rank of the gang starts on any other."""
    first, second = bench.two_nodes()
    trace = bench.trace()
    await bench.engine.set_node(second, NodeState.CORDONED, "conformance")
    try:
        launch = bench.build("sh", "-c", f"echo > {trace}", nodes=(first, second))
        key = await bench.launch(launch)
        failed = await bench.wait(LaunchFailed, key=key)
        await asyncio.sleep(QUIET_S)
    finally:
        await bench.engine.set_node(second, NodeState.READY, "")
    check(not bench.told(RankStarted, key), "a rank was told to have started")
    check(trace is None or not trace.exists(), "a rank of a failed launch ran")
    check(not failed.user, "a cordoned node is not the user's fault")
    return f"refused whole: {failed.reason}"


async def same_attempt_twice_starts_once(bench: Bench) -> str:
    """The same attempt launched twice, at once and again later, runs once."""
    trace = bench.trace()
    launch = bench.build("sh", "-c", f"echo $$ >> {trace}; echo there; sleep 300")
    await asyncio.gather(bench.launch(launch), bench.launch(launch))
    key = await bench.launch(launch)
    started = await bench.wait(RankStarted, key=key)
    if trace is not None:
        await bench.wait_for_output(key, "there")
    await asyncio.sleep(QUIET_S)
    pids = {seen.pid for seen in bench.told(RankStarted, key)}
    check(pids == {started.pid}, f"ranks with pids {pids} were told")
    if trace is not None:
        runs = trace.read_text().split()
        check(len(runs) == 1, f"it ran {len(runs)} times")
    return "three launches, one start"


async def command_not_found_is_the_users(bench: Bench) -> str:
    """A command that is not there fails the launch, and the fault is the user's."""
    key = await bench.launch(bench.build("gigawatt-no-such-command"))
    failed = await bench.wait(LaunchFailed, key=key)
    check(failed.user, f"charged to the machine: {failed.reason}")
    check("gigawatt-no-such-command" in failed.reason, f"it does not say what: {failed.reason}")
    return failed.reason


async def secrets_come_as_files(bench: Bench) -> str:
    """A secret is in a private file that its variable's name with _FILE points to, and in no environment."""
    bench.needs_programs()
    script = 'stat -c %a "$GIGAWATT_TOKEN_FILE"; cat "$GIGAWATT_TOKEN_FILE"; env'
    key: AttemptKey = await bench.run("sh", "-c", script, secrets=(("GIGAWATT_TOKEN", "s3cret-7"),))
    mode, rest = (await bench.output(key)).split("\n", 1)
    check(mode == "600", f"the file's mode is {mode}")
    check(rest.startswith("s3cret-7"), "the file does not hold the secret")
    check("s3cret-7" not in rest.removeprefix("s3cret-7"), "the secret is in the environment")
    return "mode 600, not in the environment"


async def _knew_their_places(bench: Bench, launch: Launch) -> None:
    size, key = len(launch.placements), bench.key_of(launch)
    lines = [(await bench.output(key, rank)).split() for rank in range(size)]
    wanted = [[str(each.rank), str(size), str(each.local_rank), "2"] for each in launch.placements]
    check([line[:4] for line in lines] == wanted, f"ranks saw {lines}")
    check(len({line[4] for line in lines}) == 1, f"ranks meet at different places: {lines}")
