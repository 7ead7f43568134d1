"""Specs in the words of the job file, so that what was understood can be read, changed and sent again."""

from typing import Any

from gigawatt.model.deadline import AtDeadline
from gigawatt.model.endpoint import EndpointSpec
from gigawatt.model.environment import EnvironmentSpec
from gigawatt.model.gang import Shape
from gigawatt.model.job import HANG_OFF, JobSpec
from gigawatt.model.secret import SecretUse
from gigawatt.model.volume import Mount
from gigawatt.spec.rollout import rollout_fields
from gigawatt.spec.scaling import scaling_fields


def job_spec_fields(spec: JobSpec, environment: EnvironmentSpec) -> dict[str, Any]:
    """A job as it was understood, in the job file's words."""
    return {
        "kind": "job",
        "name": spec.name,
        "command": list(spec.command),
        "gang": gang_fields(spec.shape),
        "environment": environment_fields(environment),
        "bundle": spec.bundle,
        "workdir": spec.workdir,
        "env": dict(spec.env),
        "priority": spec.priority,
        "timeout": spec.timeout_s,
        "start_after": spec.windows[0].start_ms if spec.windows else 0,
        "start_before": spec.windows[0].end_ms if spec.windows else 0,
        "deadline": spec.deadline.at_ms if spec.deadline else 0,
        "finish_within": spec.deadline.within_s if spec.deadline else 0,
        "at_deadline": spec.deadline.then.value if spec.deadline else AtDeadline.KEEP.value,
        "grace": spec.grace_s,
        "retries": {"user": spec.retries_user, "infrastructure": spec.retries_infrastructure},
        "after": [
            earlier
            for earlier in spec.after
            if earlier not in {*spec.after_failed, *spec.after_done}
        ],
        "after_failed": list(spec.after_failed),
        "after_done": list(spec.after_done),
        "after_each": spec.after_each,
        "labels": dict(spec.labels),
        "volumes": [mount_fields(mount) for mount in spec.volumes],
        "secrets": use_fields(spec.secrets),
        "model": _output_fields(spec),
        "checkpoints": _keep_fields(spec),
        "terminal": spec.terminal,
        "isolation": spec.isolation.value,
        "hang": {0: "auto", HANG_OFF: "off"}.get(spec.hang_steps, spec.hang_steps),
        "from": f"{spec.origin.job}@{spec.origin.checkpoint.step}" if spec.origin else "",
    }


def mount_fields(mount: Mount) -> dict[str, Any]:
    """A mount in the job file's words."""
    mode = "rw" if mount.writable else "ro"
    return {"volume": mount.ref, "path": mount.path, "mode": mode}


def use_fields(uses: tuple[SecretUse, ...]) -> dict[str, Any]:
    """What leads to secrets, in the job file's words."""
    return {each.variable: {"secret": each.secret, "into": each.into.value} for each in uses}


def gang_fields(shape: Shape) -> dict[str, Any]:
    """A gang in the job file's words."""
    segment, spread = shape.segment, shape.spread
    return {
        "nodes": {"min": shape.nodes_min, "max": shape.nodes_max},
        "ranks_per_node": shape.ranks_per_node,
        "gpus": shape.per_node.milli_gpu / 1_000,
        "gpu_kinds": list(shape.gpu_kinds),
        "cpus": shape.per_node.milli_cpu / 1_000,
        "memory": shape.per_node.memory_bytes,
        "same": shape.same,
        "segment": segment and {"nodes": segment.nodes, "level": segment.level},
        "spares": shape.spares,
        "spread": spread and {"level": spread.level, "at_most": spread.at_most or None},
        "apart": [{"labels": dict(each.labels), "level": each.level} for each in shape.apart],
        "watts": shape.milliwatts / 1_000,
    }


def environment_fields(spec: EnvironmentSpec) -> dict[str, Any]:
    """An environment in the job file's words."""
    return {
        "kind": spec.kind.value,
        "python": spec.python,
        "requirements": list(spec.requirements),
        "lock": spec.lock,
        "system": list(spec.system),
        "packages": [package.path for package in spec.packages],
        "indexes": [{"url": index.url, "secret": index.secret} for index in spec.indexes],
    }


def endpoint_spec_fields(spec: EndpointSpec, environment: EnvironmentSpec) -> dict[str, Any]:
    """An endpoint as it was understood, in the endpoint file's words."""
    readiness = spec.readiness
    return {
        "kind": "endpoint",
        "name": spec.name,
        "model": spec.model,
        "served_name": spec.served_name,
        "runtime": spec.runtime.value,
        "sleep": spec.sleep_s,
        "command": list(spec.command),
        "gang": gang_fields(spec.shape),
        "environment": environment_fields(environment),
        "bundle": spec.bundle,
        "workdir": spec.workdir,
        "env": dict(spec.env),
        "volumes": [mount_fields(mount) for mount in spec.volumes],
        "secrets": use_fields(spec.secrets),
        "priority": spec.priority,
        "grace": spec.grace_s,
        "labels": dict(spec.labels),
        "replicas": {"min": spec.replicas_min, "max": spec.replicas_max},
        "concurrency": spec.concurrency,
        "idle": spec.idle_s,
        "queue": {"max": spec.queue_max, "timeout": spec.queue_timeout_s},
        "routing": spec.routing.value,
        "scaling": scaling_fields(spec.scaling),
        "aliases": list(spec.names.aliases),
        "adapters": list(spec.names.adapters),
        "weight": spec.names.weight,
        "fallback": spec.names.fallback or None,
        "rollout": rollout_fields(spec.rollout),
        "readiness": {
            "path": readiness.path,
            "timeout": readiness.timeout_s,
            "interval": f"{readiness.interval_ms}ms",
        },
    }


def _keep_fields(spec: JobSpec) -> dict[str, Any] | None:
    keep = spec.checkpoints
    if keep is None:
        return None
    best = keep.keep_best
    return {
        "keep_last": keep.keep_last or None,
        "keep_best": best and {"metric": best.metric, "mode": best.mode.value, "count": best.count},
    }


def _output_fields(spec: JobSpec) -> dict[str, Any] | None:
    if spec.model is None:
        return None
    card = {"card": spec.model.card} if spec.model.card else {}
    aliases = list(spec.model.aliases)
    return {"name": spec.model.name, "path": spec.model.path, "aliases": aliases, **card}
