"""What is kept of the tree of shares from round to round changes no decision."""

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide, finish
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.index import Memo
from gigawatt.scheduler.policy import Policy
from tests.property.scheduler.strategies import shared_worlds, sharing
from tests.scenario.build import NOW_MS

NO_INDEX = 1 << 30  # nodes: the memo keeps nothing of smaller clusters but shares


@given(
    worlds=st.lists(shared_worlds(), min_size=2, max_size=3),
    policies=st.lists(sharing, min_size=1, max_size=2),
)
def test_a_memo_of_other_shares_changes_no_decision(
    worlds: list[World], policies: list[Policy]
) -> None:
    memo = Memo(NO_INDEX)
    for world in [*worlds, worlds[-1], worlds[0]]:
        for policy in policies:
            snapshot = encode_cold(world, NOW_MS)
            assert finish(snapshot, policy, memo).decision() == decide(snapshot, policy)
