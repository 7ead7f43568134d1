"""Which checkpoints a policy lets go of: whatever was reported, in whatever state."""

import hypothesis.strategies as st
from hypothesis import given

from gigawatt.model.checkpoint import (
    Checkpoint,
    CheckpointState,
    KeepBest,
    KeepPolicy,
    Kept,
    MetricMode,
)
from gigawatt.reconcile.retention import by_step, newest_valid, to_remove, without

RECORD = st.tuples(
    st.integers(0, 9),  # step
    st.integers(1, 3),  # attempt
    st.integers(0, 1),  # rank
    st.sampled_from((*CheckpointState, CheckpointState.VALID)),
    st.one_of(st.none(), st.integers(-3, 3)),  # its metric
)
POLICY = st.builds(
    KeepPolicy,
    keep_last=st.integers(0, 4),
    keep_best=st.one_of(
        st.none(),
        st.builds(
            KeepBest,
            metric=st.just("loss"),
            mode=st.sampled_from(tuple(MetricMode)),
            count=st.integers(1, 3),
        ),
    ),
)


@st.composite
def records(draw: st.DrawFn) -> tuple[Checkpoint, ...]:
    """A job's record: in the order of reports, no path twice."""
    found: dict[str, Checkpoint] = {}
    for number, (step, attempt, rank, state, metric) in enumerate(
        draw(st.lists(RECORD, max_size=24))
    ):
        path = f"/c/{attempt}/{step}/{rank}"
        found.pop(path, None)
        found[path] = Checkpoint(
            step=step,
            path=path,
            at_ms=number * 10,
            attempt=attempt,
            rank=rank,
            state=state,
            metrics=() if metric is None else (("loss", float(metric)),),
            kept=(Kept(attempt=attempt, ms=number + 1),),
        )
    return tuple(found.values())


@given(records(), POLICY)
def test_what_would_be_resumed_from_always_stays(
    history: tuple[Checkpoint, ...], policy: KeepPolicy
) -> None:
    gone = to_remove(history, policy, pinned=frozenset())
    newest = newest_valid(history)
    assert newest not in gone
    if newest is None:
        assert gone == ()


@given(records(), POLICY, st.integers(0, 23))
def test_a_pinned_path_stays_with_everything_of_its_step(
    history: tuple[Checkpoint, ...], policy: KeepPolicy, which: int
) -> None:
    if not history:
        return
    pinned = history[which % len(history)]
    gone = to_remove(history, policy, pinned=frozenset({pinned.path}))
    together = next(one for one in by_step(history) if pinned in one.parts)
    assert not set(together.parts) & set(gone)


@given(records(), POLICY)
def test_the_last_and_the_best_are_left_and_nothing_else_that_is_older(
    history: tuple[Checkpoint, ...], policy: KeepPolicy
) -> None:
    gone = set(to_remove(history, policy, pinned=frozenset()))
    valid = [one for one in by_step(history) if one.valid]
    left = [one for one in valid if not set(one.parts) & gone]
    assert left[-max(policy.keep_last, 1) :] == valid[-max(policy.keep_last, 1) :]
    best = policy.keep_best
    most = max(policy.keep_last, 1) + (best.count if best else 0)
    assert len(left) <= most
    if best is None:
        return
    values = [value for one in valid if (value := one.metric("loss")) is not None]
    ranked = sorted(values, reverse=best.mode is MetricMode.MAX)[: best.count]
    stay = sorted(value for one in left if (value := one.metric("loss")) is not None)
    assert all(value in stay for value in ranked)


@given(records())
def test_without_a_policy_nothing_goes(history: tuple[Checkpoint, ...]) -> None:
    assert to_remove(history, None, pinned=frozenset()) == ()


@given(records(), POLICY)
def test_what_has_been_removed_is_not_asked_for_again_and_the_rule_has_nothing_more_to_say(
    history: tuple[Checkpoint, ...], policy: KeepPolicy
) -> None:
    gone = to_remove(history, policy, pinned=frozenset())
    left = without(history, frozenset(each.path for each in gone))
    assert to_remove(left, policy, pinned=frozenset()) == ()


@given(records(), POLICY)
def test_no_kept_work_is_lost_with_a_record(
    history: tuple[Checkpoint, ...], policy: KeepPolicy
) -> None:
    gone = to_remove(history, policy, pinned=frozenset())
    left = without(history, frozenset(each.path for each in gone))
    assert _ms(left) == _ms(history)


def _ms(history: tuple[Checkpoint, ...]) -> int:
    return sum(kept.ms for each in history for kept in each.kept)
