"""Chance from a seed, the same on every machine and with every version of numpy: raw bits, and arithmetic of ours."""

import numpy as np

from gigawatt.scheduler.snapshot import Rows


class Chance:
    """A stream of numbers. numpy promises that a bit generator's raw output stays the same; it does not for the rest."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def below(self, bound: int) -> int:
        """From 0 to below `bound`, which is so small next to 2^64 that the bias does not show."""
        return int(self._bits.random_raw()) % bound

    def part(self) -> float:
        """From 0 to below 1, evenly."""
        return (int(self._bits.random_raw()) >> 11) * 2.0**-53

    def shuffled(self, count: int) -> Rows:
        """0 to below `count`, in any order."""
        return np.argsort(self._bits.random_raw(count), kind="stable")
