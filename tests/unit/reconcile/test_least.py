"""The class of isolation that a launch asks its engine for."""

from gigawatt.model.gang import Isolation
from gigawatt.model.tenant import Tenant
from gigawatt.model.world import World
from gigawatt.reconcile.launches import least


def test_a_gang_gets_the_higher_of_what_it_asks_and_what_its_tenant_must_have() -> None:
    world = World(epoch=1)
    world.put(Tenant(id="strict", created_ms=1, isolation=Isolation.USER))
    world.put(Tenant(id="easy", created_ms=1))
    found = {
        (tenant, asked): least(world, tenant, asked)
        for tenant in ("strict", "easy", "nobody")
        for asked in Isolation
    }
    assert {asked: found["easy", asked] for asked in Isolation} == {
        each: each for each in Isolation
    }
    assert {asked: found["nobody", asked] for asked in Isolation} == {
        each: each for each in Isolation
    }
    assert [found["strict", asked].value for asked in Isolation] == ["user", "user", "user", "node"]
