"""Between the model's values and what goes over the wire to supervisors. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from gigawatt.engine.local.machine import ADDRESS, Machine, NodeSpec
from gigawatt.model.attempt import Progress
from gigawatt.model.checkpoint import Checkpoint, Finding
from gigawatt.model.health import CheckResult, Outcome
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.node import NodeReport
from gigawatt.model.observation import (
    AttemptGone,
    CheckpointSaved,
    CheckpointsFound,
    Observation,
    RankExited,
    RankProgress,
    RankStarted,
    ReplicaReadiness,
)
from gigawatt.model.secret import Into

INTEGER_MAX = 1 << 53  # of what programs report: all that JSON and every store keep exactly


_NO_SOURCES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Walls:
    """What supervisors are told of walls; `ours` is below what directory volumes are gigawatt's own."""

    facts: Mapping[str, Any] | None = None
    ours: str = ""


NO_WALLS = Walls()


def parse_key(text: str) -> AttemptKey:
    gang, _, attempt = text.rpartition(".")
    return AttemptKey(gang=gang, attempt=int(attempt))


def key_of(launch: Launch) -> AttemptKey:
    return AttemptKey(gang=launch.gang, attempt=launch.attempt)


def nodes_of(launch: Launch) -> tuple[str, ...]:
    """The gang's nodes in rank order, each once."""
    return tuple(dict.fromkeys(placement.node for placement in launch.placements))


def stage_spec(
    launch: Launch,
    node: NodeSpec,
    *,
    template: str,
    sources: Mapping[str, str] = _NO_SOURCES,
    master_addr: str = ADDRESS,
    walls: Walls = NO_WALLS,
) -> dict[str, Any]:
    """One node's part of a launch, as its supervisor parses it. `sources` says where volumes are on the node."""
    nodes = nodes_of(launch)
    ranks = [each for each in launch.placements if each.node == node.id]
    readiness = launch.readiness
    return {
        "key": str(key_of(launch)),
        "gang": launch.gang,
        "attempt": launch.attempt,
        "kind": launch.kind.value,
        "name": launch.name,
        "tenant": launch.tenant,
        "project": launch.project,
        "command": launch.command,
        "env": dict(launch.env),
        "nodes": nodes,
        "node_rank": nodes.index(node.id),
        "world_size": len(launch.placements),
        "ranks": [
            {"rank": each.rank, "local_rank": each.local_rank, "gpus": each.gpus} for each in ranks
        ],
        "milli_cpu": launch.per_rank.milli_cpu,
        "memory_bytes": launch.per_rank.memory_bytes,
        "node_has_gpus": bool(node.gpus),
        "environment": launch.environment,
        "template": template,
        "workdir": launch.workdir,
        "checkpoint_dir": launch.checkpoint_dir,
        "model_path": launch.model_path,
        "resume_step": launch.resume_step,
        "resume_path": launch.resume_path,
        "readiness": readiness
        and {"path": readiness.path, "interval_s": readiness.interval_ms / 1000},
        "terminal": launch.terminal,
        "log_bytes_max": launch.log_bytes_max,
        "master_addr": master_addr,
        "volumes": [
            {
                "name": each.volume,
                "path": each.path,
                "source": sources[each.volume],
                "writable": each.writable,
                "ours": bool(walls.ours) and sources[each.volume].startswith(f"{walls.ours}/"),
            }
            for each in launch.volumes
        ],
        "secret_env": [each.variable for each in launch.uses if each.into is Into.ENV],
        "walls": walls.facts,
        "home": launch.home,
        "tools": launch.tools,
    }


def node_report(node: NodeSpec, machine: Machine, *, limits: str) -> NodeReport:
    return NodeReport(
        id=node.id,
        total=node.total,
        topology=node.topology,
        address=ADDRESS,
        gpus=node.gpus,
        limits=limits,
        system=machine.system,
        pythons=machine.pythons,
        labels=node.labels,
    )


def observation(key: AttemptKey, entry: dict[str, Any]) -> Observation | None:
    """What a supervisor's entry says to the leader; None for what only the engine needs."""
    match entry["kind"]:
        case "started":
            return RankStarted(
                at_ms=entry["at_ms"],
                key=key,
                rank=entry["rank"],
                pid=entry["pid"],
                address=entry["address"],
            )
        case "exited":
            return RankExited(
                at_ms=entry["at_ms"],
                key=key,
                rank=entry["rank"],
                exit_code=entry["exit_code"],
                signal=entry["signal"],
                oom=entry["oom"],
                asked=entry["asked"],
                lost=entry["lost"],
                last_lines=tuple(entry["last_lines"]),
            )
        case "progress":
            progress = parse_progress(entry["progress"], at_ms=entry["at_ms"])
            return RankProgress(key=key, rank=entry["rank"], progress=progress)
        case "checkpoint":
            return _checkpoint(key, entry)
        case "digest":
            known = Finding(path=entry["path"], digest=entry["digest"])
            return CheckpointsFound(at_ms=entry["at_ms"], job=key.gang, findings=(known,))
        case "readiness":
            return ReplicaReadiness(
                at_ms=entry["at_ms"], key=key, ready=entry["ready"], detail=entry["detail"]
            )
        case _:
            return None


def gone(key: AttemptKey, *, at_ms: int) -> AttemptGone:
    return AttemptGone(at_ms=at_ms, key=key)


def parse_progress(raw: dict[str, Any], *, at_ms: int) -> Progress:
    """A line that a rank's program wrote; what is not of the right type is left out."""
    return Progress(
        at_ms=_integer(raw.get("at_ms")) or at_ms,
        step=_integer(raw.get("step")),
        loss=_number(raw.get("loss")),
        tokens=_integer(raw.get("tokens")),
        tokens_per_s=_number(raw.get("tokens_per_s")),
        metrics=_metrics(raw.get("metrics")),
    )


def check_result(raw: Mapping[str, Any]) -> CheckResult:
    """What a check said, as its program wrote it."""
    outcome = str(raw.get("outcome"))
    return CheckResult(
        name=str(raw.get("name")),
        outcome=Outcome(outcome) if outcome in set(Outcome) else Outcome.FAIL,
        at_ms=_integer(raw.get("at_ms")) or 0,
        detail=str(raw.get("detail", "")),
        took_ms=_integer(raw.get("took_ms")) or 0,
    )


def _metrics(raw: object) -> tuple[tuple[str, float], ...]:
    pairs = cast("dict[str, object]", raw) if isinstance(raw, dict) else {}
    return tuple(
        sorted(
            (str(name), number)
            for name, value in pairs.items()
            if (number := _number(value)) is not None
        )
    )


def _checkpoint(key: AttemptKey, entry: dict[str, Any]) -> CheckpointSaved | None:
    raw = entry["checkpoint"]
    step = _integer(raw["step"])
    if step is None:
        return None
    at_ms = _integer(raw.get("at_ms")) or entry["at_ms"]
    checkpoint = Checkpoint(
        step=step,
        path=raw["path"],
        at_ms=at_ms,
        attempt=key.attempt,
        rank=entry["rank"],
        size_bytes=_integer(raw.get("size_bytes")) or 0,
        files=_integer(raw.get("files")) or 0,
        manifest=raw.get("manifest", ""),
        metrics=_metrics(raw.get("metrics")),
    )
    return CheckpointSaved(key=key, rank=entry["rank"], checkpoint=checkpoint)


def _integer(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > INTEGER_MAX:
        return None
    return value


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and abs(value) > INTEGER_MAX:
        return None
    number = float(value)
    return number if math.isfinite(number) else None
