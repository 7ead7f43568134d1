"""What a project may never use is known before anything is submitted."""

import pytest

from gigawatt.model.quota import Bounds, Entitlement
from gigawatt.model.reason import ReasonCode
from gigawatt.model.tenant import Project, Tenant
from gigawatt.scheduler.dry_run import feasible
from gigawatt.scheduler.encode import encode_cold
from tests.scenario.build import NOW_MS, make_job, make_node, make_shape, make_world

TEAM = Entitlement(limit=Bounds(milli_cpu=6000))
STRICT = Entitlement(parent="team", quota=Bounds(milli_cpu=3000), borrows=False)


def project(name: str, terms: Entitlement) -> Project:
    return Project(
        id=f"default/{name}", tenant="default", name=name, created_ms=0, entitlement=terms
    )


@pytest.mark.parametrize(
    ("nodes", "code", "have"),
    [(3, None, 0), (4, ReasonCode.QUOTA_EXCEEDED, 3000), (7, ReasonCode.QUOTA_EXCEEDED, 3000)],
)
def test_a_gang_is_held_to_the_quota_of_a_project_that_does_not_borrow(
    nodes: int, code: ReasonCode | None, have: int
) -> None:
    world = make_world([make_node(f"n{n}") for n in range(8)])
    world.put(Tenant(id="default", created_ms=0))
    for name, terms in (("team", TEAM), ("strict", STRICT)):
        world.put(project(name, terms))
    gang = make_job("asked", make_shape(nodes), project="strict").gang()
    told = feasible(encode_cold(world, NOW_MS), gang)
    assert (told and told.code, told.have if told else 0) == (code, have)


def test_a_limit_of_a_parent_is_named_and_use_of_now_is_no_matter() -> None:
    world = make_world([make_node(f"n{n}") for n in range(8)])
    world.put(Tenant(id="default", created_ms=0))
    child = Entitlement(parent="team")
    for name, terms in (("team", TEAM), ("child", child)):
        world.put(project(name, terms))
    gang = make_job("asked", make_shape(7), project="child").gang()
    told = feasible(encode_cold(world, NOW_MS), gang)
    assert told is not None
    assert (told.code, told.need, told.have) == (ReasonCode.LIMIT, 7000, 6000)
    assert "default/team" in told.detail
