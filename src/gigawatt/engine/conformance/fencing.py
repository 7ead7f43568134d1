"""Who may ask: the newest leader, of nodes that are there and take gangs."""

from gigawatt.engine.base import StaleEpochError
from gigawatt.engine.conformance.bench import Bench, check
from gigawatt.engine.conformance.report import CaseFailedError
from gigawatt.model.node import NodeState
from gigawatt.model.observation import AttemptGone, LaunchFailed, RankExited, RankStarted
from gigawatt.model.refusal import RefusalError


async def lower_epoch_is_refused(bench: Bench) -> str:
    """A deposed leader can neither launch nor stop nor release."""
    key = await bench.launch(bench.build("sleep", "300"))
    await bench.wait(RankStarted, key=key)
    late = bench.build("sleep", "300")
    old = bench.epoch - 1
    calls = {
        "launch": bench.engine.launch(late, epoch=old),
        "stop": bench.engine.stop(key, grace_s=0, epoch=old),
        "release": bench.engine.release(key, epoch=old),
    }
    for name, call in calls.items():
        try:
            await call
        except StaleEpochError:
            continue
        raise CaseFailedError(f"{name} with epoch {old} was taken after epoch {bench.epoch}")
    await bench.stays_quiet(RankExited, key)
    return f"launch, stop and release of epoch {old} refused after {bench.epoch}"


async def unknown_node_is_refused(bench: Bench) -> str:
    """Cordoning a node that is not there is refused, and a launch there fails: nothing is assumed."""
    try:
        await bench.engine.set_node("no-such-node", NodeState.CORDONED, "conformance")
    except (RefusalError, LookupError) as error:
        evidence = str(error)
    else:
        raise CaseFailedError("cordoning a node that is not there was taken")
    key = await bench.launch(bench.build("sleep", "300", nodes=("no-such-node",)))
    failed = await bench.wait(LaunchFailed, key=key)
    check(not failed.user, "placing is not the user's part")
    return evidence


async def cordoned_node_starts_nothing(bench: Bench) -> str:
    """A cordoned or draining node refuses launches until it is ready again."""
    node = bench.nodes[0]
    reasons: list[str] = []
    for state in (NodeState.CORDONED, NodeState.DRAINING):
        await bench.engine.set_node(node, state, "conformance")
        key = await bench.launch(bench.build("sleep", "300", nodes=(node,)))
        failed = await bench.wait(LaunchFailed, key=key)
        reasons.append(failed.reason)
    await bench.engine.set_node(node, NodeState.READY, "")
    key = await bench.launch(bench.build("true", nodes=(node,)))
    await bench.wait(AttemptGone, key=key)
    return "; ".join(reasons)
