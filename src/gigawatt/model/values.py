"""Frozen values, each like another but for some of its fields.

`replace` makes what `dataclasses.replace` makes. A leader makes some dozens of values for each job, so here the fields
are copied as they lie, and not looked up by name and given to the constructor.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

T = TypeVar("T")
Write = Callable[[object, Any], None]


def replace(value: T, /, **changes: Any) -> T:
    """A slotted dataclass's value with other values in the fields that are named."""
    layout = _layout(type(value))
    fresh = object.__new__(type(value))
    for write, each in zip(layout.writes, layout.read(value), strict=True):
        write(fresh, each)
    for name, each in changes.items():
        layout.write[name](fresh, each)
    if layout.check is not None:
        layout.check(fresh)
    return fresh


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """How the fields of a class are read, all at once, and written, one by one."""

    read: Callable[[object], tuple[Any, ...]]
    writes: tuple[Write, ...]
    write: Mapping[str, Write]
    check: Callable[[object], None] | None  # what the class has done once its fields are there


@cache
def _layout(kind: type[Any]) -> _Layout:
    names = [field.name for field in fields(kind)]
    write: dict[str, Write] = {name: getattr(kind, name).__set__ for name in names}
    read = attrgetter(*names)
    return _Layout(
        read=read if len(names) > 1 else lambda value: (read(value),),
        writes=tuple(write.values()),
        write=write,
        check=getattr(kind, "__post_init__", None),
    )
