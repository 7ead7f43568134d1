"""The power tree as callers see it."""

from dataclasses import dataclass

from gigawatt.model.power import Feed


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedView:
    """A feed. Watts; `cap` is null where there is none, and `drawn` is what gangs draw by what they ask for or say."""

    name: str
    parent: str
    cap: float | None
    drawn: float
    supplies: tuple[str, ...]  # LEVEL=NAME
    version: int


def feed_view(feed: Feed, drawn_milliwatts: int) -> FeedView:
    """A feed with what is drawn through it now."""
    cap = feed.cap_milliwatts
    return FeedView(
        name=feed.id,
        parent=feed.parent,
        cap=None if cap is None else cap / 1000,
        drawn=drawn_milliwatts / 1000,
        supplies=tuple(f"{each.level}={each.name}" for each in feed.supplies),
        version=feed.version,
    )
