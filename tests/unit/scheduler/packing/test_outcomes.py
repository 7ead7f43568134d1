"""What a shape would leave, device by device."""

import numpy as np

from gigawatt.scheduler.packing.facts import WHOLE, shapes_of
from gigawatt.scheduler.packing.outcomes import best, fitting, outcomes, tightest
from tests.unit.scheduler.packing.samples import a_node, some_asks

ASKS = some_asks((2000, 1, 0, 0), (1000, 1, 1, 300), (1000, 9, 1, 300), (4000, 1, 2, WHOLE))
NODE = a_node(3000, 300, WHOLE, 300, 600)


def test_asks_that_differ_in_memory_have_one_shape_and_the_first_shape_is_nothing() -> None:
    shapes = shapes_of(ASKS)
    assert shapes.cpu_S.tolist() == [0, 1000, 2000, 4000]
    assert shapes.shape_K.tolist() == [2, 1, 1, 3]
    assert (shapes.part_S.tolist(), shapes.whole_S.tolist()) == ([0, 300, 0, 0], [0, 0, 0, 2])
    assert shapes.demand_S.tolist() == [0, 300, 0, 2 * WHOLE]


def test_nothing_leaves_the_node_as_it_is() -> None:
    after = outcomes(shapes_of(ASKS), NODE)
    assert after.cpu_S[0] == NODE.cpu
    assert tuple(after.free_SJD[0, 0].tolist()) == NODE.free


def test_a_part_may_go_to_any_device_with_room_and_leaves_the_others_alone() -> None:
    after = outcomes(shapes_of(ASKS), NODE)
    assert after.levels_J.tolist() == [300, 600, WHOLE]
    assert after.fits_SJ[1].tolist() == [True, True, True]
    left = [sorted(free, reverse=True) for free in after.free_SJD[1].tolist()]
    assert left == [[1000, 600, 300, 0], [1000, 300, 300, 300], [700, 600, 300, 300]]
    assert after.cpu_S[1] == 2000


def test_no_gpu_leaves_every_device_and_two_whole_ones_do_not_fit() -> None:
    after = outcomes(shapes_of(ASKS), NODE)
    assert after.fits_SJ[2:].tolist() == [[True, False, False], [False, False, False]]
    assert sorted(after.free_SJD[2, 0].tolist()) == [300, 300, 600, WHOLE]
    two = outcomes(shapes_of(ASKS), a_node(9000, WHOLE, 300, WHOLE, WHOLE))
    assert sorted(two.free_SJD[3, 0].tolist()) == [0, 0, 300, WHOLE]


def test_of_devices_that_are_as_good_the_fullest_is_taken() -> None:
    after = outcomes(shapes_of(ASKS), NODE)
    equal = best(after, np.zeros(after.fits_SJ.shape))
    assert equal.level_S[1] == 300
    assert np.isneginf(equal.score_S[3])
    assert best(after, np.array([[0.0, 2.0, 1.0]] * 4)).level_S[1] == 600


def test_a_node_without_gpus_takes_what_wants_none() -> None:
    bare = a_node(3000)
    assert fitting(shapes_of(ASKS), bare).tolist() == [True, False, True, False]
    assert outcomes(shapes_of(ASKS), bare).fits_SJ[:, 0].tolist() == [True, False, True, False]


def test_the_tightest_device_is_the_fullest_with_room() -> None:
    assert tightest(shapes_of(ASKS), a_node(9000, 200, 600, WHOLE))[1] == 600
    assert tightest(shapes_of(ASKS), a_node(9000, 200, 100))[1] == WHOLE
