import pytest

from gigawatt.model.order import CountTokens, SetAllowance
from gigawatt.model.refusal import RefusalError
from gigawatt.model.tenant import Project
from gigawatt.model.tokens import Allowance, TokenUse
from gigawatt.model.world import World
from gigawatt.reconcile.tokens import count, set_allowance
from gigawatt.reconcile.turn import Site, Turn


def turn_of(world: World) -> Turn:
    return Turn(world=world, now_ms=7, site=Site(work_dir="", api_url=""))


def use(requests: int) -> TokenUse:
    return TokenUse(
        id="spool-1/1",
        created_ms=0,
        tenant="acme",
        project="default",
        key="k",
        model="m",
        endpoint="e",
        requests=requests,
        prompt_tokens=requests * 7,
        cached_tokens=0,
        completion_tokens=requests,
    )


def told(world: World, report: int, requests: int, *, closed: bool = False) -> list[TokenUse]:
    """What is put."""
    turn, spool = turn_of(world), world.spools.get("spool-1")
    asked = CountTokens(
        spool="spool-1",
        report=report,
        uses=(use(requests),),
        closed=closed,
        after=spool.report if spool else 0,
    )
    count(turn, asked)
    return [each for each in turn.batch().puts if isinstance(each, TokenUse)]


def test_only_a_newer_report_of_a_spool_changes_anything() -> None:
    world = World(epoch=1)
    assert told(world, 1, 5) == [use(5)]
    assert told(world, 3, 9) == [use(9)]
    assert told(world, 3, 9) == []
    assert told(world, 2, 6) == []


def test_a_report_that_another_one_overtook_is_refused_and_counts_nothing() -> None:
    world = World(epoch=1)
    told(world, 1, 5)
    turn = turn_of(world)
    with pytest.raises(RefusalError, match="taken in meanwhile"):
        count(turn, CountTokens(spool="spool-1", report=2, uses=(use(9),), after=0))
    assert turn.batch().empty


def test_a_spool_that_is_closed_is_let_go_of() -> None:
    world = World(epoch=1)
    told(world, 1, 5)
    assert "spool-1" in world.spools
    told(world, 2, 5, closed=True)
    assert world.spools == {}


def test_an_allowance_is_of_a_project_that_is_there() -> None:
    world = World(epoch=1)
    project = Project(id="acme/default", tenant="acme", name="default", created_ms=0)
    world.put(project)
    asked = SetAllowance(
        tenant="acme", project="default", allowance=Allowance(concurrent=3), by="me"
    )
    after = set_allowance(turn_of(world), asked)
    assert isinstance(after, Project)
    assert after.allowance == Allowance(concurrent=3)
    missing = SetAllowance(tenant="acme", project="other", allowance=Allowance(), by="me")
    with pytest.raises(RefusalError):
        set_allowance(turn_of(world), missing)
