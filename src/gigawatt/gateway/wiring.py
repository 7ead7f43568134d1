"""What the parts of a running gateway share: limits, clocks, metrics, and the loop they run on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gigawatt.gateway.head import SAFE_LINES
from gigawatt.gateway.limits import Limits
from gigawatt.gateway.meter import Meter
from gigawatt.gateway.metrics import Metrics
from gigawatt.gateway.shared import Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    limits: Limits
    loop: asyncio.AbstractEventLoop
    monotonic_s: Callable[[], float]
    wall_ms: Callable[[], int]
    metrics: Metrics
    meter: Meter
    shares: Shares
    report_demand: Callable[
        [], None
    ]  # someone waits who did not before: tell the control plane now
    safe: bytes = SAFE_LINES  # header lines of every reply
