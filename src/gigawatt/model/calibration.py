"""What estimates of starts have learned from how past ones came true: kept, so that a new leader knows it too."""

from dataclasses import dataclass

CALIBRATION_ID = "starts"  # of the one that there is

Past = tuple[int, int, int, int, str]
"""One estimate: when it was made, how far ahead the start was said to be, how long it took, all in milliseconds; 1 if the
start came then, 0 if all that is known is that it took longer; and whose gang it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Bounded, whatever the site: the newest of everything. `pinball_ms` is the sum over all that were scored."""

    id: str = CALIBRATION_ID
    at_ms: int
    moments: tuple[tuple[int, tuple[Past, ...]], ...] = ()  # with their bands, oldest first
    late: tuple[float, ...] = ()  # logarithms of the newest waits
    count: int = 0
    covered_p50: int = 0
    covered_p90: int = 0
    pinball_ms: float = 0.0
    version: int = 1
