"""Which checkpoints a job's policy lets go of: a rule on values, with no files in it.

Records of one step of one attempt belong together (ranks may each report a part): they stay or go as one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from gigawatt.model.checkpoint import (
    Checkpoint,
    CheckpointState,
    KeepBest,
    KeepPolicy,
    Kept,
    MetricMode,
)
from gigawatt.model.values import replace

STEP, PATH = attrgetter("step"), attrgetter("path")


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """Everything that was reported of one step by one attempt."""

    parts: tuple[Checkpoint, ...]

    @property
    def at_ms(self) -> int:
        return max(part.at_ms for part in self.parts)

    @property
    def valid(self) -> bool:
        return all(part.state is CheckpointState.VALID for part in self.parts)

    def metric(self, name: str) -> float | None:
        """The newest value that a part has under that name."""
        said = [part.metric(name) for part in sorted(self.parts, key=age)]
        return next((value for value in reversed(said) if value is not None), None)


def age(checkpoint: Checkpoint) -> tuple[int, int, int, int]:
    """The order of a record: by report; two reports may come in the same millisecond."""
    return checkpoint.at_ms, checkpoint.attempt, checkpoint.step, checkpoint.rank


def by_step(checkpoints: Iterable[Checkpoint]) -> tuple[Saved, ...]:
    """Checkpoints by step and attempt, oldest first."""
    groups: dict[tuple[int, int], list[Checkpoint]] = {}
    for each in checkpoints:
        groups.setdefault((each.attempt, each.step), []).append(each)
    saved = [Saved(parts=tuple(sorted(parts, key=age))) for parts in groups.values()]
    return tuple(
        sorted(saved, key=lambda one: (one.at_ms, one.parts[0].attempt, one.parts[0].step))
    )


def newest_valid(checkpoints: Sequence[Checkpoint]) -> Checkpoint | None:
    """The one to resume from: of the newest step whose every part is valid, the part of the lowest rank.

    `checkpoints` are in the order of their reports. They are looked at from the newest on, since it mostly is that one.
    """
    steps = list(map(STEP, checkpoints))
    looked: set[tuple[int, int]] = set()
    for each in reversed(checkpoints):
        key = each.attempt, each.step
        if key in looked:
            continue
        looked.add(key)
        parts = [each]
        if steps.count(each.step) > 1:
            parts = [
                one for one in checkpoints if one.step == each.step and one.attempt == each.attempt
            ]
        if all(part.state is CheckpointState.VALID for part in parts):
            return min(parts, key=lambda part: (part.rank, -part.at_ms))
    return None


def to_remove(
    checkpoints: Sequence[Checkpoint], policy: KeepPolicy | None, *, pinned: frozenset[str]
) -> tuple[Checkpoint, ...]:
    """Those to delete, oldest first. The newest valid step, and any step with a pinned path, always stay.

    Invalid ones go once there is a newer valid one. Those that could not be deleted before are not asked for again.
    """
    if policy is None:
        return ()
    saved = by_step(checkpoints)
    valid = [one for one in saved if one.valid]
    if not valid:
        return ()
    kept = [*valid[-max(policy.keep_last, 1) :], *_best(valid, policy.keep_best)]
    gone = [
        one
        for one in saved[: saved.index(valid[-1])]
        if one not in kept and not any(part.path in pinned for part in one.parts)
    ]
    staying = {part.path for one in saved if one not in gone for part in one.parts}
    return tuple(
        part
        for one in gone
        for part in one.parts
        if not part.why_stays and part.path not in staying
    )


def without(checkpoints: Sequence[Checkpoint], paths: frozenset[str]) -> tuple[Checkpoint, ...]:
    """Those that are left. The work that only removed ones held is the next newer one's from now on."""
    gone = [place for place, path in enumerate(map(PATH, checkpoints)) if path in paths]
    if not gone:
        return tuple(checkpoints)
    left: list[Checkpoint] = []
    carried: tuple[Kept, ...] = ()
    for each in checkpoints[: gone[-1] + 2]:
        if each.path in paths:
            carried = added(carried, each.kept)
        else:
            left.append(replace(each, kept=added(carried, each.kept)) if carried else each)
            carried = ()
    left += checkpoints[gone[-1] + 2 :]
    if left and carried:  # the newest went: what it held is in the one before, or was reclassified
        left[-1] = replace(left[-1], kept=added(left[-1].kept, carried))
    return tuple(left)


def without_oldest(checkpoints: tuple[Checkpoint, ...], count: int) -> tuple[Checkpoint, ...]:
    """Those that are left once the `count` oldest have gone, which are not all."""
    carried: tuple[Kept, ...] = ()
    for each in checkpoints[:count]:
        carried = added(carried, each.kept)
    if not carried:
        return checkpoints[count:]
    heir = checkpoints[count]
    return (replace(heir, kept=added(carried, heir.kept)), *checkpoints[count + 1 :])


def added(first: tuple[Kept, ...], second: tuple[Kept, ...]) -> tuple[Kept, ...]:
    """The sum, by attempt."""
    total: dict[int, int] = {}
    for each in (*first, *second):
        total[each.attempt] = total.get(each.attempt, 0) + each.ms
    return tuple(Kept(attempt=attempt, ms=total[attempt]) for attempt in sorted(total))


def _best(valid: Sequence[Saved], best: KeepBest | None) -> list[Saved]:
    if best is None:
        return []
    sign = 1 if best.mode is MetricMode.MIN else -1
    known = [(value, one) for one in valid if (value := one.metric(best.metric)) is not None]
    ranked = sorted(known, key=lambda pair: (sign * pair[0], -pair[1].at_ms))
    return [one for _, one in ranked[: best.count]]
