"""Tasks of an array: which variables each has, and how one is written."""

from gigawatt.model.array import (
    ArraySpec,
    JobArray,
    points,
    task_reference,
    task_spec,
    variables,
)
from gigawatt.model.job import JobPhase
from tests.loop import a_spec

GRID = (("LR", ("0.1", "0.2")), ("SEED", ("1", "2", "3")))


def test_a_grid_is_counted_through_with_the_last_variable_first() -> None:
    found = [variables(GRID, index) for index in range(points(GRID))]
    assert found[0] == (("LR", "0.1"), ("SEED", "1"))
    assert found[1] == (("LR", "0.1"), ("SEED", "2"))
    assert found[5] == (("LR", "0.2"), ("SEED", "3"))
    assert len(set(found)) == points(GRID) == 6


def test_a_task_is_the_arrays_spec_with_its_own_name_and_variables() -> None:
    array = JobArray(
        id="array-1",
        tenant="t",
        project="p",
        spec=a_spec("many", after=("job-1",)),
        tasks=ArraySpec(indices=((0, 5),), sweep=GRID),
        phase=JobPhase.RUNNING,
        created_ms=1,
        submitted_by="me",
    )
    spec = task_spec(array, 4)
    assert (spec.name, spec.after) == ("many[4]", ())
    assert spec.env == (
        ("GIGAWATT_ARRAY_COUNT", "6"),
        ("GIGAWATT_ARRAY_ID", "array-1"),
        ("GIGAWATT_ARRAY_INDEX", "4"),
        ("LR", "0.2"),
        ("SEED", "2"),
    )


def test_a_task_is_written_as_its_array_and_its_index() -> None:
    assert task_reference("many[17]") == ("many", 17)
    assert task_reference("array-1[0]") == ("array-1", 0)
    assert task_reference("many") is None
    assert task_reference("many[x]") is None
    assert task_reference("[3]") is None
