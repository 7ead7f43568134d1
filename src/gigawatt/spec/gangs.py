"""What a person writes of what starts together: how many nodes, what of each, and where they may be."""

from typing import Annotated, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from gigawatt.model.node import TOPOLOGY_LEVELS
from gigawatt.spec import limits
from gigawatt.spec.faults import nearest, wrong
from gigawatt.spec.fields import FORM, MemoryBytes, MilliCpu, MilliGpu, Milliwatts, Text
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


Level = Annotated[
    str,
    AfterValidator(_level),
    WithJsonSchema({"type": "string", "enum": ["", *TOPOLOGY_LEVELS]}),
]


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
    watts: Milliwatts = 0
