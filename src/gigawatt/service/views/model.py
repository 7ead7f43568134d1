"""What is known of a model beside its versions: cards, moved aliases, and the graph of where it is from and goes to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gigawatt.model.artifact import AliasMove, ModelCard, ModelVersion
from gigawatt.spec.cards import CardError, card_body, card_metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasMoveView:
    """An alias came to mean version `after` and not `before`; 0 is none."""

    alias: str
    before: int
    after: int
    at_ms: int
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCardView:
    """`origin` is `set`, `README.md` (the one among the version's files), or empty where there is no card.

    `text` is the whole card, `body` the same without its `metadata`.
    """

    ref: str
    origin: str
    text: str
    body: str
    metadata: Mapping[str, Any]
    at_ms: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageNodeView:
    """`kind` is model, job, bundle, environment, checkpoint, source or endpoint."""

    id: str
    kind: str
    label: str
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageEdgeView:
    """`source` went into `target`; `relation` reads as "target <relation> source"."""

    source: str
    target: str
    relation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageGraphView:
    """Everything that leads to the model `root`, and all that it leads to. `cut` where there was too much to show."""

    root: str
    nodes: tuple[LineageNodeView, ...]
    edges: tuple[LineageEdgeView, ...]
    cut: bool


def move_view(move: AliasMove) -> AliasMoveView:
    """One move."""
    return AliasMoveView(
        alias=move.alias,
        before=move.before,
        after=move.after,
        at_ms=move.at_ms,
        by=move.by,
        reason=move.reason,
    )


def card_view(version: ModelVersion, card: ModelCard | None, *, readme: str = "") -> ModelCardView:
    """The card of a version, or the README in its place."""
    text = card.text if card is not None else readme
    try:
        metadata = card_metadata(text)
    except CardError:  # of a README that nobody has checked: shown as it is
        metadata = {}
    return ModelCardView(
        ref=version.ref,
        origin="set" if card is not None else "README.md" if readme else "",
        text=text,
        body=card_body(text),
        metadata=metadata,
        at_ms=card.at_ms if card is not None else version.created_ms,
        by=card.by if card is not None else version.created_by,
    )
