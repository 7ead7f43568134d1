"""From a job or an endpoint as it is written to the model's frozen values.

What only the instance knows stays open and is filled in by the service: an environment's id, ids for the names in
`after`, a model's version and path.
"""

import json
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from gigawatt.model.array import ArraySpec
from gigawatt.model.checkpoint import KeepBest, KeepPolicy, MetricMode
from gigawatt.model.endpoint import ENDPOINT_LABEL, EndpointSpec, Names
from gigawatt.model.environment import EnvironmentSpec
from gigawatt.model.gang import Isolation
from gigawatt.model.job import JobSpec, ModelOutput
from gigawatt.model.refusal import Fault, RefusalError
from gigawatt.spec import limits, names
from gigawatt.spec.arrays import array_faults, array_spec
from gigawatt.spec.endpoint_form import EndpointForm
from gigawatt.spec.environments import environment_faults, environment_spec
from gigawatt.spec.faults import faults_of, refusal
from gigawatt.spec.forms import EnvironmentForm, JobForm
from gigawatt.spec.gangs import GangForm, layout_faults, shape_of
from gigawatt.spec.job_times import deadline_of, time_faults, windows_of
from gigawatt.spec.mounts import mounts_of, volume_faults
from gigawatt.spec.rollout import rollout_faults, rollout_of
from gigawatt.spec.runtime_form import runtime_faults, runtime_of
from gigawatt.spec.scaling import scaling_of
from gigawatt.spec.secrets import SecretForm, secret_faults, uses_of
from gigawatt.spec.units import shown
from gigawatt.spec.volumes import VolumeForm


class Runs(Protocol):
    """Whatever has processes."""

    @property
    def environment(self) -> EnvironmentForm: ...
    @property
    def gang(self) -> GangForm: ...
    @property
    def env(self) -> dict[str, str]: ...
    @property
    def bundle(self) -> str: ...
    @property
    def volumes(self) -> list[VolumeForm]: ...
    @property
    def secrets(self) -> dict[str, SecretForm]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDraft:
    """`spec.environment` is empty, and `spec.after` are names or ids and `spec.volumes` references as written; so is
    `start_from`, JOB[@STEP]. With an `array`, it is many tasks.
    """

    spec: JobSpec
    environment: EnvironmentSpec
    start_from: str = ""
    array: ArraySpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointDraft:
    """`spec.environment` and `spec.model_path` are empty; `spec.model` and `spec.volumes` are references as written."""

    spec: EndpointSpec
    environment: EnvironmentSpec


def parse_job(body: bytes | str) -> JobDraft:
    """The job in a JSON body. Raises RefusalError with every fault found."""
    try:
        form = JobForm.model_validate_json(body)
    except ValidationError as error:
        raise _all_faults(error, JobForm) from error
    return job_draft(form)


def parse_endpoint(body: bytes | str) -> EndpointDraft:
    """The endpoint in a JSON body. Raises RefusalError with every fault found."""
    try:
        form = EndpointForm.model_validate_json(body)
    except ValidationError as error:
        raise _all_faults(error, EndpointForm) from error
    return endpoint_draft(form)


def job_from(data: object) -> JobDraft:
    """The job in plain data. Raises RefusalError with every fault found."""
    return parse_job(json.dumps(data))


def endpoint_from(data: object) -> EndpointDraft:
    """The endpoint in plain data. Raises RefusalError with every fault found."""
    return parse_endpoint(json.dumps(data))


def job_draft(form: JobForm) -> JobDraft:
    """The draft of a form whose fields are each valid. Raises RefusalError where they do not go together."""
    faults = [
        *_program_faults(form),
        *together_faults(form, replica=False),
        *_keep_faults(form),
        *time_faults(form),
        *array_faults(form.array, form.sweep, env=form.env),
    ]
    if faults:
        raise refusal(faults)
    command = form.command or ["bash", "-c", form.script or ""]
    written = " ".join(_as_written(form.command or []))
    spec = JobSpec(
        name=form.name or names.default_name(written),
        command=tuple(command),
        shape=shape_of(form.gang),
        environment="",
        bundle=form.bundle,
        workdir=form.workdir,
        env=pairs(form.env),
        priority=form.priority,
        timeout_s=form.timeout,
        windows=windows_of(form),
        deadline=deadline_of(form),
        grace_s=form.grace,
        retries_user=form.retries.user,
        retries_infrastructure=form.retries.infrastructure,
        after=tuple(dict.fromkeys([*form.after, *form.after_failed, *form.after_done])),
        after_failed=tuple(dict.fromkeys(form.after_failed)),
        after_done=tuple(dict.fromkeys(form.after_done)),
        after_each=form.after_each,
        labels=pairs(form.labels),
        model=_model_output(form),
        volumes=mounts_of(form.volumes),
        secrets=uses_of(form.secrets),
        checkpoints=_keep_policy(form),
        terminal=form.terminal,
        isolation=Isolation(form.isolation),
        hang_steps=form.hang,
    )
    return JobDraft(
        spec=spec,
        environment=environment_spec(form.environment),
        start_from=form.start_from,
        array=array_spec(form.array, form.sweep),
    )


