"""Entities to JSON and back, exactly: floats to the last bit (NaN and infinities too), None, tuples, enumerations."""

from functools import cache
from typing import Any, TypeVar, get_args

from pydantic import TypeAdapter
from pydantic_core import to_json

from gigawatt.model.change import Entity

E = TypeVar("E", bound=Entity)

KINDS: dict[str, type[Entity]] = {kind.__name__: kind for kind in get_args(Entity)}


def encode(value: Any) -> str:
    """A frozen dataclass of the model as JSON. Fields with defaults are written too, so that a default may change."""
    return to_json(value, inf_nan_mode="constants").decode()


def decode(kind: type[E], body: str) -> E:
    """The value that `encode` was given. Unknown fields are dropped: an older program can read what a newer one wrote."""
    return _adapter(kind).validate_json(body)


@cache
def _adapter(kind: type[E]) -> "TypeAdapter[E]":
    return TypeAdapter(kind)
