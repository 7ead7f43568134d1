"""Two jobs side by side: what was asked for, the packages, and what came of it. Values in, values out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, cast

from gigawatt.sdk.views import GoodputView, JobView

PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*==\s*([^\s;\\]+)", re.MULTILINE)
APART = frozenset(
    {"environment", "bundle", "kind"}
)  # of a spec: compared by themselves, or always the same


class DifferenceView(TypedDict):
    """A field of the spec, a package or a figure; None where a job does not have it."""

    what: str
    a: Any
    b: Any


class SideView(TypedDict):
    id: str
    name: str
    phase: str
    environment: str
    bundle: str


class ComparisonView(TypedDict):
    """Differences alone in `spec` and `packages`; in `figures` everything that either of them has."""

    a: SideView
    b: SideView
    spec: list[DifferenceView]
    packages: list[DifferenceView]
    figures: list[DifferenceView]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two. `lock` is its environment's, empty for the host's."""

    view: JobView
    spec: Mapping[str, Any]
    lock: str
    goodput: GoodputView


def compared(a: Side, b: Side) -> ComparisonView:
    """What differs, each list in the order of its names."""
    return {
        "a": _side(a.view),
        "b": _side(b.view),
        "spec": _different(_flat(a.spec), _flat(b.spec)),
        "packages": _different(pins(a.lock), pins(b.lock)),
        "figures": _both(_figures(a), _figures(b)),
    }


def pins(lock: str) -> dict[str, Any]:
    """Versions by normalized name (PEP 503) of the exact pins of a lock."""
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in PIN.findall(lock)}


def _side(view: JobView) -> SideView:
    return {
        "id": view["id"],
        "name": view["name"],
        "phase": view["phase"],
        "environment": view["environment"],
        "bundle": view["bundle"],
    }


def _flat(fields: Mapping[str, Any], lead: str = "") -> dict[str, Any]:
    """Dotted names, as refusals write them."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if not lead and name in APART:
            continue
        if isinstance(value, Mapping) and value:
            found |= _flat(cast("Mapping[str, Any]", value), f"{lead}{name}.")
        elif value not in ({}, None):
            found[f"{lead}{name}"] = value
    return found


def _figures(side: Side) -> dict[str, Any]:
    view, progress = side.view, side.view["progress"]
    ended = view["ended_ms"]
    found: dict[str, Any] = {
        "attempts": len(view["attempts"]),
        "took_s": (ended - view["created_ms"]) / 1_000 if ended else None,
        "goodput": side.goodput["goodput"],
        "ettr": side.goodput["ettr"],
        "allocated": side.goodput["total"],
    }
    if progress:
        found |= {name: progress[name] for name in ("step", "loss", "tokens", "tokens_per_s")}
        found |= {f"metrics.{name}": value for name, value in progress["metrics"].items()}
    return {name: value for name, value in found.items() if value is not None}


def _different(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[DifferenceView]:
    return [each for each in _both(a, b) if each["a"] != each["b"]]


def _both(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[DifferenceView]:
    return [{"what": name, "a": a.get(name), "b": b.get(name)} for name in sorted({*a, *b})]
