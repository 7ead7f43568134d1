"""Nodes that their cluster closes: cordoned here with its reason, and opened there."""

from dataclasses import replace

import pytest

from gigawatt.model.node import Node, NodeState
from gigawatt.model.observation import NodeLost, NodeSeen
from gigawatt.model.refusal import RefusalError
from gigawatt.model.upkeep import ChangeNode
from tests.loop import Loop, a_spec
from tests.machines import a_report

REPORT = a_report("n1")
DIMM = "drained: bad dimm"


def node_of(loop: Loop) -> Node:
    return loop.world.nodes["n1"]


def seen(loop: Loop, closed: str) -> tuple[NodeState, str]:
    loop.step([NodeSeen(at_ms=loop.now_ms, report=replace(REPORT, closed=closed))])
    return node_of(loop).state, node_of(loop).reason


def change(loop: Loop, state: NodeState) -> None:
    loop.ask(ChangeNode(node="n1", state=state, reason="fan noise", by="ann"))


def test_a_closed_node_takes_no_gangs_until_its_cluster_opens_it() -> None:
    loop = Loop.of(REPORT)
    assert seen(loop, DIMM) == (NodeState.CORDONED, DIMM)
    assert loop.submit(a_spec()).attempt is None
    assert seen(loop, "") == (NodeState.READY, "")
    assert loop.job().attempt is not None
    assert [event.kind for event in loop.events if event.kind.startswith("node.")] == [
        "node.joined",
        "node.cordoned",
        "node.ready",
    ]


def test_a_new_reason_is_told() -> None:
    loop = Loop.of(REPORT)
    seen(loop, DIMM)
    assert seen(loop, "drained: two dimms") == (NodeState.CORDONED, "drained: two dimms")


def test_a_node_that_joins_closed_is_cordoned() -> None:
    loop = Loop.of(replace(REPORT, closed=DIMM))
    assert (node_of(loop).state, node_of(loop).reason) == (NodeState.CORDONED, DIMM)
    loop.later(5_000)
    assert loop.unaccounted() == 0


def test_what_a_person_cordoned_here_stays_so_when_its_cluster_opens_it() -> None:
    loop = Loop.of(REPORT)
    change(loop, NodeState.CORDONED)
    assert seen(loop, DIMM) == (NodeState.CORDONED, "fan noise")
    assert seen(loop, "") == (NodeState.CORDONED, "fan noise")


def test_what_its_cluster_has_closed_is_not_opened_here() -> None:
    loop = Loop.of(REPORT)
    seen(loop, DIMM)
    with pytest.raises(RefusalError, match="bad dimm"):
        change(loop, NodeState.READY)
    assert node_of(loop).state is NodeState.CORDONED


def test_a_lost_node_that_comes_back_closed_is_cordoned() -> None:
    loop = Loop.of(REPORT)
    loop.step([NodeLost(at_ms=loop.now_ms, node="n1", reason="gone")])
    assert seen(loop, DIMM) == (NodeState.CORDONED, DIMM)
