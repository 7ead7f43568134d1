"""By what factors waits were longer or shorter than was said: a distribution for each band of how far ahead, and user.

Those of one user and band are drawn to all of the band, and these to all there are. A moment counts as one, since its
estimates err together, and counts less the more were made after it. Of a gang that still waits it is known that its
factor is at least as large as if it started now.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from gigawatt.scheduler.survival import Spread, product_limit
from gigawatt.scheduler.told import Told

GRAIN_MS = 60_000  # added to both sides of a factor: below it, differences are no matter
HALF_LIFE = 8.0  # a moment counts half of one of its band that is so many newer
PRIOR_USER = 1.0  # moments of its own with which a user weighs in a band as much as all of the band
PRIOR_BAND = 2.0  # and with which a band weighs as much as all bands together
USERS_MAX = 256  # with distributions of their own; beyond it those of the band are taken
FIRST = np.log(np.array([0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.5, 2.0, 3.0]))
FIRST_WEIGHT = 0.2  # each of the factors above, which stand for what is not known yet


class Errors:
    """As they are known at one moment."""

    def __init__(self, bands: Sequence[Iterable[Sequence[Told]]], now_ms: int) -> None:
        self._users: dict[str, int] = {}
        rows = [
            (*told.past(now_ms)[1:4], weight, band, self._code(told.who))
            for band, moments in enumerate(bands)
            for moment, weight in _weighted([*moments])
            for told in moment
        ]
        ahead, waited, self._known, self._weights, self._bands, self._who = (
            np.array(rows, dtype=np.float64).reshape(-1, 6).T
        )
        self._factors = np.log((waited + GRAIN_MS) / (ahead + GRAIN_MS))
        self._spreads: dict[tuple[int, int], Spread] = {}

    def spread(self, band: int, who: str) -> Spread:
        """Of logarithms of factors."""
        user = self._users.get(who, -1) if len(self._spreads) < USERS_MAX else -1
        found = self._spreads.get((band, user))
        if found is None:
            found = self._spreads[band, user] = self._spread(band, user)
        return found

    def _spread(self, band: int, user: int) -> Spread:
        in_band = self._bands == band
        weights, left = np.zeros(len(self._weights)), 1.0
        for rows, prior in ((in_band & (self._who == user), PRIOR_USER), (in_band, PRIOR_BAND)):
            own = np.where(rows, self._weights, 0.0)
            total = float(own.sum())
            if total:
                share = left * total / (total + prior)
                weights += own * (share / total)
                left -= share
        rest = left / (float(self._weights.sum()) + FIRST_WEIGHT * len(FIRST))
        weights += self._weights * rest
        values = np.concatenate([self._factors, FIRST])
        first = np.full(len(FIRST), FIRST_WEIGHT * rest)
        known = np.concatenate([self._known, np.ones(len(FIRST))])
        return product_limit(values, np.concatenate([weights, first]), known, float(values.max()))

    def _code(self, who: str) -> int:
        return self._users.setdefault(who, len(self._users))


def _weighted(moments: list[Sequence[Told]]) -> Iterable[tuple[Sequence[Told], float]]:
    """Moments, oldest first, and how much each of their estimates counts."""
    newest = len(moments) - 1
    for place, moment in enumerate(moments):
        yield moment, 0.5 ** ((newest - place) / HALF_LIFE) / len(moment)
