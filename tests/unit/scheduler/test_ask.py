"""What is asked for: gangs that ask the same are tried once, by whichever way a line is read."""

import pytest

from gigawatt.model.gang import Isolation
from gigawatt.scheduler.ask import distinct_asks
from gigawatt.scheduler.encode import Encoder
from tests.scenario.build import NOW_MS, make_job, make_node, make_shape


@pytest.mark.parametrize(
    ("isolations", "asks"),
    [
        ((Isolation.NONE, Isolation.PROCESS, Isolation.USER), 1),
        ((Isolation.NODE, Isolation.NODE), 1),
        ((Isolation.USER, Isolation.NODE), 2),
    ],
)
def test_of_isolation_only_a_node_of_ones_own_is_asked_for(
    isolations: tuple[Isolation, ...], asks: int
) -> None:
    encoder = Encoder(indexed_from=1)
    encoder.apply(make_node("n", cpus=8))
    for number, isolation in enumerate(isolations):
        encoder.apply(make_job(f"j{number}", make_shape(), isolation=isolation))
    gangs = encoder.snapshot(NOW_MS).gangs
    kept, read = encoder.memo.asked(gangs), distinct_asks(gangs)
    assert (len(read[0]), read[1].tolist()) == (len(kept[0]), kept[1].tolist())
    assert len(read[0]) == asks
