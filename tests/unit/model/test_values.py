import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.gang import Gang, GangKind, Shape
from gigawatt.model.ledger import TimeClass, Use
from gigawatt.model.plan import Taking
from gigawatt.model.resources import Resources
from gigawatt.model.values import replace
from gigawatt.scheduler.reclaim import Reclaim

USE = Use(gang="g", attempt=1, tenant="t", project="p", units=3, time_class=TimeClass.USEFUL)
STACKED = Shape(nodes_min=2, nodes_max=2, stacked=True, per_node=Resources(milli_cpu=1))
GANG = Gang(
    id="g",
    kind=GangKind.JOB,
    tenant="t",
    project="p",
    shape=STACKED,
    priority=0,
    queued_ms=0,
)


@given(
    changes=st.fixed_dictionaries(
        {}, optional={"units": st.integers(), "gang": st.text(), "idle_ms": st.integers()}
    )
)
def test_a_value_with_other_fields_is_what_the_standard_library_makes(
    changes: dict[str, int | str],
) -> None:
    before = dataclasses.asdict(USE)
    assert replace(USE, **changes) == dataclasses.replace(USE, **changes)
    assert dataclasses.asdict(USE) == before


def test_a_value_may_have_one_field_or_two() -> None:
    assert replace(Reclaim(), taking=Taking.PREEMPT) == Reclaim(taking=Taking.PREEMPT)


def test_what_a_class_checks_of_its_fields_is_checked_again() -> None:
    elastic = dataclasses.replace(STACKED, nodes_max=3)
    with pytest.raises(AssertionError, match="not elastic"):
        replace(GANG, shape=elastic)


def test_a_field_that_there_is_not_is_our_mistake() -> None:
    with pytest.raises(KeyError):
        replace(USE, colour="red")
