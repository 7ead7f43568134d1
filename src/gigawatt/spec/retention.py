"""The forms of retention: how long a project's things are kept, and what a prune removes."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from gigawatt.model.retention import FOR_EVER, Kind, Retention
from gigawatt.spec.faults import wrong
from gigawatt.spec.fields import DURATION_SCHEMA, FORM, in_units
from gigawatt.spec.units import UnitError, duration_ms, shown

KEEP_MS_MAX = 100 * 366 * 86_400_000
KEEP_HINT = 'write a duration like "30d", "forever", or "default" for what the instance says'


def _keep_ms(value: object) -> int | None:
    if value == "default":
        return None
    if value == "forever":
        return FOR_EVER
    try:
        span_ms = duration_ms(value)
    except UnitError as error:
        raise wrong(error.detail, KEEP_HINT) from error
    if not 1_000 <= span_ms <= KEEP_MS_MAX:
        raise wrong(f"must be from 1s to 100 years, got {shown(value)}", KEEP_HINT)
    return span_ms


Keep = Annotated[
    int | None,
    BeforeValidator(_keep_ms),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": KEEP_MS_MAX // 1_000},
                {"type": "string", "pattern": "^(forever|default|[1-9][0-9]{0,3}[smhdw])$"},
            ]
        }
    ),
]


class RetentionRequest(BaseModel):
    """How long a project's things are kept after their last use; what is not named stays as it is."""

    model_config = FORM
    jobs: Keep = None
    logs: Keep = None
    checkpoints: Keep = None
    environments: Keep = None
    artifacts: Keep = None

    def changed(self, before: Retention) -> Retention:
        """The policy with what this names in place of what was there."""
        named = {f"{field}_ms": getattr(self, field) for field in self.model_fields_set}
        return replace(before, **named)


class PruneRequest(BaseModel):
    """What to remove: kinds (none named is all but caches), by the projects' policies or by age."""

    model_config = FORM
    kinds: Annotated[
        list[
            Literal[
                "jobs",
                "logs",
                "checkpoints",
                "environments",
                "artifacts",
                "contents",
                "caches",
            ]
        ],
        Field(max_length=len(Kind)),
    ] = []
    older_than: Annotated[
        int | None,
        in_units(duration_ms, at_least=0, at_most=KEEP_MS_MAX),
        WithJsonSchema({**DURATION_SCHEMA, "default": None}),
    ] = None
