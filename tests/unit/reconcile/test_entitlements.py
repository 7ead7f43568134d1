"""What projects are entitled to is set whole, and stays a tree."""

from itertools import pairwise
from typing import Any

import pytest

from gigawatt.model.command import SetEntitlement
from gigawatt.model.quota import DEPTH_MAX, Bounds, Entitlement
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Project, Tenant
from gigawatt.model.world import World
from gigawatt.reconcile.entitlements import set_entitlement
from gigawatt.reconcile.turn import Site, Turn


def a_turn(*names: str) -> Turn:
    world = World(epoch=1)
    world.put(Tenant(id="acme", created_ms=0))
    for name in names:
        world.put(Project(id=f"acme/{name}", tenant="acme", name=name, created_ms=0))
    return Turn(world=world, now_ms=5, site=Site(work_dir="", api_url=""))


def entitle(turn: Turn, name: str, *, if_version: int = 0, **terms: Any) -> Project:
    command = SetEntitlement(
        tenant="acme", name=name, entitlement=Entitlement(**terms), by="b", if_version=if_version
    )
    return set_entitlement(turn, command)


def test_a_change_is_put_and_told_and_one_that_changes_nothing_is_not() -> None:
    turn = a_turn("a")
    after = entitle(turn, "a", quota=Bounds(milli_gpu=8000), weight=2)
    assert (after.entitlement.quota.milli_gpu, after.version) == (8000, 2)
    assert [event.kind for event in turn.events] == ["project.entitled"]
    assert entitle(turn, "a", quota=Bounds(milli_gpu=8000), weight=2) == after
    assert len(turn.events) == 1


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"weight": 0}, "weight"),
        ({"borrows": False}, "borrow"),
        ({"quota": Bounds(milli_gpu=2), "limit": Bounds(milli_gpu=1)}, "quota.milli_gpu"),
        ({"limit": Bounds(milli_cpu=-5)}, "quota.milli_cpu"),
        ({"parent": "a"}, "parent"),
        (
            {"quota": Bounds(kinds=(("h100", 2),)), "limit": Bounds(kinds=(("h100", 1),))},
            "quota.kinds.h100",
        ),
        (
            {"quota": Bounds(kinds=(("h100", 2),)), "limit": Bounds(milli_gpu=1)},
            "quota.kinds.h100",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_and_changes_nothing(
    terms: dict[str, Any], field: str
) -> None:
    turn = a_turn("a")
    with pytest.raises(RefusalError) as refused:
        entitle(turn, "a", **terms)
    assert (refused.value.code, refused.value.field) == (RefusalCode.INVALID, field)
    assert turn.batch().empty


def test_a_parent_must_be_there() -> None:
    with pytest.raises(RefusalError) as refused:
        entitle(a_turn("a"), "a", parent="nobody")
    assert refused.value.code is RefusalCode.NOT_FOUND


def test_a_ring_is_refused_however_long() -> None:
    turn = a_turn("a", "b", "c")
    entitle(turn, "b", parent="a")
    entitle(turn, "c", parent="b")
    with pytest.raises(RefusalError, match="part of itself"):
        entitle(turn, "a", parent="c")


def test_the_tree_is_no_deeper_than_it_may_be() -> None:
    names = [f"p{n}" for n in range(DEPTH_MAX + 1)]
    turn = a_turn(*names, "loose")
    for above, below in pairwise(names[:-1]):
        entitle(turn, below, parent=above)
    with pytest.raises(RefusalError, match="deep"):
        entitle(turn, names[-1], parent=names[-2])
    entitle(turn, "loose", parent=names[-3])


def test_a_version_that_has_passed_is_refused() -> None:
    turn = a_turn("a")
    with pytest.raises(RefusalError) as refused:
        entitle(turn, "a", weight=2, if_version=7)
    assert refused.value.code is RefusalCode.STALE_VERSION
