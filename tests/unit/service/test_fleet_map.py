"""The map's arrays: what they say is what runs, however it came to that, and nobody is told what others run."""

import random
from collections.abc import Iterable
from typing import Any

import numpy as np

from gigawatt.model.attempt import Attempt, AttemptPhase, RankStatus
from gigawatt.model.gang import Shape
from gigawatt.model.health import CheckResult, Outcome
from gigawatt.model.job import Job, JobPhase, JobSpec
from gigawatt.model.node import Gpu, Node, NodeReport, NodeState
from gigawatt.model.resources import Resources
from gigawatt.model.tenant import Caller, Role
from gigawatt.model.values import replace
from gigawatt.service.fleet_layout import layout_of, natural
from gigawatt.service.fleet_map import FIRST, NOBODY, OTHER, state_file
from gigawatt.service.fleet_state import FleetState
from gigawatt.service.fleet_wire import Array, pack, unpack
from gigawatt.service.ports import Fleet

NOW_MS = 1_000
OPERATOR = Caller(name="o", role=Role.OPERATOR, tenant="default", project="")
GUEST = Caller(name="g", role=Role.VIEWER, tenant="acme", project="")


def a_node(number: int, *, gpus: int = 4, state: NodeState = NodeState.READY) -> Node:
    name = f"node-{number}"
    report = NodeReport(
        id=name,
        total=Resources(milli_gpu=1_000 * gpus, milli_cpu=64_000, memory_bytes=1 << 40),
        topology=("site", "hall", "spine", f"leaf-{number // 8}", f"rack-{number // 4}", "", name),
        address="",
        gpus=tuple(
            Gpu(uuid=f"{name}-{place}", index=place, kind="b200", memory_bytes=1)
            for place in range(gpus)
        ),
    )
    return Node(id=name, state=state, reason="", report=report, changed_ms=0)


def a_job(
    name: str, on: dict[str, Iterable[int]], *, tenant: str = "default", gpus: int = 0
) -> Job:
    ranks = tuple(
        RankStatus(rank=rank, node=node, gpus=tuple(f"{node}-{place}" for place in places))
        for rank, (node, places) in enumerate(on.items())
    )
    milli = gpus or 1_000 * len(ranks[0].gpus)
    attempt = Attempt(
        n=1,
        phase=AttemptPhase.RUNNING,
        nodes=tuple(on),
        ranks=ranks,
        epoch=1,
        placed_ms=0,
    )
    shape = Shape(nodes_min=len(on), nodes_max=len(on), per_node=Resources(milli_gpu=milli))
    return Job(
        id=name,
        tenant=tenant,
        project="research",
        spec=JobSpec(name=f"{name}-name", command=("true",), shape=shape, environment="host"),
        phase=JobPhase.RUNNING,
        created_ms=0,
        queued_ms=0,
        submitted_by="test",
        attempts=(attempt,),
    )


def a_fleet(nodes: Iterable[Node], jobs: Iterable[Job] = ()) -> Fleet:
    return Fleet(nodes=tuple(nodes), work={job.id: job for job in jobs})


def told(state: FleetState, caller: Caller = OPERATOR) -> tuple[dict[str, Any], dict[str, Array]]:
    return unpack(state_file(state, caller).body)


def test_a_file_is_read_as_it_was_written() -> None:
    arrays: dict[str, Array] = {
        "a": np.arange(5, dtype=np.uint8),
        "b": np.arange(3, dtype=np.uint32),
    }
    packed = pack({"format": "x"}, arrays)
    header, found = unpack(packed.body)
    assert header["format"] == "x"
    assert {name: each.tolist() for name, each in found.items()} == {
        "a": [0, 1, 2, 3, 4],
        "b": [0, 1, 2],
    }
    assert len(packed.body) % 8 == 0


def test_names_are_sorted_as_people_count() -> None:
    assert sorted(["rack-10", "rack-9", "a", "rack"], key=natural) == [
        "a",
        "rack",
        "rack-9",
        "rack-10",
    ]


def test_rows_are_in_the_order_of_the_tree_and_domains_begin_where_their_rows_do() -> None:
    layout = layout_of([a_node(number) for number in (11, 3, 0, 8, 4)])
    assert layout.ids == ("node-0", "node-3", "node-4", "node-8", "node-11")
    assert layout.starts[3].tolist() == [0, 3]
    assert layout.names[4] == ("rack-0", "rack-1", "rack-2")
    assert layout.path(3) == ("site", "hall", "spine", "leaf-1", "rack-2")
    assert layout.span(4, 2) == (3, 5)


