"""What an index of places knows, what it leaves to the plain way, and how long it is kept."""

from dataclasses import replace

import numpy as np

from gigawatt.model.node import Node, NodeState
from gigawatt.scheduler.ask import Ask, Demand
from gigawatt.scheduler.encode import Encoder
from gigawatt.scheduler.fabric import EVERYWHERE, fabric_of
from gigawatt.scheduler.index import Index, Memo
from gigawatt.scheduler.snapshot import NONE, NodeColumns
from gigawatt.scheduler.states import NOWHERE, States
from tests.scenario.build import NOW_MS, make_node

RACK, LEAF = 4, 2  # levels
WHOLE = Demand(milli_gpu=4000, milli_cpu=1000, memory_bytes=0)
ASK = Ask(demand=WHOLE, nodes_min=2, nodes_max=2, same=RACK, kinds=(), avoid=(), windows=())


def encoded(*nodes: Node) -> tuple[Encoder, NodeColumns]:
    encoder = Encoder(indexed_from=1)
    for node in nodes:
        encoder.apply(node)
    return encoder, encoder.snapshot(NOW_MS).nodes


def racks(count: int = 2, size: int = 3) -> list[Node]:
    return [
        make_node(f"n{rack}-{place}", gpus=4, cpus=8, place=f"s/h/p/l/r{rack}/r{rack}")
        for rack in range(count)
        for place in range(size)
    ]


def test_a_fabric_has_the_levels_at_which_nodes_stand_together() -> None:
    _, nodes = encoded(*racks())
    fabric = fabric_of(nodes)
    assert fabric is not None
    assert fabric.levels[RACK].rows(1).tolist() == [3, 4, 5]
    assert fabric.members_DM.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert fabric.levels[EVERYWHERE].domains == 1


def test_a_topology_that_is_known_in_parts_only_has_no_index() -> None:
    _, nodes = encoded(*racks(), make_node("other", gpus=4, cpus=8, place="s/h/p/l"))
    assert Index.of(nodes) is None


def test_nodes_in_one_state_share_a_code_and_taking_leads_to_another() -> None:
    _, nodes = encoded(*racks())
    states = States(nodes.device_free_ND.shape[1])
    codes = states.codes(nodes, np.arange(6))
    assert len(set(codes.tolist()) - {NOWHERE}) == 1
    half = Demand(milli_gpu=2000, milli_cpu=0, memory_bytes=0)
    after, devices = states.take(half, int(codes[0]))
    assert devices == (0, 1)
    assert states.take(half, after)[1] == (2, 3)
    assert states.fits_S(WHOLE, None, 0).tolist() == [False, True, False, False]


def test_the_fuller_rack_is_taken_and_what_was_taken_is_not_found_again() -> None:
    _, nodes = encoded(*racks())
    index = Index.of(nodes)
    assert index is not None
    index.take(WHOLE, np.array([3]))
    assert found(index, ASK) == [4, 5]
    index.take(WHOLE, np.array([4, 5]))
    assert found(index, ASK) == [0, 1]
    index.take(WHOLE, np.array([0, 1]))
    assert index.find(ASK) is None


def test_what_is_rebased_is_as_the_nodes_are_now() -> None:
    encoder, nodes = encoded(*racks())
    index = Index.of(nodes)
    assert index is not None
    index.take(WHOLE, np.array([0, 1, 2]))
    for node in racks()[3:]:
        encoder.apply(replace(node, state=NodeState.CORDONED))
    index.rebase(encoder.snapshot(NOW_MS).nodes, [np.array([3, 4, 5])])
    assert found(index, ASK) == [0, 1]


def test_what_looks_at_more_than_room_is_left_to_the_plain_way() -> None:
    _, nodes = encoded(*racks())
    index = Index.of(nodes)
    assert index is not None
    assert index.answers(ASK) and index.answers(replace(ASK, same=NONE))
    assert not index.answers(replace(ASK, avoid=("n0-0",)))
    assert not index.answers(replace(ASK, stacked=True))
    assert not index.answers(replace(ASK, data=(("sha256:1", 5),)))
    nothing = Demand(milli_gpu=0, milli_cpu=0, memory_bytes=0)
    assert not index.answers(replace(ASK, demand=nothing))


def test_an_index_is_kept_until_nodes_come_or_go() -> None:
    encoder, nodes = encoded(*racks())
    first = encoder.memo.lend(nodes)
    encoder.apply(replace(racks()[0], state=NodeState.DOWN))
    assert encoder.memo.lend(encoder.snapshot(NOW_MS).nodes) is first
    encoder.apply(make_node("new", gpus=4, cpus=8, place="s/h/p/l/r1/r1"))
    assert encoder.memo.lend(encoder.snapshot(NOW_MS).nodes) is not first


def test_where_there_is_none_there_may_be_one_once_nodes_are_others() -> None:
    encoder, nodes = encoded(*racks(), make_node("other", gpus=4, cpus=8, place="s/h/p/l"))
    assert [encoder.memo.lend(nodes), encoder.memo.lend(nodes)] == [None, None]
    encoder.remove_node("other")
    assert encoder.memo.lend(encoder.snapshot(NOW_MS).nodes) is not None


def test_few_nodes_have_none() -> None:
    _, nodes = encoded(*racks())
    assert Memo(nodes_min=7).lend(nodes) is None


def found(index: Index, ask: Ask) -> list[int]:
    rows = index.find(ask)
    assert rows is not None
    return rows.tolist()
