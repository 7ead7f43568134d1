"""Views as JSON text, and reasons as sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from gigawatt.model.reason import Reason, ReasonCode

V = TypeVar("V")

UNITS = {"milli_gpu": ("GPU", 1_000), "milli_cpu": ("CPU", 1_000), "milliwatts": ("W", 1_000)}
_LEADS = {
    ReasonCode.NO_NODES: "the cluster has no node yet",
    ReasonCode.IMPOSSIBLE: "no cluster of this size could ever hold it",
    ReasonCode.RESOURCES_BUSY: "others use what it needs",
    ReasonCode.NODES_UNAVAILABLE: "nodes that could hold it take no gangs now",
    ReasonCode.GPU_KIND: "no node has that kind of GPU",
    ReasonCode.AVOIDED_NODES: "only nodes on which it failed before could hold it",
    ReasonCode.HELD_FOR_HEAD: "the nodes are kept for a gang that has waited longer",
    ReasonCode.BEHIND_HEAD: "the policy starts nothing past a gang that waits",
    ReasonCode.HOLD_AHEAD: "it starts at the time of its hold, which has not come",
    ReasonCode.BEING_FREED: "others stop or move for it, and its nodes are kept for it",
    ReasonCode.OUTSIDE_WINDOW: "it may not run now, by its windows or in a pause after failures",
    ReasonCode.DEPENDENCY: "a job that it comes after has not ended",
    ReasonCode.ENVIRONMENT: "its environment is being built",
    ReasonCode.NOT_CONSIDERED: "the last cycle's work ended before its turn; the next goes on there",
    ReasonCode.APART: "it fits only beside gangs that it keeps apart from, or that keep apart from it",
    ReasonCode.RESERVED: "the nodes it could have are set aside before it would end",
    ReasonCode.POWER: "the feeds of its nodes carry no more now",
    ReasonCode.LIMIT: "its project would use more than its limit",
    ReasonCode.QUOTA_EXCEEDED: "its project would use more than its quota, and does not borrow",
    ReasonCode.BUDGET: "the budget of its project, or of its tenant, is spent",
    ReasonCode.STOPPING: "its last attempt is still being stopped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView(Generic[V]):
    """`next` is the cursor of the page after this one; empty at the end."""

    items: Sequence[V]
    next: str


def to_json(view: object) -> bytes:
    """A view as JSON."""
    return _adapter(type(view)).dump_json(view)


def page_json(page: PageView[Any]) -> bytes:
    """A page as JSON."""
    items = b",".join(to_json(item) for item in page.items)
    return b'{"items":[' + items + b'],"next":' + to_json(page.next) + b"}"


def sentence(reason: Reason) -> str:
    """A reason in words, with the numbers that disagree."""
    lead = _LEADS[reason.code]
    if reason.detail and reason.detail != lead:
        lead = f"{lead}: {reason.detail}"
    if not reason.resource:
        return lead
    need, have = amount(reason.need, reason.resource), amount(reason.have, reason.resource)
    return f"{lead} (it needs {need} and can have {have})"


def amount(value: int, resource: str) -> str:
    """An amount as people write it: `2.5 GPU`, `3 GiB`, `4 nodes`."""
    if resource == "memory_bytes":
        return _bytes(value)
    unit, factor = UNITS.get(resource, (resource, 1))
    return f"{value / factor:g} {unit}" if factor > 1 else f"{value} {unit}".strip()


def _bytes(value: int) -> str:
    for unit, size in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= size:
            return f"{value / size:.4g} {unit}"
    return f"{value} bytes"


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
