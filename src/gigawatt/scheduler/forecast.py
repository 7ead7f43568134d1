"""When gangs would start: plays of the line ahead, with durations drawn from what gangs alike took."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from zlib import crc32

import numpy as np

from gigawatt.scheduler.ahead import ROUNDS_MAX, Ahead, Held
from gigawatt.scheduler.durations import Likeness
from gigawatt.scheduler.facts import named_devices
from gigawatt.scheduler.outlook import Outlook, Runner
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.snapshot import NEVER_MS, NONE, Snapshot
from gigawatt.scheduler.survival import Spread

UNENDING_MS = 1 << 50  # of what runs until somebody ends it

Asking = Mapping[str, Likeness]
"""What gangs are like that only somebody asks about, by id."""

Part = Callable[[str], float]
"""Of each gang, which part of its likely durations is taken: 0.5 is the median."""


def drawn(play: int) -> Part:
    """Another part for each gang and play, evenly from 0 to 1, and always the same."""

    def part(gang: str) -> float:
        return (crc32(f"{play}/{gang}".encode()) + 0.5) / (1 << 32)

    return part


def middle(_gang: str) -> float:
    """The median of all."""
    return 0.5


def ahead_of(
    snapshot: Snapshot,
    policy: Policy,
    outlook: Outlook,
    part: Part | None,
    *,
    asking: Asking = MappingProxyType({}),
    rounds_max: int = ROUNDS_MAX,
) -> Ahead:
    """A play from `snapshot` on, of which `outlook` knows the gangs but those that are `asking`.

    Without `part` all run up to their limits. All that the play needs of the outlook is taken now.
    """
    spreads = _Spreads(outlook, snapshot.now_ms)
    gangs = snapshot.gangs
    runs_ms: dict[str, int] = {}
    for gang, limit_ms in zip(gangs.ids, gangs.duration_ms_G.tolist(), strict=True):
        like = asking.get(gang) or outlook.like(gang)
        if part is None or like is None:
            runs_ms[gang] = limit_ms or UNENDING_MS
        else:
            runs_ms[gang] = int(spreads.of(like, 0).quantile(part(gang)))
    held: list[Held] = []
    for gang, runner in outlook.runners.items():
        end_ms = NEVER_MS
        if part is None:
            end_ms = runner.held.end_ms
        elif runner.like is not None:
            ran_ms = max(snapshot.now_ms - runner.since_ms, 0)
            end_ms = runner.since_ms + int(spreads.of(runner.like, ran_ms).quantile(part(gang)))
        held.append(_held(snapshot, outlook, runner, end_ms))
    return Ahead(snapshot, policy, held, runs_ms=runs_ms, rounds_max=rounds_max)


class _Spreads:
    """Answers of one play, kept: gangs that are alike and have run about as long get the same."""

    def __init__(self, outlook: Outlook, now_ms: int) -> None:
        self._now_ms = now_ms
        self._durations = outlook.durations
        self._known: dict[tuple[Likeness, int], Spread] = {}

    def of(self, like: Likeness, ran_ms: int) -> Spread:
        about_ms = _about(ran_ms)
        known = self._known.get((like, about_ms))
        if known is None:
            known = self._durations.spread(like, now_ms=self._now_ms, ran_ms=about_ms)
            self._known[like, about_ms] = known
        return known


def _about(ran_ms: int) -> int:
    """Rounded down to three binary digits."""
    shift = max(ran_ms.bit_length() - 3, 0)
    return ran_ms >> shift << shift


def _held(snapshot: Snapshot, outlook: Outlook, runner: Runner, end_ms: int) -> Held:
    use, nodes = runner.held, snapshot.nodes
    given = use.devices or ((),) * len(use.nodes)
    there = [
        (row, node, uuids)
        for node, uuids in zip(use.nodes, given, strict=True)
        if (row := nodes.row(node)) != NONE
    ]
    devices = [tuple(named_devices(outlook.nodes[node], uuids)) for _, node, uuids in there]
    return Held(
        rows=np.array([row for row, _, _ in there], dtype=np.intp),
        places=np.array([use.places.get(node, 1) for _, node, _ in there], dtype=np.intp),
        amounts=use.per_node.vector(),
        devices=tuple(devices) if use.devices else (),
        alone=use.sealed,
        owner=runner.owner,
        end_ms=max(end_ms, snapshot.now_ms + 1) if end_ms != NEVER_MS else NEVER_MS,
        must_ms=use.end_ms,
    )
