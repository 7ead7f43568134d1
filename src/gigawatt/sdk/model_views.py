"""What the API answers about models, as types. See `gigawatt.sdk.views`."""

from typing import Any, TypedDict


class WeightsView(TypedDict):
    format: str
    parameters: int
    dtypes: dict[str, int]
    architecture: str
    pickles: list[str]
    problem: str


class ModelVersionView(TypedDict):
    number: int
    ref: str
    digest: str
    size_bytes: int
    created_ms: int
    created_by: str
    lineage: dict[str, Any]
    metrics: dict[str, float]
    weights: WeightsView | None


class ModelView(TypedDict):
    """`versions`, newest first."""

    name: str
    tenant: str
    project: str
    newest: int
    aliases: dict[str, int]
    versions: list[ModelVersionView]
    version: int


class AliasMoveView(TypedDict):
    """Version numbers; 0 is none."""

    alias: str
    before: int
    after: int
    at_ms: int
    by: str
    reason: str


class ModelCardView(TypedDict):
    """`origin` is `set`, `README.md`, or empty where there is no card."""

    ref: str
    origin: str
    text: str
    body: str
    metadata: dict[str, Any]
    at_ms: int
    by: str


class LineageNodeView(TypedDict):
    id: str
    kind: str
    label: str
    facts: dict[str, str]


class LineageEdgeView(TypedDict):
    """Reads as "target <relation> source"."""

    source: str
    target: str
    relation: str


class LineageGraphView(TypedDict):
    root: str
    nodes: list[LineageNodeView]
    edges: list[LineageEdgeView]
    cut: bool


class MissingView(TypedDict):
    missing: list[str]
