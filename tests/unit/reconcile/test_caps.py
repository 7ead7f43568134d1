"""Limits of replicas and storage: of a project with all below it, told once, and never a reason to take away."""

import pytest

from gigawatt.model.artifact import Artifact
from gigawatt.model.command import AddArtifact
from gigawatt.model.observation import LimitsSeen
from gigawatt.model.quota import Bounds, Caps, Entitlement
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Project, Tenant
from gigawatt.model.world import World
from gigawatt.reconcile import caps
from gigawatt.reconcile.models import add_artifact
from gigawatt.reconcile.turn import Site, Turn


def a_turn(**projects: Entitlement) -> Turn:
    world = World(epoch=1)
    world.put(Tenant(id="acme", created_ms=0))
    for name, terms in projects.items():
        each = Project(id=f"acme/{name}", tenant="acme", name=name, created_ms=0, entitlement=terms)
        world.put(each)
    return Turn(world=world, now_ms=5, site=Site(work_dir="", api_url=""))


def stored(turn: Turn, size: int, *, project: str = "inner", kind: str = "file") -> None:
    artifact = Artifact(
        digest=f"sha256:{len(turn.puts):064x}",
        tenant="acme",
        project=project,
        kind=kind,
        size_bytes=size,
        files=1,
        created_ms=0,
        created_by="test",
    )
    add_artifact(turn, AddArtifact(artifact=artifact))


def seen(turn: Turn, *kept: tuple[str, int], cpus: int = 0) -> list[tuple[str, str]]:
    before = len(turn.events)
    used = (("acme/outer", (0, cpus, 0)),)
    caps.seen(turn, LimitsSeen(at_ms=turn.now_ms, kept=kept, used=used))
    return [(each.kind, dict(each.data)["percent"]) for each in turn.events[before:]]


def test_what_a_project_may_keep_holds_for_those_below_it_and_counts_between_looks() -> None:
    turn = a_turn(
        outer=Entitlement(caps=Caps(storage_bytes=100)), inner=Entitlement(parent="outer")
    )
    seen(turn, ("acme/outer", 40))
    stored(turn, 50)
    with pytest.raises(RefusalError) as refused:
        stored(turn, 11)
    assert refused.value.code is RefusalCode.LIMIT
    assert "project outer keeps 90 B" in refused.value.detail
    stored(turn, 10)
    stored(turn, 1 << 30, kind="tree")  # its files are counted by themselves
    assert turn.world.kept_bytes == {"acme/outer": 40, "acme/inner": 60}


def test_a_threshold_is_told_once_until_there_is_room_again() -> None:
    turn = a_turn(outer=Entitlement(caps=Caps(storage_bytes=100)))
    assert seen(turn, ("acme/outer", 79)) == []
    assert seen(turn, ("acme/outer", 85)) == [("project.limit_near", "85")]
    assert seen(turn, ("acme/outer", 79)) == []
    assert seen(turn, ("acme/outer", 86)) == []
    assert seen(turn, ("acme/outer", 101)) == [("project.limit_reached", "101")]
    assert seen(turn, ("acme/outer", 60)) == []
    assert seen(turn, ("acme/outer", 90)) == [("project.limit_near", "90")]


def test_limits_of_devices_are_told_too_and_one_of_nothing_is_reached() -> None:
    turn = a_turn(outer=Entitlement(limit=Bounds(milli_cpu=4_000, milli_gpu=0)))
    assert seen(turn, cpus=3_300) == [
        ("project.limit_reached", "100"),
        ("project.limit_near", "82"),
    ]
