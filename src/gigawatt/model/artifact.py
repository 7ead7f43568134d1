"""Artifacts (stored results by digest) and models (registered, versioned artifacts that can be served)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Bytes or a tree of files in the content-addressed store, as a tenant holds it."""

    digest: str  # "sha256:<64 hex>" of the bytes, or of the manifest for a tree
    tenant: str
    project: str
    kind: str  # bundle, model, file, tree, listing
    size_bytes: int
    files: int
    created_ms: int
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where a model came from. Empty strings where it did not come from a job."""

    job: str = ""
    attempt: int = 0
    environment: str = ""
    bundle: str = ""
    step: int | None = None
    checkpoint: str = ""  # the job's newest valid one, where it was
    source: str = ""  # where it was imported from, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What is known of a version's files from looking at their headers."""

    format: str  # safetensors, gguf, pickle, or files where none of them are weights that are known
    parameters: int = 0
    dtypes: tuple[tuple[str, int], ...] = ()  # parameters of each type, the most common first
    architecture: str = ""
    pickles: tuple[str, ...] = ()  # files that run code when they are loaded
    problem: str = ""  # why they could not be made sense of


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """`name:number` within a project. A version never changes; aliases move."""

    id: str
    tenant: str
    project: str
    name: str
    number: int
    digest: str
    size_bytes: int
    created_ms: int
    created_by: str
    lineage: Lineage = Lineage()
    metrics: tuple[tuple[str, float], ...] = ()
    weights: Weights | None = None  # None for versions from before anyone looked

    @property
    def ref(self) -> str:
        return f"{self.name}:{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelName:
    """One registered name: how many versions it has and where its aliases point."""

    id: str  # tenant/project/name
    tenant: str
    project: str
    name: str
    newest: int
    aliases: tuple[tuple[str, int], ...] = ()  # sorted by alias
    updated_ms: int
    moves: int = 0  # how often an alias of it was moved
    cards: int = 0  # how many cards its versions were given
    version: int = 1

    def number_of(self, selector: str) -> int | None:
        """The version that "3", an alias, or "" or "latest" (the newest) means; None where nothing is meant."""
        if selector in {"", "latest"}:
            return self.newest
        if selector.isdigit():
            number = int(selector)
            return number if 1 <= number <= self.newest else None
        return dict(self.aliases).get(selector)


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasMove:
    """An alias came to mean another version. Numbers are 0 where it meant, or means, none."""

    id: str  # that of the ModelName, "#" and which of its moves this is
    tenant: str
    project: str
    name: str
    alias: str
    before: int
    after: int
    at_ms: int
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What people say of a version: Markdown, led by metadata in YAML. The newest one of a version counts."""

    id: str  # that of the ModelName, "!" and which of its cards this is
    tenant: str
    project: str
    name: str
    number: int
    text: str
    at_ms: int
    by: str
