"""What a person writes of what starts together: how many nodes, what of each, and where they may be."""

from typing import Annotated, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from gigawatt.model.gang import Apart, Segment, Shape, Spread
from gigawatt.model.node import TOPOLOGY_LEVELS
from gigawatt.model.refusal import Fault
from gigawatt.model.resources import Resources
from gigawatt.spec import limits
from gigawatt.spec.faults import nearest, wrong
from gigawatt.spec.fields import (
    FORM,
    Labels,
    MemoryBytes,
    MilliCpu,
    MilliGpu,
    Milliwatts,
    Text,
)
from gigawatt.spec.units import shown


def _as_range(value: object) -> object:
    if isinstance(value, dict):
        return cast("object", value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(f"must be a whole number or {{min, max}}, got {shown(value)}")
    if not 1 <= value <= limits.NODES_MAX:
        raise wrong(f"must be from 1 to {limits.NODES_MAX}, got {value}")
    return {"min": value, "max": value}


def _in_order(value: "NodesForm") -> "NodesForm":
    if value.min > value.max:
        raise wrong(f"has a min of {value.min} above its max of {value.max}")
    return value


def _level(value: str) -> str:
    if value and value not in TOPOLOGY_LEVELS:
        raise wrong(f"is no level of the topology: {shown(value)}", nearest(value, TOPOLOGY_LEVELS))
    return value


def _some_level(value: str) -> str:
    return _level(value or "none")


def _one_node() -> "NodesForm":
    return NodesForm(min=1, max=1)


class NodesForm(BaseModel):
    """From `min` to `max` nodes."""

    model_config = FORM
    min: Annotated[int, Field(ge=1, le=limits.NODES_MAX)] = 1
    max: Annotated[int, Field(ge=1, le=limits.NODES_MAX)]


Nodes = Annotated[
    NodesForm,
    BeforeValidator(_as_range),
    AfterValidator(_in_order),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": limits.NODES_MAX},
                {
                    "type": "object",
                    "properties": {
                        "min": {"type": "integer", "minimum": 1},
                        "max": {"type": "integer", "minimum": 1},
                    },
                    "required": ["max"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


SomeLevel = Annotated[
    str,
    AfterValidator(_some_level),
    WithJsonSchema({"type": "string", "enum": list(TOPOLOGY_LEVELS)}),
]
Level = Annotated[
    str,
    AfterValidator(_level),
    WithJsonSchema({"type": "string", "enum": ["", *TOPOLOGY_LEVELS]}),
]


class SegmentForm(BaseModel):
    """So many nodes, neighbours in rank, are together in one domain of `level`."""

    model_config = FORM
    nodes: Annotated[int, Field(ge=1, le=limits.NODES_MAX)]
    level: SomeLevel = "rack"


class SpreadForm(BaseModel):
    """At most so many nodes in one domain of `level`; without `at_most`, as few in each as can be."""

    model_config = FORM
    level: SomeLevel
    at_most: Annotated[int, Field(ge=1, le=limits.NODES_MAX)] | None = None


class ApartForm(BaseModel):
    """Not in one domain of `level` with another gang of the project that has all of these labels."""

    model_config = FORM
    labels: Labels = {}
    level: SomeLevel = "node"


class GangForm(BaseModel):
    """What starts together or not at all. Amounts are for each node."""

    model_config = FORM
    nodes: Nodes = Field(default_factory=_one_node)
    ranks_per_node: Annotated[int, Field(ge=1, le=limits.RANKS_PER_NODE_MAX)] = 1
    gpus: MilliGpu = 0
    gpu_kinds: Annotated[list[Text], Field(max_length=limits.GPU_KINDS_MAX)] = []
    cpus: MilliCpu = 1_000
    memory: MemoryBytes = 0
    same: Level = ""
    segment: SegmentForm | None = None
    spares: Annotated[int, Field(ge=0, le=limits.NODES_MAX)] = 0
    spread: SpreadForm | None = None
    apart: Annotated[list[ApartForm], Field(max_length=limits.APART_MAX)] = []
    watts: Milliwatts = 0


def layout_faults(gang: GangForm, *, replica: bool) -> list[Fault]:
    """What does not go together in how a gang is laid out."""
    found: list[Fault] = []
    segment, spread = gang.segment, gang.spread
    if segment is not None:
        if gang.nodes.min % segment.nodes or gang.nodes.max % segment.nodes:
            detail = f"gang.nodes must be a multiple of gang.segment.nodes ({segment.nodes})"
            found.append(Fault(field="gang.nodes", detail=detail))
        found += _outside(gang.same, segment.level, "gang.segment.level")
    if spread is not None:
        found += _outside(gang.same, spread.level, "gang.spread.level")
        if segment is not None and not _outer(spread.level, segment.level):
            detail = "gang.spread.level must be wider than gang.segment.level"
            hint = "a segment is in one domain whole"
            found.append(Fault(field="gang.spread.level", detail=detail, hint=hint))
        held = segment.nodes + gang.spares if segment else 0
        if spread.at_most is not None and spread.at_most < held:
            detail = f"gang.spread.at_most is below the {held} nodes of one segment"
            found.append(Fault(field="gang.spread.at_most", detail=detail))
    for place, each in enumerate(gang.apart):
        if not each.labels and not replica:
            field = f"gang.apart.{place}.labels"
            hint = "write labels: {app: search}; only replicas may leave them out"
            found.append(Fault(field=field, detail=f"{field} says of which gangs", hint=hint))
    return found


def shape_of(gang: GangForm, *, own: tuple[tuple[str, str], ...] = ()) -> Shape:
    """A gang as the model has it. Where it keeps apart from those with no labels in particular, it is from its `own`."""
    segment, spread = gang.segment, gang.spread
    return Shape(
        nodes_min=gang.nodes.min,
        nodes_max=gang.nodes.max,
        ranks_per_node=gang.ranks_per_node,
        per_node=Resources(milli_gpu=gang.gpus, milli_cpu=gang.cpus, memory_bytes=gang.memory),
        gpu_kinds=tuple(gang.gpu_kinds),
        same=gang.same,
        segment=segment and Segment(nodes=segment.nodes, level=segment.level),
        spares=gang.spares,
        spread=spread and Spread(level=spread.level, at_most=spread.at_most or 0),
        apart=tuple(
            Apart(labels=tuple(sorted(each.labels.items())) or own, level=each.level)
            for each in gang.apart
        ),
        milliwatts=gang.watts,
    )


def _outside(same: str, level: str, field: str) -> list[Fault]:
    """`same`, where it is said, must not be within the level."""
    if not same or same == level or _outer(same, level):
        return []
    return [Fault(field=field, detail=f"{field} is wider than gang.same, which is {same}")]


def _outer(one: str, other: str) -> bool:
    return TOPOLOGY_LEVELS.index(one) < TOPOLOGY_LEVELS.index(other)
