"""Which quantiles of what was seen are said for P50 and P90, so that they cover what they claim.

What was seen of others is never quite what comes: a site that fills up is late again and again. So after every estimate
that came true or did not, the quantile that is said next moves a little: up if the start came later, down if it came in
time, in such parts that it rests where P90 covers nine of ten. Whatever the waits are, the part that is covered in the
long run is then off by no more than the bounds let it.

Estimates of one moment err together: n of them move it as far as the root of n would one by one.

Source: Gibbs, Candès, "Adaptive conformal inference under distribution shift", NeurIPS 2021.
"""

from math import sqrt

P50, P90 = 0.5, 0.9
GAIN = 0.05  # of one estimate that is alone in its moment
LEAST, MOST = (0.2, 0.6), (0.8, 0.985)  # of the quantiles that are said for P50 and P90


class Quantiles:
    """`said` are the parts of what was seen; `learn` what became of an estimate."""

    def __init__(self, said: tuple[float, float] = (P50, P90)) -> None:
        self.said = said

    def learn(self, covered: tuple[bool, bool], *, alike: int) -> None:
        """Whether the start came by P50 and by P90 of an estimate that was made together with others: `alike` in all."""
        gain = GAIN / sqrt(alike)
        half, most = (
            min(max(said + gain * (part - came), least), highest)
            for said, part, came, least, highest in zip(
                self.said, (P50, P90), covered, LEAST, MOST, strict=True
            )
        )
        self.said = (half, most)
