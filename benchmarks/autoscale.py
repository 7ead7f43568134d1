"""Autoscaling in virtual time on public traces: GPU-seconds against p99 TTFT, ours and two that others use.

Knative's policy (a stable and a panic window, down by halves at most) and Ray Serve's (ongoing requests, fixed delays up
and down) are written after their documentation, and each is tuned by a grid on the first third of a trace; ours has a
grid too. What a grid found to be on its curve of GPU-seconds against p99 TTFT is judged on the rest. Azure's trace is an
hour as it is; ServeGen's rates are drawn down to a few requests a second over three days, with Azure's lengths.
"""

import csv
import io
import math
import tarfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure
from benchmarks.traces import absent, found
from gigawatt.model.scaling import Scaling
from gigawatt.twin.fleet import Fleet, Moment, Policy, ReplicaModel
from gigawatt.twin.playback import Objective, report_of
from gigawatt.twin.requests import Request, read_requests
from gigawatt.twin.scaler import Autoscaler

MODEL = ReplicaModel()
AZURE = ("azure-llm", "AzureLLMInferenceTrace_conv.csv.gz")
SERVEGEN = ("servegen", "language_m-small_traces.tar.gz")
SERVEGEN_DAYS, SERVEGEN_RATE, SERVEGEN_WINDOW_S = 3, 1.2, 600
WARM_S = 600.0
LEVELS_S = {"azure": (0.6, 0.7, 0.8, 1.0, 2.0), "servegen": (2.0, 5.0, 10.0, 15.0, 20.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    gpu_seconds: float
    ttft_p99_s: float


class Knative:
    """The pod autoscaler's rule with `concurrency` as its metric; at least one replica."""

    def __init__(self, utilization: float, stable_s: float, panic_percent: float) -> None:
        self._per = utilization * MODEL.concurrency
        self._stable_s, self._panic_s = stable_s, max(stable_s * 0.1, MODEL.tick_s)
        self._panic = panic_percent / 100
        self._seen: deque[tuple[float, int]] = deque()
        self._panics_until_s, self._panic_most = -1.0, 0

    def wanted(self, moment: Moment) -> int:
        now_s = moment.now_s
        self._seen.append((now_s, moment.in_flight + moment.queued))
        while self._seen[0][0] <= now_s - self._stable_s:
            self._seen.popleft()
        ready = max(moment.ready, 1)
        stable = math.ceil(_mean([each for _, each in self._seen]) / self._per)
        newest = [each for at_s, each in self._seen if at_s > now_s - self._panic_s]
        panic = math.ceil(_mean(newest) / self._per)
        if panic / ready >= self._panic:
            self._panics_until_s = now_s + self._stable_s
        if now_s < self._panics_until_s:
            self._panic_most = max(self._panic_most, panic, ready)
            return max(self._panic_most, 1)
        self._panic_most = 0
        return max(stable, ready // 2, 1)  # down by halves at most


class RayServe:
    """Ongoing requests over 30 s by a target each; up and down only after they have asked for it for so long."""

    def __init__(self, target: float, up_s: float = 30.0, down_s: float = 600.0) -> None:
        self._target, self._up_s, self._down_s = target, up_s, down_s
        self._seen: deque[tuple[float, int]] = deque()
        self._counter = 0

    def wanted(self, moment: Moment) -> int:
        self._seen.append((moment.now_s, moment.in_flight + moment.queued))
        while self._seen[0][0] <= moment.now_s - 30.0:
            self._seen.popleft()
        desired = max(math.ceil(_mean([each for _, each in self._seen]) / self._target), 1)
        if desired > moment.current:
            self._counter = max(self._counter, 0) + 1
            due = self._counter > self._up_s / MODEL.tick_s
        elif desired < moment.current:
            self._counter = min(self._counter, 0) - 1
            due = -self._counter > self._down_s / MODEL.tick_s
        else:
            self._counter, due = 0, False
        if not due:
            return moment.current
        self._counter = 0
        return desired


Make = Callable[[], Policy]


def run() -> list[Figure]:
    """A figure for each trace and level of p99 TTFT."""
    figures: list[Figure] = []
    for name, load in (("azure", _azure), ("servegen", _servegen)):
        requests = load()
        if requests is None:
            print(absent(*(AZURE if name == "azure" else SERVEGEN)))
            continue
        curves = {who: judged(makes, requests) for who, makes in grids().items()}
        for who, curve in curves.items():
            told = ", ".join(f"{each.ttft_p99_s:.2f} s: {each.gpu_seconds:.0f}" for each in curve)
            print(f"{name} {who}: {told}", flush=True)
        figures += _figures(name, curves)
    return figures


def grids() -> dict[str, list[Make]]:
    """What each is tuned over: as many settings of three numbers for each."""
    parts = (0.3, 0.4, 0.5, 0.6, 0.7, 0.9)
    return {
        "knative": [
            lambda each=each: Knative(*each)
            for each in product(parts, (60.0, 120.0, 600.0), (150.0, 200.0, 400.0))
        ],
        "ray": [
            lambda each=each: RayServe(each[0] * MODEL.concurrency, *each[1:])
            for each in product(parts, (10.0, 30.0, 90.0), (60.0, 300.0, 600.0))
        ],
        "ours": [
            lambda each=each: Autoscaler(
                MODEL,
                Scaling(headroom_milli=each[0], hold_s=each[1], window_s=each[2]),
                least=1,
            )
            for each in product((500, 1000, 2000, 3000, 4000, 6000), (60, 120, 300), (20, 60, 120))
        ],
    }


def judged(makes: Sequence[Make], requests: Sequence[Request]) -> list[Point]:
    """Those on the curve of the first third, as they do on the rest; by p99 TTFT."""
    third_s = requests[-1].at_s / 3
    first = [each for each in requests if each.at_s < third_s]
    tuned = [(_played(make(), first, 0.0), make) for make in makes]
    best = [make for point, make in tuned if not any(_better(other, point) for other, _ in tuned)]
    points = [_played(make(), requests, third_s) for make in best]
    return sorted(points, key=lambda each: each.ttft_p99_s)


def _played(policy: Policy, requests: Sequence[Request], from_s: float) -> Point:
    fleet = Fleet(MODEL, policy, start=_warm(requests), judged_from_s=from_s)
    gpu_seconds = fleet.run(requests)
    report = report_of(
        fleet.played, Objective(), gpu_seconds=gpu_seconds, cold_starts=fleet.cold_starts
    )
    return Point(gpu_seconds=gpu_seconds, ttft_p99_s=report.ttft_p99_s)


def _warm(requests: Sequence[Request]) -> int:
    """Replicas that the first ten minutes need on average: a site that begins cold would be what is tuned for."""
    first = [each for each in requests if each.at_s < WARM_S]
    busy_s = sum(
        each.prompt_tokens / MODEL.prefill_tokens_s + each.completion_tokens * MODEL.tpot_s
        for each in first
    )
    return max(math.ceil(busy_s / WARM_S / MODEL.concurrency), 1)


def _better(one: Point, other: Point) -> bool:
    no_worse = one.gpu_seconds <= other.gpu_seconds and one.ttft_p99_s <= other.ttft_p99_s
    return no_worse and one != other


def _figures(name: str, curves: dict[str, list[Point]]) -> list[Figure]:
    figures: list[Figure] = []
    for level_s in LEVELS_S[name]:
        cost = {who: _cost(curve, level_s) for who, curve in curves.items()}
        for other, limit in (("knative", 0.8), ("ray", 0.7)):
            if math.isfinite(cost[other]) and math.isfinite(cost["ours"]):
                figures.append(
                    Figure(
                        what=f"autoscale: GPU-seconds at p99 TTFT {level_s:g} s, {name}, of {other}'s",
                        value=cost["ours"] / cost[other],
                        unit="ratio",
                        goal=limit,
                        note=f"{cost['ours']:.0f} and {cost[other]:.0f}",
                    )
                )
    return figures


def _cost(curve: Sequence[Point], level_s: float) -> float:
    return min((each.gpu_seconds for each in curve if each.ttft_p99_s <= level_s), default=math.inf)


def _azure() -> tuple[Request, ...] | None:
    path = found(*AZURE)
    return read_requests(path, "azure") if path else None


def _servegen() -> tuple[Request, ...] | None:
    path, lengths = found(*SERVEGEN), _azure()
    if path is None or lengths is None:
        return None
    chance = np.random.default_rng(1)
    clients = _rates(path, SERVEGEN_DAYS * 86_400 // SERVEGEN_WINDOW_S)
    part = SERVEGEN_RATE / sum(rate.mean() for rate, _ in clients)
    times: list[np.ndarray] = []
    for rates, spreads in clients:
        for window, (rate, spread) in enumerate(zip(rates * part, spreads, strict=True)):
            times.append(window * SERVEGEN_WINDOW_S + _arrivals(chance, rate, max(spread, 0.3)))
    at_s = np.sort(np.concatenate(times))
    chosen = chance.integers(0, len(lengths), len(at_s))
    return tuple(
        Request(
            at_s=when,
            prompt_tokens=length.prompt_tokens,
            completion_tokens=length.completion_tokens,
        )
        for when, length in zip(at_s.tolist(), (lengths[int(n)] for n in chosen), strict=True)
    )


def _rates(path: Path, windows: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each client, requests a second and the coefficient of variation of its gaps, by window."""
    clients: list[tuple[np.ndarray, np.ndarray]] = []
    with tarfile.open(path) as archive:
        for member in sorted(archive.getmembers(), key=lambda each: each.name):
            file = archive.extractfile(member) if member.name.endswith("-trace.csv") else None
            if file is None:
                continue
            rows = [row for row in csv.reader(io.TextIOWrapper(file)) if row[0].isdigit()]
            told = np.array([(float(r[1] or 0), float(r[2] or 0)) for r in rows[:windows]])
            clients.append((told[:, 0], told[:, 1]))
    return clients


def _arrivals(chance: np.random.Generator, rate: float, spread: float) -> np.ndarray:
    """Times within a window: gamma gaps, or Poisson where there are too few for gaps to be drawn."""
    if rate * SERVEGEN_WINDOW_S < 0.5:
        count = chance.poisson(rate * SERVEGEN_WINDOW_S)
        return chance.random(count) * SERVEGEN_WINDOW_S
    shape = 1 / spread**2
    gaps = chance.gamma(shape, 1 / (shape * rate), int(rate * SERVEGEN_WINDOW_S * 2 + 50))
    times = gaps.cumsum() - chance.random() / rate
    return times[(times >= 0) & (times < SERVEGEN_WINDOW_S)]


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)
