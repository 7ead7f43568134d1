"""The form of a project's entitlement: quota, limit, weight, borrowing and parent."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from gigawatt.model.quota import WEIGHT_MAX, Bounds, Caps, Entitlement
from gigawatt.spec import limits
from gigawatt.spec.faults import wrong
from gigawatt.spec.fields import BYTES_SCHEMA, FORM, Name
from gigawatt.spec.units import UnitError, milli, shown, size_bytes

MILLI_MAX = 1_000_000_000_000  # a billion GPUs or cores
MEMORY_BYTES_MAX = 1 << 60
REPLICAS_MAX = 1_000_000


def _or_none(parse: Callable[[object], int], *, at_most: int) -> BeforeValidator:
    """An amount from 0 to `at_most`, or None."""

    def checked(value: object) -> int | None:
        if value is None:
            return None
        try:
            amount = parse(value)
        except UnitError as error:
            raise wrong(error.detail, error.hint) from error
        if not 0 <= amount <= at_most:
            raise wrong(f"must be from 0 to {at_most}, got {shown(value)}")
        return amount

    return BeforeValidator(checked)


_NULL = {"type": "null"}
Milli = Annotated[
    int | None,
    _or_none(milli, at_most=MILLI_MAX),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1_000_000, "multipleOf": 0.001},
                _NULL,
            ]
        }
    ),
]
Memory = Annotated[
    int | None,
    _or_none(size_bytes, at_most=MEMORY_BYTES_MAX),
    WithJsonSchema({"anyOf": [*BYTES_SCHEMA["anyOf"], _NULL]}),
]


Kind = Annotated[str, Field(min_length=1, max_length=limits.NAME_CHARS_MAX)]


class BoundsRequest(BaseModel):
    """Amounts of resources; what is null is not bounded, and what is not named stays as it is. `kinds` are GPUs by kind."""

    model_config = FORM
    gpus: Milli = None
    cpus: Milli = None
    memory: Memory = None
    kinds: Annotated[dict[Kind, Milli], Field(max_length=limits.GPU_KINDS_MAX)] = {}

    def changed(self, before: Bounds) -> Bounds:
        """The bounds with what this names in place of what was there."""
        fields = {"gpus": "milli_gpu", "cpus": "milli_cpu", "memory": "memory_bytes"}
        named = {
            fields[field]: getattr(self, field)
            for field in self.model_fields_set
            if field in fields
        }
        kinds = {**dict(before.kinds), **self.kinds}
        kept = sorted((kind, amount) for kind, amount in kinds.items() if amount is not None)
        return replace(before, kinds=tuple(kept), **named)


class LimitRequest(BoundsRequest):
    """At most so much, of these also: `replicas` of endpoints, and `storage` that is kept."""

    replicas: Annotated[int | None, Field(ge=0, le=REPLICAS_MAX)] = None
    storage: Memory = None

    def caps(self, before: Caps) -> Caps:
        """The caps with what this names in place of what was there."""
        named = self.model_fields_set
        return Caps(
            replicas=self.replicas if "replicas" in named else before.replicas,
            storage_bytes=self.storage if "storage" in named else before.storage_bytes,
        )


class QuotaRequest(BaseModel):
    """What a project is entitled to; what is not named stays as it is. An empty `parent` is the tenant."""

    model_config = FORM
    parent: Name | Literal[""] | None = None
    quota: BoundsRequest = BoundsRequest()
    limit: LimitRequest = LimitRequest()
    borrow: bool | None = None
    weight: Annotated[int | None, Field(ge=1, le=WEIGHT_MAX)] = None

    def changed(self, before: Entitlement) -> Entitlement:
        """The entitlement with what this names in place of what was there."""
        return Entitlement(
            parent=before.parent if self.parent is None else self.parent,
            quota=self.quota.changed(before.quota),
            limit=self.limit.changed(before.limit),
            borrows=before.borrows if self.borrow is None else self.borrow,
            weight=before.weight if self.weight is None else self.weight,
            caps=self.limit.caps(before.caps),
        )
