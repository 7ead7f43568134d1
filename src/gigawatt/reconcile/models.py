"""The model registry: versions that never change, aliases that move."""

from dataclasses import replace

from gigawatt.model.artifact import Artifact, Lineage, ModelName, ModelVersion
from gigawatt.model.command import AddArtifact, RegisterModel, SetAlias
from gigawatt.model.job import Job
from gigawatt.model.observation import ModelStored
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.reconcile.projects import check_project
from gigawatt.reconcile.turn import Turn, entity_id


def add_artifact(turn: Turn, command: AddArtifact) -> Artifact:
    """Note that a tenant holds an artifact; the same one again changes nothing that matters."""
    check_project(turn, command.artifact.tenant, command.artifact.project)
    return _hold(turn, command.artifact)


def use_artifact(turn: Turn, tenant: str, digest: str) -> None:
    """From now on something needs it. Refused where it was removed after the caller had seen it there."""
    if not digest:
        return
    key = f"{tenant}/{digest}"
    if key in turn.world.removed_ids:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"{digest} was removed a moment ago, as nothing used it",
            field="bundle",
            hint="upload it again",
        )
    turn.world.use(key, now_ms=turn.now_ms)


def register(turn: Turn, command: RegisterModel) -> ModelVersion:
    """The next version of a name; its aliases move to it."""
    check_project(turn, command.tenant, command.project)
    use_artifact(turn, command.tenant, command.digest)
    key = f"{command.tenant}/{command.project}/{command.name}"
    before = turn.world.models.get(key)
    number = before.newest + 1 if before else 1
    aliases = dict(before.aliases if before else ()) | dict.fromkeys(command.aliases, number)
    version = ModelVersion(
        id=command.id,
        tenant=command.tenant,
        project=command.project,
        name=command.name,
        number=number,
        digest=command.digest,
        size_bytes=command.size_bytes,
        created_ms=turn.now_ms,
        created_by=command.by,
        lineage=command.lineage,
        metrics=command.metrics,
    )
    name = ModelName(
        id=key,
        tenant=command.tenant,
        project=command.project,
        name=command.name,
        newest=number,
        aliases=tuple(sorted(aliases.items())),
        updated_ms=turn.now_ms,
        version=before.version if before else 1,
    )
    turn.put(version)
    turn.put(name)
    turn.emit("model.registered", version, version.ref)
    return version


def register_output(turn: Turn, job: Job, seen: ModelStored) -> ModelVersion:
    """What a succeeded job declared becomes a version, with its lineage and its last figures."""
    output, attempt = job.spec.model, job.attempt
    assert output is not None
    assert attempt is not None
    _hold(
        turn,
        Artifact(
            digest=seen.digest,
            tenant=job.tenant,
            project=job.project,
            kind="model",
            size_bytes=seen.size_bytes,
            files=seen.files,
            created_ms=turn.now_ms,
            created_by=job.submitted_by,
        ),
    )
    command = RegisterModel(
        id=f"{job.id}.{attempt.n}.model",
        tenant=job.tenant,
        project=job.project,
        by=job.submitted_by,
        name=output.name,
        digest=seen.digest,
        size_bytes=seen.size_bytes,
        lineage=Lineage(
            job=job.id,
            attempt=attempt.n,
            environment=job.spec.environment,
            bundle=job.spec.bundle,
            step=job.progress.step if job.progress else None,
        ),
        metrics=_metrics(job),
        aliases=output.aliases,
    )
    return register(turn, command)


def set_alias(turn: Turn, command: SetAlias) -> ModelName:
    """Point an alias at a version, or take it away."""
    name = turn.world.models.get(f"{command.tenant}/{command.project}/{command.name}")
    if name is None:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no model {command.name}")
    if not 0 <= command.number <= name.newest:
        raise RefusalError(
            RefusalCode.INVALID,
            f"{command.name} has versions 1 to {name.newest}, not {command.number}",
            field="number",
        )
    aliases = dict(name.aliases)
    if command.number:
        aliases[command.alias] = command.number
    elif aliases.pop(command.alias, None) is None:
        raise RefusalError(
            RefusalCode.NOT_FOUND, f"{command.name} has no alias {command.alias}", field="alias"
        )
    after = turn.put(replace(name, aliases=tuple(sorted(aliases.items())), updated_ms=turn.now_ms))
    turn.emit("model.alias", after, f"{command.name}@{command.alias} = {command.number or 'none'}")
    return after


def _metrics(job: Job) -> tuple[tuple[str, float], ...]:
    if job.progress is None:
        return ()
    loss = (("loss", job.progress.loss),) if job.progress.loss is not None else ()
    return (*loss, *job.progress.metrics)


def _hold(turn: Turn, artifact: Artifact) -> Artifact:
    """It is there, whatever was removed before."""
    key = entity_id(artifact)
    turn.world.removed_ids.pop(key, None)
    turn.world.use(key, now_ms=turn.now_ms)
    return turn.put(artifact)
