"""The model registry: versions that never change, aliases that move."""

from gigawatt.model.artifact import (
    AliasMove,
    Artifact,
    Lineage,
    ModelCard,
    ModelName,
    ModelVersion,
)
from gigawatt.model.command import AddArtifact, RegisterModel, SetAlias, SetCard
from gigawatt.model.job import Job
from gigawatt.model.observation import ModelStored
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.values import replace
from gigawatt.reconcile import caps
from gigawatt.reconcile.projects import check_project
from gigawatt.reconcile.turn import Turn, entity_id
from gigawatt.spec.faults import nearest


def add_artifact(turn: Turn, command: AddArtifact) -> Artifact:
    """Note that a tenant holds an artifact; the same one again changes nothing that matters."""
    check_project(turn, command.artifact.tenant, command.artifact.project)
    caps.check_storage(turn, command.artifact)
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
        weights=command.weights,
    )
    name = replace(before or _first(command, key), newest=number, updated_ms=turn.now_ms)
    turn.put(version)
    for alias in command.aliases:
        reason = f"{version.ref} was registered"
        name = _moved(
            turn,
            name,
            SetAlias(
                tenant=command.tenant,
                project=command.project,
                by=command.by,
                name=command.name,
                alias=alias,
                number=number,
                reason=reason,
            ),
        )
    if command.card:
        name = _carded(turn, name, number, command.card, command.by)
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
            checkpoint=job.checkpoint.path if job.checkpoint else "",
        ),
        metrics=_metrics(job),
        aliases=output.aliases,
        card=output.card,
        weights=seen.weights,
    )
    return register(turn, command)


def set_alias(turn: Turn, command: SetAlias) -> ModelName:
    """Point an alias at a version, or take it away; who did it, when and why is kept."""
    name = _known(turn, command)
    if not command.number and command.alias not in dict(name.aliases):
        raise RefusalError(
            RefusalCode.NOT_FOUND,
            f"{command.name} has no alias {command.alias}",
            field="alias",
            hint=nearest(command.alias, dict(name.aliases)),
        )
    after = turn.put(replace(_moved(turn, name, command), updated_ms=turn.now_ms))
    turn.emit("model.alias", after, f"{command.name}@{command.alias} = {command.number or 'none'}")
    return after


def set_card(turn: Turn, command: SetCard) -> ModelCard:
    """Give a version another card; the ones before are kept."""
    name = _known(turn, command)
    after = turn.put(_carded(turn, name, command.number, command.text, command.by))
    turn.emit("model.card", after, f"{command.name}:{command.number}")
    card = turn.puts["ModelCard", _card_id(after)]
    assert isinstance(card, ModelCard)
    return card


def _known(turn: Turn, command: SetAlias | SetCard) -> ModelName:
    name = turn.world.models.get(f"{command.tenant}/{command.project}/{command.name}")
    if name is None:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no model {command.name}")
    lowest = 0 if isinstance(command, SetAlias) else 1
    if not lowest <= command.number <= name.newest:
        raise RefusalError(
            RefusalCode.INVALID,
            f"{command.name} has versions 1 to {name.newest}, not {command.number}",
            field="number",
        )
    return name


def _moved(turn: Turn, name: ModelName, command: SetAlias) -> ModelName:
    """`name` with the alias where the command wants it; a move is put where that is a change."""
    aliases = dict(name.aliases)
    before = aliases.pop(command.alias, 0)
    if before == command.number:
        return name
    if command.number:
        aliases[command.alias] = command.number
    moves = name.moves + 1
    turn.put(
        AliasMove(
            id=f"{name.id}#{moves:08d}",
            tenant=name.tenant,
            project=name.project,
            name=name.name,
            alias=command.alias,
            before=before,
            after=command.number,
            at_ms=turn.now_ms,
            by=command.by,
            reason=command.reason,
        )
    )
    return replace(name, aliases=tuple(sorted(aliases.items())), moves=moves)


def _carded(turn: Turn, name: ModelName, number: int, text: str, by: str) -> ModelName:
    after = replace(name, cards=name.cards + 1)
    turn.put(
        ModelCard(
            id=_card_id(after),
            tenant=name.tenant,
            project=name.project,
            name=name.name,
            number=number,
            text=text,
            at_ms=turn.now_ms,
            by=by,
        )
    )
    return after


def _card_id(name: ModelName) -> str:
    """Of the newest card; sorts as they were given."""
    return f"{name.id}!{name.cards:08d}"


def _first(command: RegisterModel, key: str) -> ModelName:
    return ModelName(
        id=key,
        tenant=command.tenant,
        project=command.project,
        name=command.name,
        newest=0,
        updated_ms=0,
    )


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
