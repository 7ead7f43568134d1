"""What each shape would leave of a node, for every device that it might go to."""

from dataclasses import dataclass

import numpy as np

from gigawatt.scheduler.packing.facts import WHOLE, Node, Scores, Shapes
from gigawatt.scheduler.snapshot import Amounts, Flags


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcomes:
    """The node afterwards. A part goes to one of the J devices; whole GPUs and none have one outcome, the first.

    The first shape asks for nothing, so that its outcome is the node as it is. Where `fits_SJ` is not set, the rest means nothing but is in range.
    """

    cpu_S: Amounts
    free_SJD: Amounts
    fits_SJ: Flags
    levels_J: Amounts  # milli-GPUs that are free on the device now


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rating:
    """How good a node is for each shape (more is better), and how much is free on the device that a part would take."""

    score_S: Scores
    level_S: Amounts


def outcomes(shapes: Shapes, node: Node) -> Outcomes:
    levels = sorted(set(node.free) - {0}) or [0]
    free_D = node.free_D
    levels_J = np.array(levels, dtype=np.int64)
    part_S, whole_S = shapes.part_S, shapes.whole_S
    taken_SD = np.arange(len(free_D)) < whole_S[:, None]
    kept_SD = np.where(taken_SD, 0, free_D)  # whole devices stand first: they have most free
    free_SJD = np.repeat(kept_SD[:, None, :], len(levels), axis=1)
    for j, level in enumerate(levels):
        if level:
            free_SJD[:, j, node.free.index(level)] -= part_S
    fits_SJ = levels_J >= part_S[:, None]
    fits_SJ[part_S == 0, 1:] = False
    fits_SJ[:, 0] &= whole_S <= node.free.count(WHOLE)
    return Outcomes(
        cpu_S=np.maximum(node.cpu - shapes.cpu_S, 0),
        free_SJD=np.maximum(free_SJD, 0),
        fits_SJ=fits_SJ,
        levels_J=levels_J,
    )


def best(outcomes: Outcomes, score_SJ: Scores) -> Rating:
    """The best device for each shape; of equal ones that with the least free."""
    masked_SJ = np.where(outcomes.fits_SJ, score_SJ, -np.inf)
    j_S = masked_SJ.argmax(axis=1)
    rows_S = np.arange(len(j_S))
    return Rating(score_S=masked_SJ[rows_S, j_S], level_S=outcomes.levels_J[j_S])


def fitting(shapes: Shapes, node: Node) -> Flags:
    """The shapes that the node has cores and devices for."""
    most = max(node.free, default=0)
    return (
        (shapes.cpu_S <= node.cpu)
        & (shapes.part_S <= most)
        & (shapes.whole_S <= node.free.count(WHOLE))
    )


def tightest(shapes: Shapes, node: Node) -> Amounts:
    """For each shape, what is free on the device with the least that is enough for a part; `WHOLE` where none is."""
    levels_J = np.array(sorted({*node.free, WHOLE}), dtype=np.int64)
    return levels_J[np.searchsorted(levels_J, np.maximum(shapes.part_S, 1))]