def endpoint_draft(form: EndpointForm) -> EndpointDraft:
    """The draft of a form whose fields are each valid. Raises RefusalError where they do not go together."""
    faults = [
        *_replica_faults(form),
        *rollout_faults(form.rollout),
        *runtime_faults(form),
        *together_faults(form, replica=True),
    ]
    if faults:
        raise refusal(faults)
    runs = runtime_of(form)
    spec = EndpointSpec(
        name=form.name,
        model=form.model,
        model_path="",
        served_name=form.served_name or form.name,
        runtime=form.runtime,
        sleep_s=form.sleep,
        command=runs.command,
        shape=shape_of(form.gang, own=((ENDPOINT_LABEL, form.name),)),
        environment="",
        bundle=form.bundle,
        workdir=form.workdir,
        env=runs.env,
        volumes=mounts_of(form.volumes),
        secrets=uses_of(form.secrets),
        replicas_min=form.replicas.min,
        replicas_max=form.replicas.max,
        concurrency=form.concurrency,
        idle_s=form.idle,
        queue_max=form.queue.max,
        queue_timeout_s=form.queue.timeout,
        routing=form.routing,
        scaling=scaling_of(form.scaling),
        names=Names(
            aliases=tuple(form.aliases),
            adapters=tuple(form.adapters),
            weight=form.weight,
            fallback=form.fallback or "",
        ),
        readiness=runs.readiness,
        priority=form.priority,
        grace_s=form.grace,
        labels=pairs(form.labels),
        rollout=rollout_of(form.rollout),
    )
    return EndpointDraft(spec=spec, environment=runs.environment)


def together_faults(form: Runs, *, replica: bool) -> list[Fault]:
    """What does not go together in fields that jobs, endpoints and workspaces share."""
    found = list(environment_faults(form.environment, field="environment"))
    found += gang_faults(form.gang, replica=replica)
    found += volume_faults(form.volumes)
    found += secret_faults(form.secrets, form.env, replica=replica)
    for name in form.env:
        fault = names.env_name_fault(name, replica=replica)
        if fault:
            found.append(Fault(field=f"env.{name}", detail=f"env.{name} {fault[0]}", hint=fault[1]))
    digest = form.bundle.removeprefix("sha256:")
    if form.bundle and (len(digest) != 64 or digest == form.bundle or not _is_hex(digest)):
        detail = f"bundle is not a digest: {shown(form.bundle)}"
        hint = "the API takes the digest of an uploaded bundle; gw packs and uploads directories"
        found.append(Fault(field="bundle", detail=detail, hint=hint))
    return found


def gang_faults(gang: GangForm, *, replica: bool = False) -> list[Fault]:
    """What does not go together in what starts together."""
    found: list[Fault] = []
    ranks = gang.nodes.max * gang.ranks_per_node
    if ranks > limits.RANKS_MAX:
        detail = (
            f"gang.nodes x gang.ranks_per_node is {ranks}, over the limit of {limits.RANKS_MAX}"
        )
        found.append(Fault(field="gang.ranks_per_node", detail=detail))
    if gang.gpus > 1_000 and gang.gpus % 1_000:
        detail = f"gang.gpus above 1 must be whole, got {gang.gpus / 1000:g}"
        found.append(Fault(field="gang.gpus", detail=detail, hint="only one GPU can be shared"))
    elif gang.gpus > gang.ranks_per_node * 1_000 and gang.gpus // 1_000 % gang.ranks_per_node:
        detail = f"gang.gpus must be a multiple of gang.ranks_per_node ({gang.ranks_per_node})"
        hint = "each rank of a node is given the same number of its GPUs"
        found.append(Fault(field="gang.gpus", detail=detail, hint=hint))
    if gang.gpu_kinds and not gang.gpus:
        detail = "gang.gpu_kinds is given, but gang.gpus is 0"
        found.append(Fault(field="gang.gpu_kinds", detail=detail, hint="set gang.gpus"))
    return found + layout_faults(gang, replica=replica)


def pairs(values: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """A mapping as the model has it, in order."""
    return tuple(sorted(values.items()))


def _all_faults(error: ValidationError, form: type[BaseModel]) -> RefusalError:
    return refusal(faults_of(error, form))


def _program_faults(form: JobForm) -> list[Fault]:
    if form.command is None and form.script is None:
        hint = "write `command: python train.py`, or `script: |` and lines for bash"
        return [Fault(field="command", detail="command is missing", hint=hint)]
    if form.command is not None and form.script is not None:
        detail = "command and script exclude each other"
        return [Fault(field="script", detail=detail, hint="give one of them")]
    return []


def _keep_faults(form: JobForm) -> list[Fault]:
    keep = form.checkpoints
    if keep is None or keep.keep_last is not None or keep.keep_best is not None:
        return []
    detail = "checkpoints says neither keep_last nor keep_best"
    hint = "write keep_last: 3, or leave it out to keep all"
    return [Fault(field="checkpoints", detail=detail, hint=hint)]


def _replica_faults(form: EndpointForm) -> list[Fault]:
    if form.replicas.min > form.replicas.max:
        detail = f"replicas has a min of {form.replicas.min} above its max of {form.replicas.max}"
        return [Fault(field="replicas.min", detail=detail)]
    return []


def _model_output(form: JobForm) -> ModelOutput | None:
    if form.model is None:
        return None
    return ModelOutput(
        name=form.model.name,
        path=form.model.path,
        aliases=tuple(sorted(set(form.model.aliases))),
        card=form.model.card,
    )


def _keep_policy(form: JobForm) -> KeepPolicy | None:
    keep = form.checkpoints
    if keep is None:
        return None
    best = keep.keep_best
    return KeepPolicy(
        keep_last=keep.keep_last or 0,
        keep_best=best
        and KeepBest(metric=best.metric, mode=MetricMode(best.mode), count=best.count),
    )


def _as_written(command: list[str]) -> list[str]:
    return command[2:] if command[:2] == ["sh", "-c"] else command


def _is_hex(text: str) -> bool:
    return all(digit in "0123456789abcdef" for digit in text)
