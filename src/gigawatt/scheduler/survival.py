"""Distributions of what has been seen in part: of some it is known how long it took, of the others how long at least.

Source: Kaplan, Meier, "Nonparametric estimation from incomplete observations", JASA 53, 1958.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Values, ascending, and the part of cases of which the value is not above each. The last part is 1."""

    values: Numbers
    parts: Numbers

    def quantile(self, part: float) -> float:
        """The least value that `part` of the cases do not exceed."""
        place = int(np.searchsorted(self.parts, part - 1e-12))
        return float(self.values[min(place, len(self.values) - 1)])


def product_limit(values: Numbers, weights: Numbers, known: Numbers, last: float) -> Spread:
    """`known` is 1 where the value is exact, and 0 where it is at least that. What outlasts all known ones gets `last`."""
    order = np.lexsort((-known, values))
    values, weights, known = values[order], weights[order], known[order]
    at_risk = np.cumsum(weights[::-1])[::-1]
    survives = np.cumprod(1.0 - np.minimum(weights * known / at_risk, 1.0))
    exact = np.flatnonzero(known)
    return Spread(
        values=np.append(values[exact], last), parts=np.append(1.0 - survives[exact], 1.0)
    )
