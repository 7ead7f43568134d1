"""Whatever the world and the policy: a play ends, starts nobody twice or before now, and keeps what it gave in bounds."""

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.world import World
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.forecast import Part, ahead_of, drawn, middle
from gigawatt.scheduler.outlook import Outlook
from gigawatt.scheduler.policy import POLICIES
from tests.property.scheduler.strategies import worlds
from tests.scenario.build import NOW_MS


@given(worlds(), st.sampled_from(sorted(POLICIES)), st.sampled_from([None, middle, drawn(1)]))
def test_a_play_ends_and_never_gives_more_than_there_is(
    world: World, name: str, part: Part | None
) -> None:
    policy = POLICIES[name]
    snapshot = encode_cold(world, NOW_MS)
    ahead = ahead_of(snapshot, policy, Outlook.of(world), part)
    while ahead.advance():
        nodes = ahead.nodes
        assert (nodes.free_NK <= nodes.total_NK).all()
        assert (nodes.device_free_ND <= 1000).all()
        assert (nodes.gangs_N >= 0).all()
    assert set(ahead.starts) <= set(snapshot.gangs.ids)
    assert all(at_ms >= NOW_MS for at_ms in ahead.starts.values())