def test_gangs_are_on_their_devices_and_those_who_share_a_node_are_told_apart() -> None:
    state = FleetState()
    jobs = [
        a_job("whole", {"node-0": range(4), "node-1": range(4)}),
        a_job("half", {"node-2": (0, 1)}),
        a_job("other-half", {"node-2": (2, 3)}, tenant="acme"),
    ]
    state.take(a_fleet((a_node(number) for number in range(4)), jobs), now_ms=NOW_MS)
    header, arrays = told(state)
    assert header["owners"] == ["", "default/research", "acme/research"]
    assert arrays["bits"].tolist() == [15, 15, 15, 0]
    gang = arrays["gang"].tolist()
    assert gang[0] == gang[1] >= FIRST
    assert gang[3] == NOBODY
    assert arrays["used"].tolist() == [255, 255, 255, 0]
    parts = zip(arrays["part_row"].tolist(), arrays["part_bits"].tolist(), strict=True)
    assert sorted(parts) == [(2, 3), (2, 12)]
    assert arrays["power"].tolist() == [400, 400, 400, 0]


def test_what_others_run_has_neither_a_name_nor_a_number() -> None:
    state = FleetState()
    jobs = [
        a_job("theirs", {"node-0": range(4)}),
        a_job("mine", {"node-1": range(4)}, tenant="acme"),
    ]
    state.take(a_fleet((a_node(number) for number in range(3)), jobs), now_ms=NOW_MS)
    header, arrays = told(state, GUEST)
    assert header["owners"] == ["", "research"]
    assert arrays["gang"].tolist()[0] == OTHER
    assert arrays["gang"].tolist()[1] >= FIRST
    theirs = [code for code in range(FIRST, 4) if not arrays["gang_phase"][code]]
    assert all(not arrays["gang_owner"][code] for code in theirs)
    assert b"theirs" not in state_file(state, GUEST).body
    assert b"default" not in state_file(state, GUEST).body


def test_checks_say_how_hot_a_node_is_and_what_it_draws() -> None:
    said = CheckResult(
        name="gpu",
        outcome=Outcome.WARN,
        at_ms=0,
        detail="hottest GPU 71 degrees, drawing 2412 W",
    )
    state = FleetState()
    state.take(a_fleet([replace(a_node(0), checks=(said,)), a_node(1)]), now_ms=NOW_MS)
    header, arrays = told(state)
    assert arrays["heat"].tolist() == [71, 0]
    assert arrays["power"].tolist() == [241, 0]
    assert arrays["check"].tolist() == [2, 0]
    assert header["power_reported"] == 1


def test_what_is_kept_up_to_date_is_what_is_made_from_scratch() -> None:
    chance = random.Random(1)
    nodes = {f"node-{number}": a_node(number) for number in range(12)}
    jobs: dict[str, Job] = {}
    state = FleetState()
    for step in range(200):
        _change(chance, step, nodes, jobs)
        fleet = a_fleet(nodes.values(), jobs.values())
        state.take(fleet, now_ms=NOW_MS)
        fresh = FleetState()
        fresh.take(fleet, now_ms=NOW_MS)
        assert state.layout.version == fresh.layout.version
        assert _meaning(state) == _meaning(fresh)


def test_taking_the_same_again_changes_nothing() -> None:
    state = FleetState()
    fleet = a_fleet([a_node(0)], [a_job("a", {"node-0": (1,)})])
    state.take(fleet, now_ms=NOW_MS)
    revision, tag = state.revision, state_file(state, OPERATOR).tag
    state.take(fleet, now_ms=NOW_MS)
    assert (state.revision, state_file(state, OPERATOR).tag) == (revision, tag)


def _change(chance: random.Random, step: int, nodes: dict[str, Node], jobs: dict[str, Job]) -> None:
    """A job begins, ends or shares a node; a node changes its state, or is replaced by one with other GPUs."""
    what = chance.random()
    if what < 0.5:
        on = chance.sample(sorted(nodes), chance.randint(1, 3))
        share = tuple(chance.sample(range(4), chance.choice((2, 4))))
        jobs[f"job-{step}"] = a_job(f"job-{step}", dict.fromkeys(on, share))
    elif what < 0.85 and jobs:
        del jobs[chance.choice(sorted(jobs))]
    elif what < 0.97:
        name = chance.choice(sorted(nodes))
        nodes[name] = replace(nodes[name], state=chance.choice(list(NodeState)))
    else:
        number = chance.randrange(12)
        nodes[f"node-{number}"] = a_node(number, gpus=chance.choice((4, 8)))


def _meaning(state: FleetState) -> dict[str, object]:
    """What a state says, whatever slots gangs happen to have."""
    on = {
        row: sorted((held.work.id, bits) for held, bits in state.devices_on(row))
        for row in range(len(state.nodes))
    }
    return {
        "on": on,
        "bits": state.bits_N.tolist(),
        "state": state.state_N.tolist(),
        "used": state.used_N.tolist(),
        "power": state.power_N.tolist(),
    }
