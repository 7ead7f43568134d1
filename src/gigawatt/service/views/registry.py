"""Environments, artifacts and models as callers see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gigawatt.model.artifact import Artifact, Lineage, ModelName, ModelVersion, Weights
from gigawatt.model.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentView:
    """An environment. `path` and `lock` once it is built; `message` says why it could not be. `digest` is of every file
    that was installed.
    """

    id: str
    kind: str
    python: str
    requirements: tuple[str, ...]
    system: tuple[str, ...]
    packages: tuple[str, ...]
    indexes: tuple[str, ...]
    phase: str
    stage: str
    message: str
    path: str
    lock: str
    size_bytes: int
    build_ms: int
    created_ms: int
    used_ms: int
    digest: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactView:
    """A stored result, as a tenant holds it."""

    digest: str
    kind: str
    size_bytes: int
    files: int
    created_ms: int
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartView:
    """A part of a file: `part_bytes` of it from `number * part_bytes` on."""

    number: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingView:
    """Which of the files that were asked for are to be sent."""

    missing: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackView:
    """Files of a pack that are stored now, and how many the tenant did not have before."""

    files: int
    new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadView:
    """A file that is sent in parts, and which of them are here. `finishing` while the whole is proven and stored."""

    digest: str
    part_bytes: int
    parts: tuple[PartView, ...]
    finishing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageView:
    """Where a version came from; empty where it did not come from a job."""

    job: str
    attempt: int
    environment: str
    bundle: str
    step: int | None
    checkpoint: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsView:
    """What a version's files are. `dtypes` has the parameters of each type; `pickles` run code when loaded."""

    format: str
    parameters: int
    dtypes: Mapping[str, int]
    architecture: str
    pickles: tuple[str, ...]
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersionView:
    """`ref` is `name:number`; `weights` is null where nobody has looked."""

    number: int
    ref: str
    digest: str
    size_bytes: int
    created_ms: int
    created_by: str
    lineage: LineageView
    metrics: Mapping[str, float]
    weights: WeightsView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """A registered name; `versions` newest first."""

    name: str
    tenant: str
    project: str
    newest: int
    aliases: Mapping[str, int]
    versions: tuple[ModelVersionView, ...]
    version: int


def environment_view(environment: Environment) -> EnvironmentView:
    """An environment; its lock is the resolved one, once there is one."""
    spec = environment.spec
    return EnvironmentView(
        id=environment.id,
        kind=spec.kind.value,
        python=spec.python,
        requirements=spec.requirements,
        system=spec.system,
        packages=tuple(f"{each.path} {each.digest}" for each in spec.packages),
        indexes=tuple(f"{each.url} {each.secret}".rstrip() for each in spec.indexes),
        phase=environment.phase.value,
        stage=environment.stage,
        message=environment.message,
        path=environment.path,
        lock=environment.lock or spec.lock,
        size_bytes=environment.size_bytes,
        build_ms=environment.build_ms,
        created_ms=environment.created_ms,
        used_ms=environment.last_used_ms,
        digest=environment.digest,
        version=environment.version,
    )


def artifact_view(artifact: Artifact) -> ArtifactView:
    """An artifact's record."""
    return ArtifactView(
        digest=artifact.digest,
        kind=artifact.kind,
        size_bytes=artifact.size_bytes,
        files=artifact.files,
        created_ms=artifact.created_ms,
        created_by=artifact.created_by,
    )


def model_view(name: ModelName, versions: Sequence[ModelVersion]) -> ModelView:
    """A name and these versions of it."""
    return ModelView(
        name=name.name,
        tenant=name.tenant,
        project=name.project,
        newest=name.newest,
        aliases=dict(name.aliases),
        versions=tuple(
            version_view(each) for each in sorted(versions, key=lambda each: -each.number)
        ),
        version=name.version,
    )


def version_view(version: ModelVersion) -> ModelVersionView:
    """A version with its lineage."""
    return ModelVersionView(
        number=version.number,
        ref=version.ref,
        digest=version.digest,
        size_bytes=version.size_bytes,
        created_ms=version.created_ms,
        created_by=version.created_by,
        lineage=_lineage_view(version.lineage),
        metrics=dict(version.metrics),
        weights=_weights_view(version.weights) if version.weights else None,
    )


def _weights_view(weights: Weights) -> WeightsView:
    return WeightsView(
        format=weights.format,
        parameters=weights.parameters,
        dtypes=dict(weights.dtypes),
        architecture=weights.architecture,
        pickles=weights.pickles,
        problem=weights.problem,
    )


def _lineage_view(lineage: Lineage) -> LineageView:
    return LineageView(
        job=lineage.job,
        attempt=lineage.attempt,
        environment=lineage.environment,
        bundle=lineage.bundle,
        step=lineage.step,
        checkpoint=lineage.checkpoint,
        source=lineage.source,
    )
