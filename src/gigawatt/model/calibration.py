"""What estimates of starts have learned from how past ones came true: kept, so that a new leader knows it too."""

from dataclasses import dataclass

CALIBRATION_ID = "starts"  # of the one that there is

Past = tuple[int, int, int, int]
"""One estimate: when it was made, how far ahead the start was said to be, how long it took, all in milliseconds; and 1
if the start came then, 0 if all that is known is that it took longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Bounded, whatever the site: the newest of everything. `pinball_ms` is the sum over all that were scored."""

    id: str = CALIBRATION_ID
    at_ms: int
    quantiles: tuple[float, float] = (0.5, 0.9)  # of what was seen, that are said for P50 and P90
    moments: tuple[tuple[int, tuple[Past, ...]], ...] = ()  # with their bands, oldest first
    late: tuple[float, ...] = ()  # logarithms of the newest waits
    count: int = 0
    covered_p50: int = 0
    covered_p90: int = 0
    pinball_ms: float = 0.0
    version: int = 1
