"""A rollout as callers see it, and the revisions that an endpoint has had."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from gigawatt.model.endpoint import Endpoint, EndpointPhase, EndpointSpec, Revision
from gigawatt.model.rollout import WHOLE, RevisionPhase, Seen, Strategy
from gigawatt.routing.evidence import PERCENTILE
from gigawatt.routing.latency import quantile_bucket, upper_ms
from gigawatt.routing.rollout import next_weight, share
from gigawatt.service.views.jobs import DryRunView, PlacementView, ReasonView

MILLI = 1000
PAST = "past"  # it was live
KEPT_IN = frozenset({EndpointPhase.READY, EndpointPhase.ZERO})  # the revision that there is


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenView:
    """What came of a revision's requests since the last step; `p99_ms` is of its times to the first byte, about."""

    requests: int
    errors: int
    p99_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutView:
    """A rollout under way: `weight` percent of the requests go to `revision`, the others to `before`."""

    revision: int
    before: int
    strategy: str
    weight: int
    next_weight: int | None  # None when it has all
    paused: bool
    in_turn: bool  # old replicas make room for new ones
    why: str  # it is where it is; one sentence
    by: str
    began_ms: int
    since_ms: int  # when it began to take as many
    new: SeenView
    old: SeenView


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionView:
    """A spec that an endpoint had. `current` is the one that it has now."""

    number: int
    phase: str
    current: bool
    model: str
    environment: str
    command: tuple[str, ...]
    created_ms: int
    created_by: str
    ended_ms: int | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChangeView:
    """One field of the endpoint file, and its value before and after; null where it is not there."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDryRunView:
    """What would happen if it were served now. `spec` is what was understood, defaults filled in.

    `change` is create, none, in_place, replace or rollout; `gpus_most` is while both revisions are there.
    """

    feasible: bool
    starts_now: bool  # the first new replica, beside all that runs
    placements: tuple[PlacementView, ...]
    reason: ReasonView | None
    spec: Mapping[str, Any]
    change: str
    revision: int
    changes: tuple[FieldChangeView, ...]
    replicas: int  # there are, of the revision before
    new_replicas: int  # that would be started first
    gpus: float
    gpus_most: float


def rollout_view(endpoint: Endpoint) -> RolloutView | None:
    """None where none is under way."""
    rollout = endpoint.rollout
    if rollout is None:
        return None
    plan = endpoint.spec.rollout
    return RolloutView(
        revision=endpoint.generation,
        before=rollout.before_generation,
        strategy=plan.strategy.value,
        weight=rollout.weight,
        next_weight=next_weight(rollout, plan) if rollout.weight < WHOLE else None,
        paused=rollout.paused,
        in_turn=rollout.in_turn,
        why=rollout.why,
        by=rollout.by,
        began_ms=rollout.began_ms,
        since_ms=rollout.since_ms,
        new=_seen_view(rollout.new),
        old=_seen_view(rollout.old),
    )


def revision_view(revision: Revision, endpoint: Endpoint) -> RevisionView:
    """Of the endpoint as it is now."""
    past = revision.phase is RevisionPhase.LIVE and revision.number not in endpoint.generations
    return RevisionView(
        number=revision.number,
        phase=PAST if past else revision.phase.value,
        current=revision.number == endpoint.generation,
        model=revision.spec.model,
        environment=revision.spec.environment,
        command=revision.spec.command,
        created_ms=revision.created_ms,
        created_by=revision.created_by,
        ended_ms=revision.ended_ms,
        message=revision.message,
    )


def field_changes(
    before: Mapping[str, Any], after: Mapping[str, Any], at: str = ""
) -> list[FieldChangeView]:
    """Fields that differ, those of mappings by their paths; sorted."""
    found: list[FieldChangeView] = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            mappings = cast("Mapping[str, Any]", old), cast("Mapping[str, Any]", new)
            found += field_changes(*mappings, f"{at}{name}.")
        elif old != new:
            found.append(FieldChangeView(field=f"{at}{name}", before=old, after=new))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A spec that is tried out, and the endpoint that has its name, with so many replicas; None where there is none."""

    before: Endpoint | None
    replicas: int
    spec: EndpointSpec


def dry_run_view(
    tried: Tried, answer: DryRunView, changes: list[FieldChangeView]
) -> EndpointDryRunView:
    """`answer` is about one new replica."""
    spec, before = tried.spec, tried.before
    kind = _kind(tried)
    first, kept = _first_replicas(tried, kind)
    gpus = spec.shape.nodes_max * spec.shape.per_node.milli_gpu / MILLI
    old = before.spec.shape if before else spec.shape
    there = tried.replicas * old.nodes_max * old.per_node.milli_gpu / MILLI
    whole = max(tried.replicas, spec.replicas_min) if kind == "rollout" else first
    return EndpointDryRunView(
        feasible=answer.feasible,
        starts_now=answer.starts_now,
        placements=answer.placements,
        reason=answer.reason,
        spec=answer.spec,
        change=kind,
        revision=_revision(before, kind),
        changes=tuple(changes),
        replicas=tried.replicas,
        new_replicas=first,
        gpus=there,
        gpus_most=there + whole * gpus if kept else max(there, whole * gpus),
    )


def _kind(tried: Tried) -> str:
    before, spec = tried.before, tried.spec
    if before is None:
        return "create"
    if before.spec == spec:
        return "none"
    if before.spec.runs_as(spec):
        return "in_place"
    return "rollout" if before.phase in KEPT_IN else "replace"


def _revision(before: Endpoint | None, kind: str) -> int:
    if before is None:
        return 1
    newest = max(before.revisions, before.generation)
    return newest + 1 if kind in {"rollout", "replace"} else before.generation


def _first_replicas(tried: Tried, kind: str) -> tuple[int, bool]:
    """How many new ones are started first, and whether the old ones stay beside them."""
    spec = tried.spec
    wanted = max(tried.replicas, spec.replicas_min)
    if kind in {"none", "in_place"}:
        return max(spec.replicas_min - tried.replicas, 0), True
    if kind == "rollout":
        canary = spec.rollout.strategy is Strategy.CANARY and spec.rollout.steps
        return share(wanted, spec.rollout.steps[0] if canary else WHOLE), True
    return wanted, False


def _seen_view(seen: Seen) -> SeenView:
    p99_ms = round(upper_ms(quantile_bucket(seen.ttft, PERCENTILE))) if seen.ttft else None
    return SeenView(requests=seen.requests, errors=seen.errors, p99_ms=p99_ms)
