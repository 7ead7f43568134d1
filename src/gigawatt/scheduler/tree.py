"""Sums up a tree that is given as the row above each row; NONE above the top."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gigawatt.scheduler.snapshot import NONE, Amounts, Codes


def by_depth(parent_P: Codes) -> list[Codes]:
    """The rows at each depth, from the top down. Every row is below a top one: there is no ring."""
    levels: list[Codes] = []
    level = np.flatnonzero(parent_P == NONE).astype(np.int32)
    while len(level):
        levels.append(level)
        level = np.flatnonzero(np.isin(parent_P, level)).astype(np.int32)
    assert sum(map(len, levels)) == len(parent_P), "a project is above itself"
    return levels


def down_from(
    levels: list[Codes], parents: list[int]
) -> Iterator[tuple[Codes, npt.NDArray[np.int32]]]:
    """Rows that have one above them, with those, from the lowest level up."""
    above_P = np.array(parents, dtype=np.int32)
    for level in reversed(levels[1:]):
        yield level, above_P[level]


def summed(own_PK: Amounts, levels: list[Codes], parents: list[int]) -> Amounts:
    """Of each row its own and all that is below it."""
    sums = own_PK.copy()
    for level, above in down_from(levels, parents):
        np.add.at(sums, above, sums[level])
    return sums
