"""The form of a feed of the power tree: its cap, the feed that carries it, and the parts of the site that it supplies."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from gigawatt.model.node import TOPOLOGY_LEVELS
from gigawatt.model.power import CAP_MILLIWATTS_MAX, Feed, Supply
from gigawatt.spec.faults import nearest, wrong
from gigawatt.spec.fields import FORM, WATTS_SCHEMA, Name
from gigawatt.spec.units import UnitError, milliwatts, shown

SUPPLIES_MAX = 10_000
NAME_CHARS_MAX = 512


def _cap(value: object) -> int | None:
    if value is None:
        return None
    try:
        amount = milliwatts(value)
    except UnitError as error:
        raise wrong(error.detail, error.hint) from error
    if not 0 <= amount <= CAP_MILLIWATTS_MAX:
        raise wrong(f"must be from 0 to {CAP_MILLIWATTS_MAX // 1000} W, got {shown(value)}")
    return amount


def _supply(value: str) -> str:
    level, equals, name = value.partition("=")
    if not (equals and name) or "\0" in value:
        raise wrong(f"must be LEVEL=NAME, got {shown(value)}", "write for example rack=r7")
    if level not in TOPOLOGY_LEVELS:
        raise wrong(
            f"names no level of the topology: {shown(level)}", nearest(level, TOPOLOGY_LEVELS)
        )
    return value


Cap = Annotated[
    int | None,
    BeforeValidator(_cap),
    WithJsonSchema({"anyOf": [*WATTS_SCHEMA["anyOf"], {"type": "null"}]}),
]
SupplyText = Annotated[
    str,
    Field(max_length=NAME_CHARS_MAX),
    AfterValidator(_supply),
    WithJsonSchema({"type": "string", "pattern": f"^({'|'.join(TOPOLOGY_LEVELS)})=[^\\x00]+$"}),
]


class FeedRequest(BaseModel):
    """A feed; what is not named stays as it is. A null `cap` is none, an empty `parent` the top of the tree."""

    model_config = FORM
    cap: Cap = None
    parent: Name | Literal[""] | None = None
    supplies: Annotated[list[SupplyText], Field(max_length=SUPPLIES_MAX)] | None = None

    def changed(self, before: Feed | None) -> tuple[str, int | None, tuple[Supply, ...]]:
        """Parent, cap and supplies, with what this names in place of what was there."""
        cap = before.cap_milliwatts if before else None
        supplies = before.supplies if before else ()
        parent = before.parent if before else ""
        if "cap" in self.model_fields_set:
            cap = self.cap
        if self.supplies is not None:
            supplies = tuple(sorted({supply(each) for each in self.supplies}))
        return (parent if self.parent is None else self.parent), cap, supplies


def supply(text: str) -> Supply:
    """A part of the site as it is written."""
    level, _, name = text.partition("=")
    return Supply(level=level, name=name)
