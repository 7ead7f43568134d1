"""A lost node: noticed in time, and what ran there is told to be lost."""

from gigawatt.engine.conformance.bench import Bench, check
from gigawatt.engine.conformance.report import UnsupportedError
from gigawatt.model.observation import AttemptGone, NodeLost, NodeSeen, RankExited, RankStarted

BACK_S_MAX = 60.0
LOSE_HINT = "gw conformance --lose-node NODE --lose COMMAND --restore COMMAND says how"


async def lost_node_is_noticed(bench: Bench) -> str:
    """A node that is lost is told in the time that the engine states, and so are its ranks when it is back."""
    faults = bench.faults
    if faults.lose_node is None:
        raise UnsupportedError(f"no way to lose a node was given; {LOSE_HINT}")
    node = faults.node or bench.nodes[0]
    check(node in bench.nodes, f"there is no node {node}")
    key = await bench.launch(bench.build("sleep", "300", nodes=(node,)))
    await bench.wait(RankStarted, key=key)
    within_s = bench.engine.capabilities().node_lost_after_s
    before, begun_s = len(bench.seen), bench.now_s
    await faults.lose_node(bench, node)
    lost = await bench.wait(NodeLost, within_s=within_s, since=before)
    took_s = bench.now_s - begun_s
    check(lost.node == node, f"{lost.node} was told lost, not {node}")
    if faults.restore_node is not None:
        await faults.restore_node(bench, node)
    await bench.wait(NodeSeen, within_s=BACK_S_MAX, since=bench.seen.index(lost))
    exited = await bench.wait(RankExited, key=key)
    check(exited.lost, f"a rank of the lost node was told as {exited}")
    await bench.wait(AttemptGone, key=key)
    again = await bench.launch(bench.build("true", nodes=(node,)))
    await bench.wait(AttemptGone, key=again)
    return f"noticed in {took_s:.3f} s, of at most {within_s:g} s; back with its rank lost, and takes gangs"
